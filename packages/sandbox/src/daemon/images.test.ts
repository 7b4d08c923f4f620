import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { imageNames } from '../client/index.ts'
import type { ImageName } from '../client/index.ts'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

const run = async (image: ImageName, ...argv: string[]) =>
  (await runToEnd(client, spec({ id: 'tool', image, argv }))).out.trim()

test('every image can be made, is made once, and holds what its name says', { timeout: 600_000 }, async () => {
  for (const name of imageNames) {
    const { sha256 } = await client.image({ name })
    assert.match(sha256, /^[0-9a-f]{64}$/)
    assert.deepEqual(await client.image({ name }), { sha256 })
  }
  assert.deepEqual((await client.probe()).images, [...imageNames])
  assert.match(await run('node-24', 'node', '--version'), /^v24\./)
  assert.match(await run('node-26', 'node', '--version'), /^v26\./)
  assert.match(await run('build-24', 'sh', '-c', 'node --version; npm --version'), /^v24\.\S+\n11\./)
  assert.match(await run('build-26', 'sh', '-c', 'node --version; npm --version'), /^v26\.\S+\n11\./)
  assert.match(await run('git', 'git', '--version'), /^git version 2\./)
  assert.match(await run('static', 'sh', '-c', 'busybox httpd --help 2>&1; which node || echo none'), /httpd[^]*none/)
})

test('git can clone and reach an https address with the certificates it brought', async () => {
  const script = `git init -q a && cd a && git -c user.name=n -c user.email=e commit -q --allow-empty -m first && cd ..
    git clone -q a b && git -C b log --format=%s; git remote-https 2>&1 | head -1; grep -c BEGIN /etc/ssl/certs/ca-certificates.crt`
  const [subject, , certificates] = (await run('git', 'sh', '-c', script)).split('\n')
  assert.equal(subject, 'first')
  assert.ok(Number(certificates) > 100)
})

test('all sandboxes run the same file, so that they share its memory', async () => {
  const argv = ['node', '-e', 'setTimeout(() => {}, 60000)']
  const started = [
    await client.start(spec({ id: 'a', image: 'node-24', argv })),
    await client.start(spec({ id: 'b', image: 'node-24', argv })),
  ]
  const files = started.map(({ pid }) => statSync(join('/proc', String(pid), 'root/usr/bin/node')))
  assert.deepEqual([files[0]?.dev, files[0]?.ino], [files[1]?.dev, files[1]?.ino])
  for (const id of ['a', 'b']) await client.remove({ id })
})

test('an image holds no setuid file, nothing writable, and nothing of the host', async () => {
  for (const image of ['git', 'build-24'] as const) {
    const script =
      'find / -xdev \\( -perm /6000 -o -perm /022 ! -type l \\) -print | grep -v -e ^/app -e ^/tmp; ls /usr/local /etc'
    const out = await run(image, 'sh', '-c', script)
    assert.doesNotMatch(out, /^\/(?!etc:|usr\/local:)/m, out)
    assert.doesNotMatch(out, /hostname|machine-id|shadow|apt/)
  }
})
