import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import test from 'node:test'
import { costOf, DEFAULT_PRICE_BOOK } from '@perennial/protocol'
import { openBuildBench } from './testing.ts'

const ROUNDS = 4 * Number(process.env['TEST_SCALE'] ?? 1)
/** Counters of one group and of the group above it are not read at the same moment. */
const CLOCK_NS = 1_000_000n

test('the CPU time of steps that end within moments is what the kernel counted, and is what they cost', async () => {
  await using bench = await openBuildBench()
  const { client } = bench
  const limits = { memoryBytes: 64 * 2 ** 20, pids: 16, cpuPercent: 100 }
  // The group above all sandboxes lives as long as one of them: this one, which does nothing.
  await client.start({
    id: 'idle',
    image: 'static',
    argv: ['sleep', '1000'],
    writableBytes: 16 * 2 ** 20,
    env: {},
    cwd: '/',
    user: 'app',
    limits,
    network: 'none',
  })
  const kernelNs = async () => {
    assert.equal(await client.wait({ id: 'idle', timeoutMs: 0 }), null)
    const idle = (await client.read()).find(({ id }) => id === 'idle')
    return cpuOfAll(bench.sandbox.options.root) - (idle?.cpuNs ?? 0n)
  }
  for (let round = 0; round < ROUNDS; round++) {
    const beforeNs = await kernelNs()
    const app = await bench.app(`octo/short${round}`, {
      'package.json': `{"scripts":{"build":"mkdir dist && touch dist/index.html && node -e \\"const end = Date.now() + ${(round % 4) * 60}; while (Date.now() < end);\\""}}`,
    })
    const done = await bench.deploy(app)
    assert.equal(done.status, 'starting', done.problem ?? '')
    const countedNs = (await kernelNs()) - beforeNs
    const rows = await bench.services.database.query<{ step: string; cpu: bigint }>(
      'select step, sum(cpu_ns)::bigint as cpu from build_sandbox where deployment = $1 group by step',
      [done.id],
    )
    const used = new Map(rows.map(({ step, cpu }) => [step, cpu]))
    const [fetch, build] = [used.get('fetch') ?? 0n, used.get('build') ?? 0n]
    assert.ok(fetch > 0n && build > 0n)
    const missedNs = countedNs - fetch - build
    assert.ok(missedNs >= -CLOCK_NS && missedNs <= CLOCK_NS, `of ${countedNs} ns ${missedNs} were not read`)
    assert.equal(done.cost, costOf(DEFAULT_PRICE_BOOK, { build: fetch + build }))
    assert.ok(done.cost > 0n)
  }
})

/** Of all sandboxes below a daemon's root, those that are gone included; as the kernel has it. */
function cpuOfAll(root: string): bigint {
  const group = `perennial-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`
  const v1 = `/sys/fs/cgroup/cpuacct/${group}/cpuacct.usage`
  if (existsSync(v1)) return BigInt(readFileSync(v1, 'utf8').trim())
  const text = readFileSync(`/sys/fs/cgroup/${group}/cpu.stat`, 'utf8')
  return BigInt(/^usage_usec (\d+)$/m.exec(text)?.[1] ?? 0) * 1000n
}
