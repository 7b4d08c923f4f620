import { keyFromSeed, signResponse, utf8, verifyRequest, type RequestCheck } from '@perennial/protocol'
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { chromium } from 'playwright-core'

const ROOT = new URL('../../../', import.meta.url)
const PAGE = `<!doctype html><script type="importmap">{"imports":{
  "zod":"/node_modules/zod/index.js","@perennial/protocol":"/packages/protocol/src/index.ts"}}</script>`
const INFO = {
  node: 'did',
  protocol: 'opencloud/1',
  version: '0.1.0',
  origin: 'http://127.0.0.1',
  appsDomain: 'localhost',
  ledger: 'l',
  asset: 'TEST',
  isolation: 'shared-kernel',
}

/** The tree's own files, types stripped, and one method that says who called. */
async function openPage() {
  const nodeKey = await keyFromSeed(new Uint8Array(32).fill(1))
  const checks: RequestCheck[] = []
  const server = createServer((request, response) => {
    answer(request).then(
      ({ headers, body }) => response.writeHead(200, Object.fromEntries(headers)).end(body),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  async function answer(request: IncomingMessage) {
    const path = request.url ?? '/'
    if (path === '/') return { headers: new Headers({ 'content-type': 'text/html' }), body: PAGE }
    if (!path.startsWith('/oc/')) {
      const source = await readFile(new URL(`.${path}`, ROOT), 'utf8')
      const body = path.endsWith('.ts') ? stripTypeScriptTypes(source) : source
      return { headers: new Headers({ 'content-type': 'text/javascript' }), body }
    }
    const body = Buffer.concat(await request.toArray())
    const headers = new Headers(
      Object.entries(request.headersDistinct).map(([name, values]) => [name, values!.join(', ')]),
    )
    const asked = { method: request.method!, url: origin + path, headers, body }
    checks.push(await verifyRequest(asked, { origins: [origin], nowSeconds: Math.floor(Date.now() / 1000) }))
    const said = { status: 200, headers: new Headers({ 'oc-status': 'ok' }), body: utf8(JSON.stringify(INFO)) }
    await signResponse(said, { request: asked, key: nodeKey, nowSeconds: Math.floor(Date.now() / 1000) })
    return said
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin, checks, nodeDid: nodeKey.did, [Symbol.dispose]: () => server.close() }
}

test('a page in a browser signs its calls and checks the answers with the same code', async () => {
  using site = await openPage()
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage()
    await page.goto(site.origin)
    const seen = await page.evaluate(`(async () => {
      const { keyFromSeed, methods, newId, newSeed, sha256, toHex, utf8 } = await import('/packages/protocol/src/index.ts')
      const { openClient } = await import('/packages/client/src/index.ts')
      const client = openClient({ node: location.origin, key: await keyFromSeed(newSeed()) })
      const info = await client.call(methods.node.info, {})
      return { did: client.did, nodeDid: client.nodeDid, asset: info.asset, id: newId(), hash: toHex(sha256(utf8('abc'))) }
    })()`)
    const { did, nodeDid, asset, hash } = seen as Record<string, string>
    assert.equal(asset, 'TEST')
    assert.equal(nodeDid, site.nodeDid)
    assert.equal(hash, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    assert.ok(site.checks[0]?.status === 'valid' && site.checks[0].did === did)
  } finally {
    await browser.close()
  }
})
