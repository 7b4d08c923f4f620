/**
 * `npm run faults -- --kills N --seed S [--json]`: a node with people on it is killed N times, and must lose nothing.
 *
 * Each kill ends one program (node mostly, sandboxd, PostgreSQL, HAProxy) with SIGKILL a moment after a phase of the
 * node's work began: fetch, build, start, charge, freeze, thaw, post. After each, everything that was acknowledged to
 * strangers is looked for on the public books, CPU time is compared with the kernel's counters, and the machine with
 * what the node says it runs. With --json one object a phase and one `total`. Ends with 1 if anything was lost, doubled,
 * left behind, served half-made, or if the ledger does not add up.
 */
import { parseArgs } from 'node:util'
import { gitServer, needRoot, prepareMachine } from '../machine.ts'
import { newSeed } from '../step.ts'
import { campaign, PROGRAMS } from './campaign.ts'
import { histogram, linesOf, table, violations } from './report.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    program: { type: 'string', multiple: true, default: [...PROGRAMS] },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(
    'npm run faults -- [--kills 20] [--seed N] [--json] [--program node|sandboxd|postgres|haproxy]…\n' +
      'Kills the programs of a node in the phases of its work, and looks for what is lost, doubled or left behind.\n' +
      '--program kills these alone; the same one twice is killed twice as often.\n' +
      '--json prints {"fault","seed","kills","acknowledged","lost","doubled","orphans"} for each phase, then for "total".',
  )
  process.exit(0)
}
const kills = whole('kills', values.kills)
const programs = values.program.map((name) => {
  const program = PROGRAMS.find((one) => one === name)
  if (program) return program
  console.error(`--program is one of ${[...new Set(PROGRAMS)].join(', ')}, not ${name}`)
  return process.exit(2)
})
const seed = values.seed === undefined ? newSeed() : whole('seed', values.seed)

needRoot('test/faults/run.ts')
// With --json, standard output is for the lines alone.
if (values.json) console.log = console.error
await prepareMachine(gitServer)
console.log(`seed ${seed}, ${kills} kills (again with: npm run faults -- --kills ${kills} --seed ${seed})`)
const startedMs = performance.now()
const outcome = await campaign({ kills, seed, programs, say: (line) => console.log(line) })
const lines = linesOf(outcome, seed)
if (values.json) for (const line of lines) process.stdout.write(`${JSON.stringify(line)}\n`)
for (const line of ['', ...histogram(outcome.kills), '', ...table(lines), '']) console.log(line)

const times = outcome.kills.map(({ recoveredMs }) => recoveredMs).toSorted((a, b) => a - b)
const seconds = (ms: number | undefined) => `${((ms ?? 0) / 1000).toFixed(1)} s`
console.log(`answered again after ${seconds(times[times.length >> 1])} (median), ${seconds(times.at(-1))} (longest)`)
console.log(`CPU time that the kernel counted and nobody was charged for: ${outcome.end.missingMs} ms`)
console.log(
  `answers to visitors: ${[...outcome.statuses].map(([status, count]) => `${status || 'none'} × ${count}`).join(', ')}`,
)
for (const one of outcome.failedDeployments) console.log(`a deployment failed: ${one}`)
console.log(`${Math.round((performance.now() - startedMs) / 1000)} s, seed ${seed}`)

const wrong = violations(outcome)
const unhit = kills >= lines.length - 1 ? lines.filter((line) => line.kills === 0).map(({ fault }) => fault) : []
for (const one of wrong) console.error(one)
if (unhit.length > 0) console.error(`never hit: ${unhit.join(', ')}`)
process.exit(wrong.length > 0 || unhit.length > 0 || outcome.kills.length < kills ? 1 : 0)

function whole(option: string, text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  console.error(`--${option} takes a whole number, not ${text}`)
  process.exit(2)
}
