/** Scratch disks that begin with the files of a release, and packing only some folders of one: the build cache. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const sizeBytes = 64 * 2 ** 20
const work = async (scratch: string, script: string) =>
  (await runToEnd(client, spec({ id: 'worker', scratch, argv: ['sh', '-c', script] }))).out
const files = (sha256: string) => readFileSync(client.filesPath(sha256), 'utf8')
/** What a release holds, as it is seen where it is mounted. */
const seen = (sha256: string) => {
  const point = mkdtempSync('/var/tmp/perennial-release-')
  try {
    execFileSync('mount', ['-o', 'loop,ro', client.releasePath(sha256), point])
    return execFileSync('find', [point, '-mindepth', '1', '-printf', '%m %y %s %P\\n'], { encoding: 'latin1' })
  } finally {
    execFileSync('umount', [point])
    rmdirSync(point)
  }
}
const paths = (sha256: string) =>
  files(sha256)
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' ')[3])

await client.scratch({ id: 'first', sizeBytes })
await work(
  'first',
  'mkdir -p lib/deep; echo one > lib/deep/one; echo two > two; ln -s two link; chmod 700 lib; chmod 400 two',
)
const base = (await client.pack({ scratch: 'first' })).sha256

test('each release has a manifest of what is in it', async () => {
  const lines = files(base).split('\n')
  assert.equal(lines.length, 6)
  assert.match(
    files(base),
    /^040777 - 0 lib\n040777 - 0 lib\/deep\n100666 [0-9a-f]{64} 4 lib\/deep\/one\n120777 - 3 link -> two\n/,
  )
  await sandbox.crash()
  assert.deepEqual(readdirSync(join(sandbox.options.root, 'releases')).toSorted(), [`${base}.files`, `${base}.sqfs`])
})

test('a manifest says of each file what is in the release', async () => {
  await client.scratch({ id: 'odd', sizeBytes })
  const script = `mkfifo pipe; mkdir -p 'a b/node_modules/x' empty; chmod 1700 empty; echo x > 'a b/node_modules/é'
    chmod 4711 'a b/node_modules/é'; echo y > 'a b/y'; chmod 0 'a b/y'; ln -s gone 'a b/node_modules/l'; ln 'a b/y' hard`
  await work('odd', script)
  for (const only of [undefined, 'node_modules']) {
    const { sha256 } = await client.pack({ scratch: 'odd', ...(only && { only }) })
    const lines = files(sha256)
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [mode = '', , size = '', path = ''] = line.split(' ')
        const plain = path.replace(/\\x(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
        const type = mode.startsWith('04') ? 'd' : mode.startsWith('12') ? 'l' : 'f'
        return `${mode.slice(-3)} ${type} ${type === 'd' ? '' : size} ${plain}`
      })
    const found = seen(sha256)
      .split('\n')
      .slice(0, -1)
      .map((line) => line.replace(/ d \d+ /, ' d  '))
    assert.deepEqual(lines.toSorted(), found.toSorted())
    assert.equal(lines.length, only ? 5 : 8)
  }
  await client.removeScratch({ id: 'odd' })
})

test('what lies deeper than a path may be long is in neither release nor manifest', async () => {
  await client.scratch({ id: 'deep', sizeBytes })
  const name = 'd'.repeat(250)
  await work('deep', `for i in $(seq 20); do mkdir ${name} && echo x > ${name}/file && cd ${name}; done`)
  const { sha256 } = await client.pack({ scratch: 'deep' })
  const found = seen(sha256).split('\n').length - 1
  assert.equal(paths(sha256).length, found)
  assert.ok(found > 25 && found < 40, String(found))
  await client.removeScratch({ id: 'deep' })
})

test('a scratch disk with a base starts as that release, takes changes, and is packed as it is seen', async () => {
  await client.scratch({ id: 'second', sizeBytes, base })
  await client.scratch({ id: 'second', sizeBytes, base })
  await assert.rejects(client.scratch({ id: 'second', sizeBytes }), { code: 'conflict' })
  await assert.rejects(client.removeRelease({ sha256: base }), { code: 'conflict', message: /based on/ })
  const script =
    'cat lib/deep/one two; echo more >> lib/deep/one; rm two; mkdir new; echo x > new/x; mv lib/deep moved; ls'
  assert.equal(await work('second', script), 'one\ntwo\nlib\nlink\nmoved\nnew\n')
  await sandbox.crash()
  assert.equal(await work('second', 'cat moved/one; rm -r new; echo y > lib/y'), 'one\nmore\n')
  const { sha256 } = await client.pack({ scratch: 'second' })
  assert.deepEqual(paths(sha256), ['lib', 'lib/y', 'link', 'moved', 'moved/one'])
  const plain = await (async () => {
    await client.scratch({ id: 'plain', sizeBytes })
    await work('plain', 'mkdir lib moved; printf "one\\nmore\\n" > moved/one; echo y > lib/y; ln -s two link')
    return client.pack({ scratch: 'plain' })
  })()
  assert.equal(sha256, plain.sha256)
  await client.removeScratch({ id: 'second' })
  await client.removeRelease({ sha256: base })
  await assert.rejects(client.scratch({ id: 'third', sizeBytes, base }), { code: 'missing' })
  await client.pack({ scratch: 'first' })
  await client.scratch({ id: 'third', sizeBytes, base })
  await client.removeScratch({ id: 'third' })
})

test('a base is not counted against the disk, and holes still are', async () => {
  await client.scratch({ id: 'large', sizeBytes: 2 * sizeBytes })
  await work('large', 'dd if=/dev/zero of=zeros bs=1M count=100 2>/dev/null')
  const { sha256 } = await client.pack({ scratch: 'large' })
  await client.scratch({ id: 'small', sizeBytes: 8 * 2 ** 20, base: sha256 })
  await work('small', 'echo x > x')
  assert.deepEqual(paths((await client.pack({ scratch: 'small' })).sha256), ['x', 'zeros'])
  assert.match(
    await work('small', 'dd if=/dev/zero of=zeros bs=1M count=20 conv=notrunc 2>&1; echo went on'),
    /No space left[^]*went on/,
  )
  await work('small', 'truncate -s 1G hole')
  await assert.rejects(client.pack({ scratch: 'small' }), { code: 'invalid', message: /write them out/ })
  for (const id of ['small', 'large']) await client.removeScratch({ id })
})

test('packing only folders of one name takes them from wherever they are, and nothing else', async () => {
  await client.scratch({ id: 'many', sizeBytes })
  const script = `for d in . packages/a 'packages/with space' ./-dash; do mkdir -p "$d/node_modules/dep/node_modules/inner"; echo "$d" > "$d/node_modules/dep/index"; echo no > "$d/source"; done
    ln -s /etc link; mkdir other; ln -s ../packages/a/node_modules other/node_modules; echo no > packages/node_modules`
  await work('many', script)
  const { sha256 } = await client.pack({ scratch: 'many', only: 'node_modules' })
  const kept = paths(sha256)
  assert.equal(kept.filter((path) => path?.endsWith('/index')).length, 4)
  assert.ok(
    kept.includes('-dash/node_modules/dep/node_modules/inner') &&
      kept.includes('packages/with\\x20space/node_modules/dep/index'),
  )
  assert.ok(!kept.some((path) => /source|link|other|^packages\/node_modules/.test(path ?? '')), kept.join('\n'))
  assert.equal((await client.pack({ scratch: 'many', only: 'node_modules' })).sha256, sha256)
  assert.deepEqual(
    paths((await client.pack({ scratch: 'many', path: 'packages/a', only: 'node_modules' })).sha256)[0],
    'node_modules',
  )
  await assert.rejects(client.pack({ scratch: 'many', only: 'nothing' }), { code: 'missing' })
  for (const only of ['..', 'a/b', '', '.'])
    await assert.rejects(client.pack({ scratch: 'many', only }), { code: 'invalid' })
  await client.scratch({ id: 'based', sizeBytes, base: sha256 })
  assert.equal(
    await work('based', 'cat packages/a/node_modules/dep/index; ls'),
    'packages/a\n-dash\nnode_modules\npackages\n',
  )
  for (const id of ['based', 'many']) await client.removeScratch({ id })
})
