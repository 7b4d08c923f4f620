/** The verbs on volumes: what is in use is neither copied while it changes nor removed. */
import type { Verbs } from '../verbs.ts'
import { keyOf } from './attach.ts'
import type { Locks } from './locks.ts'
import { Refusal } from './refuse.ts'
import type { Sandboxes } from './sandboxes.ts'
import type { Volumes } from './volumes.ts'

type VolumeVerb = 'volume' | 'volumes' | 'copyVolume' | 'removeVolume'
export type VolumeHandlers = { [V in VolumeVerb]: (input: Verbs[V]['input']) => Promise<Verbs[V]['result']> }

export function volumeHandlers(parts: { locks: Locks; sandboxes: Sandboxes; volumes: Volumes }): VolumeHandlers {
  const { locks, sandboxes, volumes } = parts
  const key = (id: string) => keyOf({ kind: 'volume', id })
  const refuseMounted = (id: string) => {
    if (sandboxes.uses({ kind: 'volume', id }))
      throw new Refusal('conflict', `a sandbox still has the volume ${id} mounted; stop it first`)
  }
  /** Both in order of their names, so that two copies never wait for each other. */
  const holdBoth = <T>(ids: readonly [string, string], work: () => Promise<T>) => {
    const [first, second] = ids.toSorted() as [string, string]
    return locks.hold(key(first), () => locks.hold(key(second), work))
  }
  return {
    volume: (input) => locks.hold(key(input.id), () => volumes.make(input)),
    volumes: () => volumes.list(),
    copyVolume: ({ from, to }) =>
      holdBoth([from, to], async () => {
        const owners = [volumes.owner(from), volumes.owner(to)]
        if (owners[0] === undefined) throw new Refusal('missing', `there is no volume ${from}; make it first`)
        if (owners[1] !== undefined && owners[1] !== owners[0])
          throw new Refusal('conflict', `the volume ${to} is not of ${owners[0]}`)
        refuseMounted(to)
        if (sandboxes.isBusy({ kind: 'volume', id: from }))
          throw new Refusal('conflict', `a sandbox that runs has the volume ${from} mounted; freeze or stop it first`)
        return volumes.copy({ from, to })
      }),
    removeVolume: ({ id }) =>
      locks.hold(key(id), async () => {
        refuseMounted(id)
        await volumes.remove(id)
        return null
      }),
  }
}
