import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SandboxSpec } from '../client/index.ts'
import { openTestSandbox, printed, runToEnd, spec } from '../testing.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const mebibyte = 2 ** 20
const sizeBytes = 32 * mebibyte
const at = '/data'

/** A sandbox of `app` with the volume at /data. */
const using = (id: string, script: string, more: Partial<SandboxSpec> = {}) =>
  spec({ id, owner: 'app', mounts: [{ kind: 'volume', id: 'v', at }], argv: ['sh', '-c', script], ...more })
const run = async (script: string, more: Partial<SandboxSpec> = {}) =>
  (await runToEnd(client, using('tool', script, more))).out

async function fresh(): Promise<void> {
  await client.removeVolume({ id: 'v' })
  await client.volume({ id: 'v', owner: 'app', sizeBytes })
}

test('what is written to a volume is there for the next sandbox, under the same user, though the daemon died', async () => {
  await fresh()
  await run('echo kept > /data/file; mkdir /data/d')
  await sandbox.crash()
  assert.equal(await run('cat /data/file && rm -r /data/d && ls /data && stat -c %u /data/file'), 'kept\nfile\n1000\n')
  const [volume] = await client.volumes()
  assert.deepEqual({ ...volume, usedBytes: 0 }, { id: 'v', owner: 'app', sizeBytes, usedBytes: 0 })
})

test('two sandboxes of an owner use one volume at once, and each sees its own user on all files', async () => {
  await fresh()
  await client.start(using('one', 'echo 1 > /data/one; until [ -e /data/two ]; do sleep 0.05; done; rm /data/two'))
  const { out } = await runToEnd(
    client,
    using('two', 'until [ -e /data/one ]; do sleep 0.05; done; stat -c %u:%g /data/one; touch /data/two'),
  )
  assert.equal(out, '1000:1000\n')
  assert.equal((await client.wait({ id: 'one', timeoutMs: 10_000 }))?.code, 0)
  await client.remove({ id: 'one' })
})

test('an app may call its files lost+found', async () => {
  await fresh()
  await run('mkdir /data/lost+found; touch /data/lost+found/file')
  assert.equal(await run('ls /data/lost+found; rm -r /data/lost+found; echo kept > /data/lost+found'), 'file\n')
  assert.equal(await run('cat /data/lost+found'), 'kept\n')
})

test('both users of a sandbox can write to a volume', async () => {
  await fresh()
  for (const user of ['app', 'root'] as const) await run(`touch /data/${user}`, { user })
  assert.equal(await run('ls /data'), 'app\nroot\n')
})

test('a full volume is "no space", the program goes on, and there is room again after it deleted', async () => {
  await fresh()
  const script = `dd if=/dev/zero of=/data/big bs=1M count=64 2>&1 | grep -o 'No space left'; rm /data/big
    dd if=/dev/zero of=/data/small bs=1M count=8 2>/dev/null && echo went on`
  assert.equal(await run(script), 'No space left\nwent on\n')
})

test('writing much more than its memory limit to a volume is slow at worst; nobody is ended for it', async () => {
  await client.volume({ id: 'wide', owner: 'app', sizeBytes: 400 * mebibyte })
  const mounts = [{ kind: 'volume', id: 'wide', at }] as const
  const limits = { memoryBytes: 32 * mebibyte, pids: 16, cpuPercent: 100 }
  const script = `for i in 1 2 3; do dd if=/dev/zero of=/data/$i bs=1M count=100 2>/dev/null || echo failed; done; cat /data/* | wc -c`
  assert.equal(await run(script, { mounts, limits }), `${300 * mebibyte}\n`)
  await client.removeVolume({ id: 'wide' })
})

test('a volume takes the room of what it holds, and gives back what is deleted', async () => {
  await fresh()
  const used = async () => (await client.volumes())[0]?.usedBytes ?? 0
  const empty = await used()
  assert.ok(empty < 2 * mebibyte, String(empty))
  await run('dd if=/dev/urandom of=/data/big bs=1M count=16 2>/dev/null; sync /data/big')
  const full = await used()
  assert.ok(full > 16 * mebibyte && full < 24 * mebibyte, String(full))
  await run('rm /data/big; sync -f /data')
  assert.ok((await used()) < 8 * mebibyte, String(await used()))
})

test('a volume grows and keeps what is on it, and never shrinks', async () => {
  await fresh()
  await run('echo kept > /data/file')
  const grown = await client.volume({ id: 'v', owner: 'app', sizeBytes: 4 * sizeBytes })
  assert.deepEqual(grown, (await client.volumes())[0])
  assert.equal(grown.sizeBytes, 4 * sizeBytes)
  assert.deepEqual(await client.volume({ id: 'v', owner: 'app', sizeBytes: 4 * sizeBytes }), grown)
  const script = 'cat /data/file; dd if=/dev/zero of=/data/big bs=1M count=100 2>/dev/null && echo fits'
  assert.equal(await run(script), 'kept\nfits\n')
  await assert.rejects(client.volume({ id: 'v', owner: 'app', sizeBytes }), { code: 'invalid', message: /shrinks/ })
  await sandbox.crash()
  assert.equal((await client.volumes())[0]?.sizeBytes, 4 * sizeBytes)
})

/** The kernel grows a mounted disk for none but its holders; root in many a container is not one. */
const hasSysResource = () => {
  const effective = /^CapEff:\t([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return (BigInt(`0x${effective}`) >> 24n) % 2n === 1n
}

test('a volume grows while it is in use, where the machine lets us', async () => {
  await fresh()
  const script = `df -m /data | tail -1 | awk '{print $2}'; touch /data/ready; until [ -e /data/grown ]; do sleep 0.05; done
    df -m /data | tail -1 | awk '{print $2}'; dd if=/dev/zero of=/data/big bs=1M count=100 2>/dev/null && echo fits`
  await client.start(using('grower', script))
  const growing = client.volume({ id: 'v', owner: 'app', sizeBytes: 4 * sizeBytes })
  if (!hasSysResource()) {
    await assert.rejects(growing, { code: 'conflict', message: /CAP_SYS_RESOURCE.*stop/ })
    assert.equal((await client.volumes())[0]?.sizeBytes, sizeBytes)
    return client.remove({ id: 'grower' })
  }
  assert.equal((await growing).sizeBytes, 4 * sizeBytes)
  await run('touch /data/grown')
  await client.wait({ id: 'grower', timeoutMs: 10_000 })
  const [before, then, fits] = printed(client, 'grower').split('\n')
  assert.ok(Number(then) > 3 * Number(before), `${before} → ${then}`)
  assert.equal(fits, 'fits')
  await client.remove({ id: 'grower' })
})

test('a read-only volume is read', async () => {
  await fresh()
  await run('echo kept > /data/file')
  const mounts = [{ kind: 'volume', id: 'v', at, readOnly: true }] as const
  assert.match(await run('cat /data/file; touch /data/new 2>&1', { mounts }), /kept\n.*Read-only/)
})

test('a volume is for its owner, and stays while it is mounted', async () => {
  await fresh()
  await assert.rejects(run('true', { owner: 'other' }), { code: 'conflict', message: /not of other/ })
  await assert.rejects(client.volume({ id: 'v', owner: 'other', sizeBytes }), { code: 'conflict' })
  await assert.rejects(run('true', { mounts: [{ kind: 'volume', id: 'none', at }] }), { code: 'missing' })
  await assert.rejects(client.volume({ id: 'vast', owner: 'app', sizeBytes: 2 ** 43 }), { code: 'no-room' })
  await client.start(using('user', 'sleep 1000'))
  await assert.rejects(client.removeVolume({ id: 'v' }), { code: 'conflict' })
  await client.stop({ id: 'user', graceMs: 0 })
  await client.removeVolume({ id: 'v' })
  await client.remove({ id: 'user' })
  assert.deepEqual(await client.volumes(), [])
})

test('a link that a release or a build planted where a volume is to be leads nowhere', async () => {
  await fresh()
  await client.scratch({ id: 's', sizeBytes })
  const plant = 'mkdir -p sub; ln -s /etc etc; ln -s /tmp sub/tmp; echo x > file; ln -s ../../../../tmp up'
  await runToEnd(client, spec({ id: 'plant', scratch: 's', argv: ['sh', '-c', plant] }))
  const { sha256 } = await client.pack({ scratch: 's' })
  for (const path of ['etc', 'etc/x', 'sub/tmp', 'sub/tmp/y', 'file', 'file/z', 'up', 'up/x']) {
    const mounts = [{ kind: 'volume', id: 'v', at: `/app/${path}` }] as const
    await assert.rejects(run('true', { mounts, release: sha256 }), { code: 'invalid', message: /link/ }, path)
    await assert.rejects(run('true', { mounts, scratch: 's' }), { code: 'invalid', message: /link/ }, path)
  }
  const mounts = [
    { kind: 'volume', id: 'v', at: '/app/sub/data/deep' },
    { kind: 'share', id: 's', at: '/app/new' },
  ] as const
  const script =
    'echo kept > sub/data/deep/file; touch sub/data/own new/x; ls -dn new sub/data | cut -d" " -f1-20 | wc -l'
  assert.equal(await run(script, { mounts, release: sha256 }), '2\n')
  assert.equal(await run('cat /data/file'), 'kept\n')
  await client.removeScratch({ id: 's' })
  await client.removeRelease({ sha256 })
})

test('several volumes, below /data and beside it, are told apart', async () => {
  await fresh()
  await client.volume({ id: 'w', owner: 'app', sizeBytes })
  const mounts = [
    { kind: 'volume', id: 'v', at: '/data/first' },
    { kind: 'volume', id: 'w', at: '/data/second/deep' },
    { kind: 'volume', id: 'v', at: '/run/again' },
  ] as const
  const script = 'echo 1 > first/x; echo 2 > second/deep/x; cat /run/again/x second/deep/x; touch /data/y 2>&1 | wc -l'
  assert.equal(await run(script, { mounts, cwd: '/data' }), '1\n2\n1\n')
  await client.removeVolume({ id: 'w' })
})

test('programs and special files on a volume have no power', async () => {
  await fresh()
  const script =
    'cp /bin/busybox /data/su; chmod 6755 /data/su; mknod /data/null c 1 3 2>&1; grep " /data " /proc/mounts'
  const out = await run(script, { user: 'root' })
  assert.match(out, /not permitted|Permission denied/)
  assert.match(out, /ext4 rw,nosuid,nodev,/)
})

test('a machine that loses power keeps what was synced', async () => {
  await fresh()
  await client.start(using('writer', 'echo kept > /data/file; sync /data/file; echo synced; sleep 1000'))
  while (!printed(client, 'writer').includes('synced')) await sleep(20)
  await client.freeze({ id: 'writer' })
  // What is on the disk at this moment, as a machine would find it when it comes up again.
  const image = execFileSync('sh', ['-c', `ls ${sandbox.options.root}/volumes/v.*.ext4`], { encoding: 'utf8' }).trim()
  const copy = `${image}.power`
  execFileSync('cp', ['--sparse=always', image, copy])
  const check = `e2fsck -fy ${copy} >/dev/null; [ $? -lt 4 ] && debugfs -R 'cat file' ${copy} 2>/dev/null; rm ${copy}`
  assert.equal(execFileSync('sh', ['-c', check], { encoding: 'utf8' }), 'kept\n')
  await client.remove({ id: 'writer' })
})
