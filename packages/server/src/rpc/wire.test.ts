import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ORIGIN, withRpc } from './testing.ts'

test('the node says who it is and what it can do', () =>
  withRpc(async (t) => {
    const known = (await (await t.send(new Request(`${ORIGIN}/.well-known/opencloud`))).json()) as {
      node: string
      methods: { name: string }[]
    }
    assert.equal(known.node, t.house.identity.node.did)
    assert.deepEqual(
      known.methods.map(({ name }) => name),
      ['test.burn', 'test.echo', 'test.look', 'test.close'],
    )
    const api = (await (await t.send(new Request(`${ORIGIN}/openapi.json`))).json()) as {
      paths: Record<string, { get?: unknown }>
    }
    assert.ok(api.paths['/oc/test/look']?.get)
    assert.ok(!api.paths['/oc/test/echo']?.get)
  }))

test('a stream says what is and then only what has changed', () =>
  withRpc(async (t) => {
    const response = await t.send(
      new Request(`${ORIGIN}/oc/test/look?text=a`, { headers: { accept: 'text/event-stream' } }),
    )
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    const reader = response.body!.getReader()
    const { value } = await reader.read()
    assert.equal(new TextDecoder().decode(value), 'event: value\ndata: {"text":"a"}\n\n')
    await reader.cancel()
  }))

test('whatever is sent is answered, signed, and never with an error of the node', () =>
  withRpc(async (t) => {
    const header = fc.string({ maxLength: 60 }).map((text) => text.replaceAll(/[^\x20-\x7e]/g, '').trim())
    const names = fc.constantFrom(
      'signature',
      'signature-input',
      'oc-id',
      'content-digest',
      'content-type',
      'idempotency-key',
      'oc-admin-token',
    )
    const sent = fc.record({
      path: fc.constantFrom('test/echo', 'test/look', 'test/burn', 'test/close', 'test/', '', 'a/b/c'),
      method: fc.constantFrom('POST', 'GET', 'PUT'),
      headers: fc.dictionary(names, header),
      body: fc.oneof(
        fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
        fc.json({ maxDepth: 3 }),
      ),
      query: fc.webQueryParameters(),
    })
    await fc.assert(
      fc.asyncProperty(sent, async ({ path, method, headers, body, query }) => {
        const request = new Request(`${ORIGIN}/oc/${path}?${query}`, {
          method,
          headers,
          ...(method === 'GET' ? {} : { body }),
        })
        const answer = await t.send(request)
        assert.ok(answer.status < 500 && answer.headers.get('signature') !== null, `${answer.status}`)
      }),
      { numRuns: 200 * Number(process.env['TEST_SCALE'] ?? 1) },
    )
  }))
