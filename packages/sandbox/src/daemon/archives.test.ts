import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'

const nodeGroup = 65_534
const sandbox = await openTestSandbox({ gid: nodeGroup })
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const mebibyte = 2 ** 20
const inScratch = async (script: string) =>
  (await runToEnd(client, spec({ id: 'maker', scratch: 's', argv: ['sh', '-c', script] }))).out
await client.scratch({ id: 's', sizeBytes: 32 * mebibyte })

test('a file of a scratch disk is kept, byte for byte, for the node and for other sandboxes', async () => {
  await inScratch('mkdir -p out; head -c 3000000 /dev/urandom > out/dump; chmod 600 out/dump')
  const kept = await client.keepArchive({ scratch: 's', path: 'out/dump', id: 'backup-1' })
  const bytes = readFileSync(client.archivePath('backup-1'))
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  assert.deepEqual(kept, { id: 'backup-1', sha256, sizeBytes: 3_000_000 })
  const { gid, mode } = statSync(dirname(client.archivePath('backup-1')))
  assert.deepEqual([gid, mode & 0o777], [nodeGroup, 0o750])
  await inScratch('echo other > out/dump')
  await sandbox.crash()
  assert.deepEqual(await client.keepArchive({ scratch: 's', path: 'out/dump', id: 'backup-1' }), kept)
  assert.deepEqual(await client.archives(), [kept])
  for (const at of ['/run/restore/dump', '/app/dump', '/data/in']) {
    const mounts = [{ kind: 'archive', id: 'backup-1', at }] as const
    const argv = ['sh', '-c', `sha256sum < ${at}; echo x >> ${at}`]
    const { out } = await runToEnd(client, spec({ id: 'reader', mounts, argv }))
    assert.match(out, new RegExp(`^${sha256} [^]*(Read-only|denied)`), out)
  }
  await client.removeArchive({ id: 'backup-1' })
  await client.removeArchive({ id: 'backup-1' })
  assert.deepEqual(await client.archives(), [])
  const mounts = [{ kind: 'archive', id: 'backup-1', at: '/data' }] as const
  await assert.rejects(client.start(spec({ id: 'late', mounts, argv: ['true'] })), { code: 'missing' })
})

test('only a file of the disk itself is kept: no link, no pipe, no hole larger than the disk', async () => {
  await inScratch(
    'ln -s /etc/shadow link; ln -s /etc dir; mkfifo pipe; mkdir folder; truncate -s 1G hole; ln -s ../../../../etc up',
  )
  for (const path of ['link', 'dir/shadow', 'pipe', 'folder', 'hole', 'up/shadow'])
    await assert.rejects(client.keepArchive({ scratch: 's', path, id: 'a' }), { code: 'invalid' }, path)
  for (const path of ['none', 'folder/none'])
    await assert.rejects(client.keepArchive({ scratch: 's', path, id: 'a' }), { code: 'missing' }, path)
  for (const path of ['..', '/etc/passwd', 'folder/../../x', ''])
    await assert.rejects(client.keepArchive({ scratch: 's', path, id: 'a' }), { code: 'invalid' }, path)
  assert.deepEqual(await client.archives(), [])
})

test('a disk that somebody works on gives no archive', async () => {
  await client.start(spec({ id: 'busy', scratch: 's', argv: ['sleep', '1000'] }))
  await assert.rejects(client.keepArchive({ scratch: 's', path: 'out/dump', id: 'a' }), { code: 'conflict' })
  await client.remove({ id: 'busy' })
})

test('sandboxd killed at any moment keeps the whole archive or none', async () => {
  await inScratch('head -c 20000000 /dev/urandom > large; sha256sum large')
  const rounds = 6 * Number(process.env['TEST_SCALE'] ?? 1)
  for (let round = 0; round < rounds; round++) {
    const keeping = client.keepArchive({ scratch: 's', path: 'large', id: 'torn' })
    await sleep(round * 8)
    await sandbox.crash()
    const { sha256 } = await keeping
    assert.equal(
      createHash('sha256')
        .update(readFileSync(client.archivePath('torn')))
        .digest('hex'),
      sha256,
    )
    const removing = client.removeArchive({ id: 'torn' })
    await sleep(round)
    await sandbox.crash()
    await removing
    assert.ok(!existsSync(client.archivePath('torn')))
  }
})
