/**
 * `npm run soak`: for an hour, round after round with a new seed each, kills and property tests by turns; then what
 * is left behind on the machine, which should be nothing.
 *
 *     npm run soak -- --minutes 10
 */
import { parseArgs } from 'node:util'
import type { Step } from './areas.ts'
import { lookForTraces, newTraces } from './leftovers.ts'
import { needRoot } from './machine.ts'
import { newSeed, runStep } from './step.ts'

const ROUND: readonly Step[] = [
  { name: '25 kills', program: ['test/faults/run.ts', '--kills', '25', '--seed', 'SEED'] },
  { name: 'ledger', files: ['packages/ledger/'], scale: 20 },
  { name: 'charges and payments', files: ['server/src/metering/', 'server/src/funding/'], scale: 10 },
  { name: 'sandboxes', files: ['packages/sandbox/'], scale: 2 },
]

needRoot('test/soak.ts')
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' } } })
const untilMs = performance.now() + Number(values.minutes) * 60_000
const before = lookForTraces()
const failed: string[] = []
for (let round = 1; performance.now() < untilMs; round++) {
  const seed = newSeed()
  for (const step of ROUND) {
    if (performance.now() > untilMs) break
    console.log(`\n=== round ${round}, ${step.name}, seed ${seed}`)
    if (!(await runStep(step, seed))) failed.push(`round ${round}, ${step.name}, seed ${seed}`)
  }
}
const left = newTraces({ before, after: lookForTraces() })
if (left.length > 0) failed.push(`left behind: ${left.join('; ')}`)
console.log(failed.length === 0 ? '\nThe soak passed.' : `\nFailed:\n  ${failed.join('\n  ')}`)
process.exit(failed.length === 0 ? 0 : 1)
