import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { after, test } from 'node:test'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const sizeBytes = 64 * 2 ** 20
const build = (scratch: string, script: string) =>
  runToEnd(client, spec({ id: `in-${scratch}`, user: 'root', scratch, argv: ['sh', '-c', script] }))

test('packing the same files twice, made at another time by another sandbox, gives the same release', async () => {
  const script =
    'mkdir -p site/sub; echo hello > site/page; ln -s page site/link; echo x > site/sub/x; chmod 600 site/sub/x'
  const releases = []
  for (const scratch of ['one', 'two']) {
    await client.scratch({ id: scratch, sizeBytes })
    await build(scratch, scratch === 'one' ? script : `sleep 1; touch other; ${script}`)
    releases.push(await client.pack({ scratch, path: 'site' }))
    await client.removeScratch({ id: scratch })
  }
  const [first, second] = releases
  assert.ok(first)
  assert.deepEqual(first, second)
  const bytes = readFileSync(client.releasePath(first.sha256))
  assert.equal(createHash('sha256').update(bytes).digest('hex'), first.sha256)
  assert.deepEqual(await client.releases(), [first])
})

test('what one sandbox leaves on a scratch disk, the next can change, though the daemon died between them', async () => {
  await client.scratch({ id: 'handed-on', sizeBytes })
  await client.scratch({ id: 'handed-on', sizeBytes })
  await build('handed-on', 'mkdir work; echo fetched > work/file')
  await sandbox.crash()
  const { out } = await build('handed-on', 'echo built >> work/file && cat work/file && rm -r work && ls | wc -l')
  assert.equal(out, 'fetched\nbuilt\n0\n')
  await client.removeScratch({ id: 'handed-on' })
  await client.removeScratch({ id: 'handed-on' })
})

test('an app writes beside its release, for itself alone, and the writes are gone with it', async () => {
  await client.scratch({ id: 'app', sizeBytes })
  await build(
    'app',
    'mkdir d; echo released > d/file; chmod 700 d; chmod 400 d/file; echo "#!/bin/sh" > run; chmod +x run',
  )
  const { sha256 } = await client.pack({ scratch: 'app' })
  await client.removeScratch({ id: 'app' })
  const script = './run && echo more >> d/file && cat d/file && rm d/file && touch new && ls -R'
  const results = []
  for (const id of ['x', 'y'])
    results.push((await runToEnd(client, spec({ id, release: sha256, argv: ['sh', '-c', script] }))).out)
  assert.match(results[0] ?? '', /released\nmore\n/)
  assert.equal(results[0], results[1])
})

test('a build cannot pack files of the host by planting links', async () => {
  await client.scratch({ id: 'sly', sizeBytes })
  await build(
    'sly',
    'ln -s /etc out; mkdir a; ln -s /etc a/b; echo secret > file; mkdir real; ln -s /etc/shadow real/shadow',
  )
  for (const path of ['out', 'a/b', 'a/b/ssl', 'file'])
    await assert.rejects(client.pack({ scratch: 'sly', path }), /is not a folder/)
  for (const path of ['..', 'a/../..', '/etc', 'a//b', '.', ''])
    await assert.rejects(client.pack({ scratch: 'sly', path }), { code: 'invalid' })
  await assert.rejects(client.pack({ scratch: 'sly', path: 'nothing' }), { code: 'missing' })
  // A link inside is packed as a link, and leads nowhere but into the sandbox's own files.
  const { sha256 } = await client.pack({ scratch: 'sly', path: 'real' })
  const { out } = await runToEnd(client, spec({ id: 'reader', release: sha256, argv: ['cat', 'shadow'] }))
  assert.match(out, /No such file/)
  await client.removeScratch({ id: 'sly' })
})

test('a scratch disk or release in use is neither packed nor removed', async () => {
  await client.scratch({ id: 'busy', sizeBytes })
  const { sha256 } = await client.pack({ scratch: 'busy' })
  await client.start(spec({ id: 'user', scratch: 'busy', argv: ['sleep', '1000'] }))
  await client.start(spec({ id: 'runner', release: sha256, argv: ['sleep', '1000'] }))
  const refused = [
    client.pack({ scratch: 'busy' }),
    client.removeScratch({ id: 'busy' }),
    client.removeRelease({ sha256 }),
  ]
  await Promise.all(refused.map((each) => assert.rejects(each, { code: 'conflict' })))
  await client.stop({ id: 'user', graceMs: 0 })
  await client.stop({ id: 'runner', graceMs: 0 })
  await client.removeScratch({ id: 'busy' })
  await client.removeRelease({ sha256 })
  await assert.rejects(client.scratch({ id: 'vast', sizeBytes: 2 ** 43 }), { code: 'no-room' })
  for (const id of ['user', 'runner']) await client.remove({ id })
})

test('a scratch disk is as large as it was made', async () => {
  await client.scratch({ id: 'tight', sizeBytes: 8 * 2 ** 20 })
  const { out } = await build('tight', 'dd if=/dev/zero of=big bs=1M count=20 2>&1; echo went on')
  assert.match(out, /No space left on device[^]*went on/)
  await client.removeScratch({ id: 'tight' })
})

test('releases can be read by the node, for other providers to fetch', async () => {
  await client.scratch({ id: 'shared', sizeBytes })
  const { sha256 } = await client.pack({ scratch: 'shared' })
  assert.equal(statSync(client.releasePath(sha256)).mode & 0o777, 0o644)
  await client.removeScratch({ id: 'shared' })
})
