import assert from 'node:assert/strict'
import test from 'node:test'
import { isRefusal } from '@perennial/protocol'
import { check, resolveByName, type Resolve } from './check.ts'

const names: Record<string, string[]> = {
  'public.example': ['93.184.216.34'],
  'inside.example': ['127.0.0.1'],
  'mixed.example': ['93.184.216.34', '10.0.0.7'],
  'mapped.example': ['::ffff:169.254.169.254'],
}
const resolve: Resolve = async (host) => names[host] ?? Promise.reject(new Error('unknown'))
const rules = { resolve, developmentRemotes: ['127.0.0.1:4000', 'inside.example:8443'] }

test('a public host is reached at the address that was judged', async () => {
  assert.deepEqual(await check({ host: 'public.example', port: 443 }, rules), { address: '93.184.216.34', port: 443 })
})

test('a name that leads inside is refused with the address it leads to', async () => {
  for (const [host, address] of [
    ['inside.example', '127.0.0.1'],
    ['mixed.example', '10.0.0.7'],
    ['mapped.example', '169.254.169.254'],
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
  ] as const) {
    const found = await check({ host, port: 443 }, rules)
    assert.ok(isRefusal(found), host)
    assert.equal(found.refusal, 'request-declined/policy')
    assert.ok(found.sentence.includes(address), found.sentence)
  }
})

test('a development remote is exactly its host and port, on whatever address', async () => {
  assert.deepEqual(await check({ host: '127.0.0.1', port: 4000 }, rules), { address: '127.0.0.1', port: 4000 })
  assert.deepEqual(await check({ host: 'inside.example', port: 8443 }, rules), { address: '127.0.0.1', port: 8443 })
  assert.ok(isRefusal(await check({ host: '127.0.0.1', port: 4001 }, rules)))
  assert.ok(isRefusal(await check({ host: 'inside.example', port: 443 }, rules)))
})

test('other ports than 443 and unknown names are refused in words', async () => {
  assert.ok(isRefusal(await check({ host: 'public.example', port: 22 }, rules)))
  const unknown = await check({ host: 'nowhere.example', port: 443 }, rules)
  assert.ok(isRefusal(unknown) && unknown.refusal === 'client-error/not-found')
})

test('a name spelled as a number is judged by where it leads', async () => {
  // The system's resolver takes 2130706433, 127.1 and 0x7f.1 for 127.0.0.1; so does the check.
  for (const host of ['2130706433', '127.1', '0x7f.1', 'localhost'])
    assert.ok(isRefusal(await check({ host, port: 443 }, { ...rules, resolve: resolveByName })), host)
})
