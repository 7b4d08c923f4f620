import assert from 'node:assert/strict'
import test from 'node:test'
import { hasAlready, preferred } from './asked.ts'
import { fuzz } from '../testing/fuzz.ts'
import { parsePipConfig } from './pip-settings.ts'
import { withOrigin } from './with-origin.ts'
import { ORIGIN } from './malformed.ts'

test('the form that a client weighs highest is sent, the first one to who does not say', () => {
  const offered = ['application/json', 'application/vnd.npm.install-v1+json'] as const
  const short = 'application/vnd.npm.install-v1+json'
  for (const [accept, found] of [
    [`${short}; q=1.0, application/json; q=0.8, */*`, short],
    [short, short],
    ['application/json', 'application/json'],
    ['*/*', 'application/json'],
    [undefined, 'application/json'],
    [`${short};q=0.1, application/json`, 'application/json'],
    [`${short};q=0`, 'application/json'],
    [`${short};q=x`, 'application/json'],
  ] as const)
    assert.equal(preferred(accept, offered), found, String(accept))
  fuzz(
    { samples: [`${short}; q=1.0, application/json; q=0.8, */*`], tokens: [',', ';', 'q=', '=', ' ', 'NaN'] },
    (text) => assert.ok(offered.includes(preferred(text, offered))),
  )
})

test('a client has what it names, alone, among others or as weak, and nothing else', () => {
  const etag = '"0123456789abcdef0123456789abcdef"'
  const has = (value?: string) => hasAlready(value === undefined ? {} : { 'if-none-match': value }, etag)
  for (const value of [etag, `W/${etag}`, `"x", ${etag}`, '*']) assert.equal(has(value), true, String(value))
  for (const value of [undefined, '', '""', etag.slice(0, -1), `"${etag}"`])
    assert.equal(has(value), false, String(value))
  fuzz({ samples: [etag, `"x", W/${etag}`], tokens: [',', '"', 'W/', '*', ' '] }, (text) => {
    if (has(text)) assert.ok(text.includes(etag) || text.includes('*'))
  })
})

test('the door’s origin is put into a document wherever its place lies, however it is cut', async () => {
  const text = `a${ORIGIN}/x ${ORIGIN}${ORIGIN} http://door.invali http://door.inval`
  const expected = text.replaceAll(ORIGIN, 'http://10.77.0.1:4873')
  for (let size = 1; size <= text.length; size++) {
    async function* cut() {
      for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size))
    }
    const parts: Buffer[] = []
    for await (const part of withOrigin(cut(), 'http://10.77.0.1:4873')) parts.push(part)
    assert.equal(Buffer.concat(parts).toString(), expected)
  }
})

test('what pip says of its configuration is read as pip itself would: the environment beats a file', () => {
  const text = `global.index-url='https://a.example/simple'\ninstall.index-url='https://b.example/simple'\n:env:.cert='/c'\n`
  assert.deepEqual(parsePipConfig(text), { 'index-url': 'https://b.example/simple', cert: '/c' })
  assert.equal(parsePipConfig(`:env:.index-url='https://e'\n${text}`)['index-url'], 'https://e')
  fuzz({ samples: [text], tokens: ["='", "'", '\n', '.', ':env:.', '__proto__'] }, (bad) => {
    for (const value of Object.values(parsePipConfig(bad))) assert.equal(typeof value, 'string')
  })
})
