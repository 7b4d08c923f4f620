/**
 * `npm test`: makes the machine ready, then runs every test, types, lint, format and dead code included.
 *
 *     npm test                     everything, under 15 minutes on two cores
 *     npm test -- ledger sandbox   only files whose path contains one of these words
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { clone } from '../packages/cli/src/bootstrap/places.ts'
import { testFiles } from './files.ts'
import { lookForTraces, newTraces } from './leftovers.ts'
import { browser, gitServer, needRoot, prepareImages, prepareMachine } from './machine.ts'
import { runGroups } from './report.ts'

needRoot('test/run.ts')
const words = process.argv.slice(2)
const { together, alone } = testFiles(words)
if (together.length + alone.length === 0) {
  console.error(`No test file's path contains ${words.join(' or ')}.`)
  process.exit(2)
}
await prepareMachine([...browser, ...gitServer])
if (words.length === 0) await prepareImages()
// Children of this process start in half the CPU time; there are hundreds.
process.env['NODE_COMPILE_CACHE'] ??= join(clone, '.testing/compiled')

const before = lookForTraces()
const { tests, failed, slowest } = await runGroups({
  groups: [
    // One more than cores, because most of them wait more than they compute.
    { files: together, concurrency: availableParallelism() + 1 },
    { files: alone, concurrency: 1 },
  ],
  cwd: clone,
})
if (words.length === 0)
  console.log(`\nSlowest: ${slowest.map(({ file, seconds }) => `${file} ${seconds.toFixed(0)} s`).join(', ')}`)
const left = newTraces({ before, after: lookForTraces() })
if (left.length > 0) console.log(`\nLeft behind on this machine:\n  ${left.join('\n  ')}`)
process.exit(failed > 0 || tests === 0 ? 1 : 0)
