/**
 * The child of killed.test.ts: a node that builds, killed at a named point or from outside.
 *
 *     node killed-builder.ts '{"place":{…},"point":"settled"}'
 */
import { writeSync } from 'node:fs'
import { openBuilder, type Place } from '../testing.ts'

export interface Orders {
  readonly place: Place
  /** Where to die; `none`: when somebody else kills it. */
  readonly point: string
}

if (process.argv[2]) {
  const { place, point } = JSON.parse(process.argv[2]) as Orders
  await openBuilder(place, (passed) => {
    if (passed !== point) return
    writeSync(1, `${passed}\n`)
    process.kill(process.pid, 'SIGKILL')
  })
  writeSync(1, 'open\n')
}
