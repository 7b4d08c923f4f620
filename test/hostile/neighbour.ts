/** An innocent sandbox beside an attack: it says something ten times a second, and the log keeps when it did. */
import { readFileSync } from 'node:fs'
import type { SandboxClient } from '../../packages/sandbox/src/client/index.ts'
import { spec } from './payload.ts'

export interface Neighbour {
  /** The longest that it was kept from running, until now. */
  longestSilenceMs(): number
  [Symbol.asyncDispose](): Promise<void>
}

const script = 'while :; do echo alive; usleep 100000; done'

export async function openNeighbour(client: SandboxClient, id = 'neighbour'): Promise<Neighbour> {
  await client.start(spec({ id, script }))
  return {
    longestSilenceMs() {
      const times = readFileSync(client.logPath(id), 'utf8')
        .split('\n')
        .filter((line) => line.endsWith('alive'))
        .map((line) => Date.parse(line.split(' ')[0] ?? ''))
      if (times.length === 0) throw new Error('the neighbour never said anything')
      return Math.max(...[...times.slice(1), Date.now()].map((time, index) => time - (times[index] ?? time)))
    },
    [Symbol.asyncDispose]: () => client.remove({ id }),
  }
}
