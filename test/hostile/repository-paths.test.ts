import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { SandboxRefused } from '../../packages/sandbox/src/client/index.ts'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { mebibyte, runPayload, spec } from './lab/payload.ts'

/**
 * A repository is fetched onto a scratch disk, built there, packed into a release and run. Whatever lies in it, what
 * it leads to must stay inside.
 */
let cage: Cage
/** `<folder>/keys/secret` */
let folder = ''
let secret = ''
before(async () => {
  cage = await openCage()
  folder = join(cage.disk, 'of-the-host')
  const keys = join(folder, 'keys')
  mkdirSync(keys, { recursive: true })
  secret = join(keys, 'secret')
  writeFileSync(secret, 'the secret of the host\n')
  // Open to everybody, so that only the sandbox's own view of files keeps it.
  for (const [path, mode] of [
    [cage.disk, 0o755],
    [folder, 0o755],
    [keys, 0o755],
    [secret, 0o644],
  ] as const)
    chmodSync(path, mode)
})
after(() => cage[Symbol.asyncDispose]())

const diskBytes = 32 * mebibyte

/** Makes a repository by `script` on a new scratch disk; `use` packs it or looks at it. */
async function withRepository<T>(script: string, use: (made: { said: string }) => Promise<T>): Promise<T> {
  const { client } = cage
  await client.scratch({ id: 'repository', sizeBytes: diskBytes })
  try {
    const { said } = await runPayload(
      client,
      spec({ id: 'fetch', scratch: 'repository', script: `mkdir repo; cd repo\n${script}` }),
    )
    return await use({ said })
  } finally {
    await client.removeScratch({ id: 'repository' })
  }
}

const packRepository = () => cage.client.pack({ scratch: 'repository', path: 'repo' })

/** Every entry of a release as `ls` would show it, one a line. */
const entries = (file: string) => execFileSync('unsquashfs', ['-lln', file], { encoding: 'utf8' })

/** Packs a folder of the scratch disk as it is, without any of sandboxd's care, and lists what came of it. */
function packCarelessly(path: string): string {
  const image = join(cage.disk, 'careless.sqfs')
  const folder = join(cage.at.run, 'scratch/repository', path)
  const inside = [`--mount=${join(cage.at.root, 'ns/mnt')}`, '--']
  execFileSync('nsenter', [...inside, 'mksquashfs', folder, image, '-noappend', '-quiet', '-no-progress'], {
    stdio: 'ignore',
  })
  return entries(image)
}

const links = () => `
ln -s ${secret} absolute
ln -s ../../../../../../../../../../..${secret} upwards
ln -s /proc/self/root${secret} own-root
ln -s /proc/1/root${secret} first-root
ln -s ${folder} folder`
const readLinks = 'cat absolute upwards own-root folder/keys/secret first-root; true'

test('links in a repository lead to nothing of the host, neither while it is built nor when it runs', async () => {
  const { client } = cage
  await withRepository(links(), async () => {
    const built = await runPayload(
      client,
      spec({ id: 'build', scratch: 'repository', cwd: '/app/repo', script: readLinks }),
    )
    const { sha256 } = await packRepository()
    const ran = await runPayload(client, spec({ id: 'run', release: sha256, script: readLinks }))
    for (const { said } of [built, ran]) {
      assert.doesNotMatch(said, /the secret/)
      assert.equal(said.match(/No such file/g)?.length, 5, said)
    }
    await client.removeRelease({ sha256 })
  })
})

test('control: read outside a sandbox, the same release leads to the secret', async () => {
  await withRepository(links(), async () => {
    const { sha256 } = await packRepository()
    const unpacked = join(cage.disk, 'unpacked')
    execFileSync('unsquashfs', ['-q', '-n', '-d', unpacked, cage.client.releasePath(sha256)], { stdio: 'ignore' })
    // Not process 1: inside that is the app's own, out here it is nobody's business.
    const paths = ['absolute', 'upwards', 'own-root', 'folder/keys/secret']
    const said = execFileSync('cat', paths, { cwd: unpacked, encoding: 'utf8' })
    assert.equal(said, 'the secret of the host\n'.repeat(4))
    await cage.client.removeRelease({ sha256 })
  })
})

test('what is packed is never reached through a link', async () => {
  await withRepository(links(), async () => {
    for (const path of ['repo/folder', 'repo/folder/keys', 'repo/absolute', 'repo/../..', '..', '/', 'repo/./folder'])
      await assert.rejects(cage.client.pack({ scratch: 'repository', path }), SandboxRefused, path)
  })
})

test('control: a packer that follows the link packs the secret', async () => {
  await withRepository(links(), async () => assert.match(packCarelessly('repo/folder/keys'), /secret$/m))
})

/** What no release may hold. A whiteout is the one device that anybody may make. */
const specials = `
printf '#!/bin/sh\\n' > setuid; chmod 6755 setuid
mkdir sticky; chmod 1777 sticky
mkdir closed; echo x > closed/file; chmod 000 closed/file closed
mkfifo fifo
mknod whiteout c 0 0
mknod null c 1 3; mknod disk b 7 0
ln /usr/bin/busybox busybox
ln setuid twin`

test('a release holds files, folders and links, nothing else, and none with a setuid bit or closed to the app', async () => {
  await withRepository(specials, async ({ said }) => {
    assert.equal(said.match(/Operation not permitted/g)?.length, 2, 'no device is made')
    assert.match(said, /Invalid cross-device link|Operation not permitted/, 'no file of the image is linked')
    const { sha256 } = await packRepository()
    const lines = entries(cage.client.releasePath(sha256)).trim().split('\n')
    const modes = lines.map((line) => [line.split(/[ /]/).at(-1), line.split(' ')[0]])
    assert.deepEqual(Object.fromEntries(modes), {
      'squashfs-root': 'drwxrwxrwx',
      closed: 'drwxrwxrwx',
      file: '-rw-rw-rw-',
      setuid: '-rwxrwxrwx',
      sticky: 'drwxrwxrwx',
      twin: '-rwxrwxrwx',
    })
    assert.ok(
      lines.every((line) => line.includes(' 0/0 ')),
      'all belong to one owner',
    )
    await cage.client.removeRelease({ sha256 })
  })
})

test('control: packed as it is, the same folder holds a setuid program, a pipe and a device', async () => {
  await withRepository(specials, async () => {
    const list = packCarelessly('repo')
    assert.match(list, /^-rwsr-sr-x .*setuid$/m)
    assert.match(list, /^p.*fifo$/m)
    assert.match(list, /^c.*whiteout$/m)
  })
})

test('control: outside a sandbox root makes the devices that a build could not', () => {
  const folder = join(cage.disk, 'devices')
  mkdirSync(folder)
  execFileSync('/bin/sh', ['-c', 'mknod null c 1 3; mknod disk b 7 0'], { cwd: folder })
  assert.match(execFileSync('ls', ['-l', folder], { encoding: 'utf8' }), /^brw.*disk\ncrw.*null$/m)
})

test('file names that look like options, commands or several lines stay names', async () => {
  const names = [
    '-rf',
    '--action',
    'new\nline',
    '$(touch took)',
    '`touch took`',
    ';touch took',
    "quote'",
    'back\\slash',
    ' ',
  ]
  const script = names.map((name) => `printf x > '${name.replaceAll("'", `'\\''`)}'`).join('\n')
  await withRepository(script, async () => {
    const { sha256 } = await packRepository()
    const { said } = await runPayload(
      cage.client,
      spec({ id: 'run', release: sha256, script: 'for name in * ; do printf "%s|" "$name"; done' }),
    )
    assert.deepEqual(said.split('|').slice(0, -1).sort(), names.sort())
    await cage.client.removeRelease({ sha256 })
  })
})

/** Takes no room on the disk, and hours to read. */
const hole = 'truncate -s 256M hole'

test('a file that is one large hole is not packed', async () => {
  await withRepository(hole, async () => {
    await assert.rejects(packRepository(), /more than their disk has/)
  })
})

test('control: packed as it is, its 256 MiB are read from a disk of 32', async () => {
  await withRepository(hole, async () => assert.match(packCarelessly('repo'), / 268435456 .*hole$/m))
})

/** Put into one another from the inside out, so that no path on the way is too long. */
const deep = `
name=$(printf 'd%.0s' $(seq 1 100)); mkdir $name
i=0; while [ $i -lt 300 ]; do mkdir around; mv $name around/$name; mv around $name; i=$((i + 1)); done
ls | wc -l`

test('folders in folders, deeper than a path may be long, are packed as far as they can be used', async () => {
  await withRepository(deep, async ({ said }) => {
    assert.equal(said, '1\n')
    // Packed as far as paths reach: what no program could open is nothing that an app could use.
    const { sha256 } = await packRepository()
    const { said: ran } = await runPayload(cage.client, spec({ id: 'run', release: sha256, script: 'ls | wc -l' }))
    assert.equal(ran, '1\n')
    await cage.client.removeRelease({ sha256 })
  })
})
