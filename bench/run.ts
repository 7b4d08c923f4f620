/**
 * `npm run bench -- <name>… [--json] [--rounds 5] [--seconds 2]`: ratios against named peers, on this machine.
 *
 * For people a table, with --json one object a line. A ratio is better when higher. Without a name: all of them.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, writeSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { needRoot, prepareMachine } from '../test/machine.ts'
import type { Figure } from './figure.ts'
import { debianPackages } from './packages.ts'

interface Bench {
  run(options: { rounds: number; seconds: number }): AsyncIterable<Figure>
}

const FIGURES = 'PERENNIAL_BENCH_FIGURES'
const FIGURES_FD = 3

const benches = readdirSync(import.meta.dirname).filter((name) => existsSync(`${import.meta.dirname}/${name}/bench.ts`))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, rounds: { type: 'string' }, seconds: { type: 'string' } },
})
const rounds = positive('rounds', values.rounds ?? '5')
const seconds = positive('seconds', values.seconds ?? '2')
const unknown = positionals.filter((name) => !benches.includes(name))
if (unknown.length > 0) fail(`there is no bench ${unknown.join(' and no bench ')}; there are: ${benches.join(', ')}`)

needRoot('bench/run.ts')
if (values.json && process.env[FIGURES] === undefined) process.exit(await runApart())

let printed = false
await prepareMachine(debianPackages)
for (const name of positionals.length > 0 ? positionals : benches) {
  const bench = (await import(`./${name}/bench.ts`)) as Bench
  for await (const figure of bench.run({ rounds, seconds })) {
    if (values.json) writeSync(FIGURES_FD, `${JSON.stringify(figure)}\n`)
    else printRow(figure)
  }
}

/** Whatever a bench starts may print too: with --json it prints to standard error, and figures have a pipe of their own. */
async function runApart(): Promise<number> {
  const child = spawn(process.execPath, process.argv.slice(1), {
    env: { ...process.env, [FIGURES]: '1' },
    stdio: ['ignore', process.stderr, process.stderr, 'pipe'],
  })
  child.stdio[FIGURES_FD]?.on('data', (chunk: Buffer) => process.stdout.write(chunk))
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)))
}

function printRow({ bench, case: name, ours, peer, theirs, ratio, unit }: Figure): void {
  const row = (...cells: (string | number)[]) =>
    console.log(cells.map((cell, index) => String(cell).padStart([10, 16, 12, 20, 12, 8, 16][index]!)).join(' '))
  if (!printed) row('bench', 'case', 'ours', 'peer', 'theirs', 'ratio', 'unit')
  printed = true
  row(bench, name, ours, peer, theirs, ratio, unit)
}

function positive(option: string, text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) fail(`--${option} takes a whole number from 1, not ${text}`)
  return Number(text)
}

function fail(sentence: string): never {
  console.error(sentence)
  process.exit(2)
}
