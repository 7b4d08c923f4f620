/**
 * An innocent app beside an attack, and what its visitors notice of it: it does a little work, keeps a small file and
 * prints a line for each visit, as apps do. Harmless is an attack during which the slowest hundredth of its visits
 * takes less than three times as long as in quiet.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Reading } from '../../../packages/sandbox/src/client/index.ts'
import type { Cage } from './cage.ts'
import { withUs } from './island.ts'
import { mebibyte, printed, spec } from './payload.ts'
import type { Visits } from './visitor.ts'
import { openVisitor } from './visits.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)
const measureMs = 1000 * scale
/** An attack needs a moment to get going. */
const settleMs = 300
const harmless = 3
/** Other work on this machine looks like harm: whoever seems disturbed is looked at again. */
const looks = 4
/**
 * In a second of visits the slowest hundredth is two or three of them, and one turn of the kernel's scheduler is most of
 * what they wait: less than this is no harm that a short run could tell from chance. Longer runs hold the figure alone.
 */
const unnoticedMs = scale === 1 ? 30 : 0

/** What an attack may use that is to be weighed against the neighbour: as much as the neighbour has. */
const limits = { memoryBytes: 128 * mebibyte, pids: 64, cpuPercent: 100 }

const server = `
const { createHash } = require('node:crypto')
const { writeFileSync } = require('node:fs')
const { createServer } = require('node:http')
const work = Buffer.alloc(65536)
let visits = 0
createServer((request, response) => {
  if (request.url === '/go') writeFileSync('/tmp/go', '')
  writeFileSync('/tmp/visits', String(++visits))
  console.log('visit ' + visits)
  response.end(createHash('sha256').update(work).digest('hex'))
}).listen(8080, () => console.log('open'))`

interface Neighbour {
  visit(path?: '/' | '/go'): Promise<Visits>
  [Symbol.asyncDispose](): Promise<void>
}

/** `beside`: what runs in the neighbour's own sandbox once somebody visits `/go`, with no wall between. */
async function openNeighbour(cage: Cage, { beside }: { beside?: string } = {}): Promise<Neighbour> {
  const { client } = cage
  const id = 'neighbour'
  const other = beside === undefined ? '' : `(while [ ! -e /tmp/go ]; do usleep 10000; done; ${beside}\n) &\n`
  const script = `${other}exec node -e "$SERVER"`
  const { address } = await client.start(spec({ id, image: 'node-26', script, env: { SERVER: server }, limits }))
  while (!printed(client, id).includes('open')) await sleep(10)
  const visitor = openVisitor({
    enter: [...cage.group.enter, ...withUs, ...cage.island.enter],
    origin: `http://${address}:8080`,
  })
  await visitor.visit('/', settleMs)
  return {
    visit: (path = '/') => visitor.visit(path, path === '/' ? measureMs : 1),
    async [Symbol.asyncDispose]() {
      await visitor[Symbol.asyncDispose]()
      await client.remove({ id })
    },
  }
}

interface Disturbance {
  /** The slowest hundredth of visits took so many times as long as in quiet. */
  readonly times: number
  readonly quiet: Visits
  readonly loud: Visits
  /** What the kernel counted to the attack's sandbox, when it had one. */
  readonly reading: Reading | undefined
}

const isHarmless = ({ times, loud }: Pick<Disturbance, 'times' | 'loud'>): boolean =>
  times < harmless || loud.p99Ms < unnoticedMs

/** The attack in a sandbox of its own, as any other app. */
async function disturbanceNextDoor(cage: Cage, script: string): Promise<Disturbance> {
  const { client } = cage
  const id = 'attack'
  await using neighbour = await openNeighbour(cage)
  const all: Disturbance[] = []
  for (let look = 0; look < looks && !all.some(isHarmless); look++) {
    const quiet = await neighbour.visit()
    await client.start(spec({ id, image: 'node-26', script, limits }))
    await sleep(settleMs)
    const loud = await neighbour.visit()
    const reading = (await client.read()).find((one) => one.id === id)
    await client.remove({ id })
    all.push({ times: loud.p99Ms / quiet.p99Ms, quiet, loud, reading })
  }
  return all.sort((a, b) => a.times - b.times)[0]!
}

/** Control: the same lines in the neighbour's own sandbox. */
async function disturbanceAtHome(cage: Cage, script: string): Promise<Disturbance> {
  const all: Disturbance[] = []
  for (let look = 0; look < looks && !all.some(({ times }) => times >= harmless); look++) {
    await using neighbour = await openNeighbour(cage, { beside: script })
    const quiet = await neighbour.visit()
    await neighbour.visit('/go')
    await sleep(settleMs)
    const loud = await neighbour.visit()
    all.push({ times: loud.p99Ms / quiet.p99Ms, quiet, loud, reading: undefined })
  }
  return all.sort((a, b) => b.times - a.times)[0]!
}

/** Two tests for one attack: next door it is harmless and counted to its cause; at home, the control, it is not. */
export function testNeighbour(cage: () => Cage, { attack, script }: { attack: string; script: string }): void {
  test(`a neighbour’s visitors notice nothing of ${attack}, and what it used is counted to it`, async () => {
    const { times, quiet, loud, reading } = await disturbanceNextDoor(cage(), script)
    assert.ok(
      isHarmless({ times, loud }),
      `visits took ${times.toFixed(1)} times as long: ${JSON.stringify({ quiet, loud })}`,
    )
    assert.equal(loud.failed, 0)
    assert.ok((reading?.cpuNs ?? 0n) > 0n)
  })

  test(`control: with ${attack} in the neighbour’s own sandbox, its visitors notice`, async () => {
    const { times, quiet, loud } = await disturbanceAtHome(cage(), script)
    assert.ok(times >= harmless, `visits took ${times.toFixed(1)} times as long: ${JSON.stringify({ quiet, loud })}`)
  })
}
