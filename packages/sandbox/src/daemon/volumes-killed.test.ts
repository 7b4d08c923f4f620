import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'
import { tagOf } from './tag.ts'

const sandbox = await openTestSandbox()
const { client, options } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const sizeBytes = 2 ** 25
const rounds = 5 * Number(process.env['TEST_SCALE'] ?? 1)

const run = async (script: string) => {
  const mounts = [{ kind: 'volume', id: 'v', at: '/data' }] as const
  return (await runToEnd(client, spec({ id: 'x', owner: 'app', mounts, argv: ['sh', '-c', script] }))).out
}

/** The client sends again what was under way, so each call succeeds in spite of the crash. */
async function crashDuring<T>(call: Promise<T>, delayMs: number): Promise<T> {
  await sleep(delayMs)
  await sandbox.crash()
  return call
}

const left = () => ({
  files: readdirSync(join(options.root, 'volumes')),
  loops: execFileSync('losetup', ['-a'], { encoding: 'utf8' }).split(join(options.root, 'volumes')).length - 1,
})

test('sandboxd killed while it makes, mounts, grows and removes a volume loses nothing and leaves nothing', async () => {
  for (let round = 0; round < rounds; round++) {
    const delayMs = round * 15
    await crashDuring(client.volume({ id: 'v', owner: 'app', sizeBytes }), delayMs)
    assert.equal(await crashDuring(run('echo kept > /data/file; sync /data/file; echo written'), delayMs), 'written\n')
    await crashDuring(client.volume({ id: 'v', owner: 'app', sizeBytes: 2 * sizeBytes }), delayMs)
    assert.equal(
      await run(`cat /data/file; dd if=/dev/zero of=/data/big bs=1M count=40 2>/dev/null && echo fits`),
      'kept\nfits\n',
    )
    assert.equal(left().files.length, 2, left().files.join())
    await crashDuring(client.removeVolume({ id: 'v' }), delayMs)
    assert.deepEqual(left(), { files: [], loops: 0 })
  }
})

test('a daemon that is told to end in the middle of a copy leaves nothing standing still', async () => {
  await using other = await openTestSandbox()
  await other.client.volume({ id: 'v', owner: 'app', sizeBytes })
  const mounts = [
    { kind: 'volume', id: 'v', at: '/data' },
    { kind: 'share', id: 's', at: '/run/s' },
  ] as const
  const script = 'while :; do date > /data/x; sync /data/x; date > /run/s/x; done'
  const { pid } = await other.client.start(spec({ id: 'x', owner: 'app', mounts, argv: ['sh', '-c', script] }))
  const { root } = other.options
  const point = join('/run', `perennial-${tagOf(root)}`, 'volumes/v')
  execFileSync('nsenter', [`--mount=${join(root, 'ns/mnt')}`, 'fsfreeze', '--freeze', point])
  await other.daemon.destroy()
  assert.ok(!existsSync(root))
  // Its supervisor buries it when it gets to it.
  for (let tries = 0; existsSync(`/proc/${pid}`) && tries < 200; tries++) await sleep(50)
  assert.ok(!existsSync(`/proc/${pid}`))
  assert.ok(!execFileSync('losetup', ['-a'], { encoding: 'utf8' }).includes(root))
})

test('a damaged note costs no data and no other volume', async () => {
  await client.volume({ id: 'v', owner: 'app', sizeBytes })
  await client.volume({ id: 'w', owner: 'app', sizeBytes })
  await run('echo kept > /data/file')
  const note = join(options.root, 'volumes/v.json')
  execFileSync('sh', ['-c', `cp ${note} ${note}.good && echo '{"id":' > ${note}`])
  await sandbox.crash()
  assert.deepEqual(
    (await client.volumes()).map(({ id }) => id),
    ['w'],
  )
  await assert.rejects(client.volume({ id: 'v', owner: 'app', sizeBytes }), { code: 'conflict', message: /damaged/ })
  execFileSync('mv', [`${note}.good`, note])
  await sandbox.crash()
  assert.equal(await run('cat /data/file'), 'kept\n')
})
