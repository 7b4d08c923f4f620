/**
 * The apps of a run: every commit answers a text of its own, put together from many files, so that a release of which
 * anything is missing or older answers a text that no commit has.
 */
import type { Files } from '@perennial/testnet'

/** `built`: its files are made by scripts.build. `plain`: nothing is built. `site`: files are served as they are. */
export const KINDS = ['built', 'plain', 'site'] as const
export type Kind = (typeof KINDS)[number]

const PARTS = 24
const PART_REPEATS = 100

export interface Commit {
  /** Of the app. */
  readonly name: string
  readonly number: number
}

export function filesOf(kind: Kind, commit: Commit): Files {
  if (kind === 'site') return { 'index.html': wholeText(commit) }
  const parts = Object.fromEntries(range(PARTS).map((part) => [`parts/${part}`, partText(commit, part)]))
  const built = kind === 'built'
  const scripts = { start: 'node server.js', ...(built && { build: 'node build.js' }) }
  return {
    ...parts,
    'package.json': JSON.stringify({ name: commit.name, version: `${commit.number}.0.0`, scripts }),
    'server.js': server(built ? 'built' : 'parts'),
    ...(built && { 'build.js': BUILD }),
  }
}

export function wholeText(commit: Commit): string {
  return range(PARTS)
    .map((part) => partText(commit, part))
    .join('')
}

/** The number of the commit whose text this is; null if it is none's. */
export function commitOf(text: string, name: string): number | null {
  const number = Number(/ commit (\d+) /.exec(text)?.[1] ?? 0)
  return number > 0 && text === wholeText({ name, number }) ? number : null
}

function partText({ name, number }: Commit, part: number): string {
  return `${`${name} commit ${number} part ${part}\n`.repeat(PART_REPEATS)}`
}

/** Reads its files anew for each answer, and works a little, so that there is something to charge for. */
function server(folder: string): string {
  return `
const { createServer } = require('node:http')
const { readFileSync } = require('node:fs')
const read = () => Array.from({ length: ${PARTS} }, (_, part) => readFileSync('${folder}/' + part, 'utf8')).join('')
createServer((request, response) => {
  const untilMs = performance.now() + 5
  while (performance.now() < untilMs);
  response.setHeader('content-type', 'text/plain')
  response.end(read())
}).listen(process.env.PORT)
console.log('listening')
`
}

/** Slow on purpose, so that a kill finds it half-way. */
const BUILD = `
const { mkdirSync, copyFileSync } = require('node:fs')
mkdirSync('built', { recursive: true })
for (let part = 0; part < ${PARTS}; part++) {
  copyFileSync('parts/' + part, 'built/' + part)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
}
console.log('built')
`

function range(length: number): number[] {
  return Array.from({ length }, (_, place) => place)
}
