import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { sandboxClient } from '../client/index.ts'
import type { SandboxClient } from '../client/index.ts'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'
import { startDaemon } from './launch.ts'
import type { LaunchOptions } from './launch.ts'
import { tagOf } from './tag.ts'

const sizeBytes = 2 ** 25
const run = async (client: SandboxClient, script: string) => {
  const mounts = [{ kind: 'volume', id: 'v', at: '/data' }] as const
  return (await runToEnd(client, spec({ id: 'x', owner: 'app', mounts, argv: ['sh', '-c', script] }))).out
}

async function at(options: LaunchOptions, work: (client: SandboxClient) => Promise<void>): Promise<void> {
  const daemon = await startDaemon(options)
  const client = sandboxClient({ socket: daemon.socket })
  try {
    await work(client)
  } finally {
    client.close()
    await daemon.destroy()
    rmdirSync(dirname(options.root))
  }
}

/** Where nothing is yet. */
const elsewhere = () => join(mkdtempSync(`/var/tmp/perennial-sandbox-test-${process.pid}-`), 'root')

test('a root folder that is moved keeps volumes, archives and its place on the machine', async () => {
  await using sandbox = await openTestSandbox()
  const { client, options } = sandbox
  await client.volume({ id: 'v', owner: 'app', sizeBytes })
  await client.scratch({ id: 's', sizeBytes })
  await run(client, 'echo kept > /data/file; chmod 600 /data/file')
  await runToEnd(client, spec({ id: 'y', scratch: 's', argv: ['sh', '-c', 'echo backup > file'] }))
  const archive = await client.keepArchive({ scratch: 's', path: 'file', id: 'a' })
  const { subnet } = await client.probe()
  const tag = tagOf(options.root)
  await sandbox.daemon.stop()
  const root = elsewhere()
  execFileSync('mv', [options.root, root])
  await at({ ...options, root }, async (moved) => {
    assert.equal(tagOf(root), tag)
    assert.equal((await moved.probe()).subnet, subnet)
    assert.equal(await run(moved, 'cat /data/file; stat -c %u /data/file; rm /data/file'), 'kept\n1000\n')
    assert.deepEqual(await moved.archives(), [archive])
    assert.equal(readFileSync(moved.archivePath('a'), 'utf8'), 'backup\n')
    // A new node where the old one was.
    const second = await startDaemon(options)
    const other = sandboxClient({ socket: second.socket })
    assert.notEqual(tagOf(options.root), tag)
    assert.notEqual((await other.probe()).subnet, subnet)
    assert.deepEqual(await other.volumes(), [])
    other.close()
    await second.stop()
  })
  assert.ok(!existsSync(root))
})

test('a copy of a root folder runs beside it, with the volumes as they were', async () => {
  await using sandbox = await openTestSandbox()
  const { client, options } = sandbox
  await client.volume({ id: 'v', owner: 'app', sizeBytes })
  await run(client, 'echo kept > /data/file')
  await client.start(spec({ id: 'runs', argv: ['sleep', '1000'] }))
  const root = elsewhere()
  const copyTo = `mkdir ${root} && tar -C ${options.root} --exclude=./ns -cSf - . | tar -C ${root} -xpf -`
  execFileSync('sh', ['-c', copyTo], { stdio: ['ignore', 'ignore', 'ignore'] })
  await at({ ...options, root }, async (copy) => {
    assert.notEqual(tagOf(root), tagOf(options.root))
    assert.deepEqual(
      (await copy.list()).map(({ id, state }) => [id, state]),
      [['runs', 'exited']],
    )
    assert.equal(await run(copy, 'cat /data/file; echo copy > /data/file'), 'kept\n')
  })
  assert.equal((await client.list())[0]?.state, 'running')
  assert.equal(await run(client, 'cat /data/file'), 'kept\n')
})
