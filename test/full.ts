/**
 * `npm run test:full -- <area>…`: an area's tests at full scale; without a name, all of them.
 *
 * What passed is noted in `.testing/full.json` for this commit, so that a run that was broken off goes on where it
 * was. `--fresh` forgets it; `--seed N` repeats a run.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { mustRun } from '../packages/cli/src/bootstrap/command.ts'
import { clone } from '../packages/cli/src/bootstrap/places.ts'
import { AREAS } from './areas.ts'
import { needRoot } from './machine.ts'
import { newSeed, runStep } from './step.ts'

interface Progress {
  readonly commit: string
  readonly seed: number
  readonly passed: readonly string[]
}

const NOTE = join(clone, '.testing/full.json')

needRoot('test/full.ts')
const { values, positionals } = parseArgs({
  options: { fresh: { type: 'boolean' }, seed: { type: 'string' } },
  allowPositionals: true,
})
const unknown = positionals.filter((area) => !Object.hasOwn(AREAS, area))
if (unknown.length > 0) {
  console.error(`There is no area ${unknown.join(', ')}; there are: ${Object.keys(AREAS).join(', ')}`)
  process.exit(2)
}

const commit = (await mustRun(['git', '-C', clone, 'rev-parse', 'HEAD'])).trim()
let progress = readProgress()
console.log(`seed ${progress.seed} (again with: --fresh --seed ${progress.seed})`)
const failed: string[] = []
for (const area of positionals.length > 0 ? positionals : Object.keys(AREAS)) {
  for (const step of AREAS[area] ?? []) {
    const name = `${area}: ${step.name}`
    if (progress.passed.includes(name)) {
      console.log(`\n=== ${name}: passed before`)
      continue
    }
    console.log(`\n=== ${name}`)
    if (await runStep(step, progress.seed)) note({ ...progress, passed: [...progress.passed, name] })
    else failed.push(name)
  }
}
console.log(failed.length === 0 ? '\nAll passed.' : `\nFailed:\n  ${failed.join('\n  ')}`)
process.exit(failed.length === 0 ? 0 : 1)

function readProgress(): Progress {
  const seed = values.seed === undefined ? newSeed() : Number(values.seed)
  const none: Progress = { commit, seed, passed: [] }
  if (values.fresh || !existsSync(NOTE)) return none
  const found = JSON.parse(readFileSync(NOTE, 'utf8')) as Progress
  return found.commit === commit && values.seed === undefined ? found : none
}

function note(now: Progress): void {
  progress = now
  mkdirSync(join(clone, '.testing'), { recursive: true })
  writeFileSync(NOTE, JSON.stringify(now))
}
