import './lab/empty-network.ts'
import assert from 'node:assert/strict'
import { request } from 'node:http'
import test, { after, before } from 'node:test'
import { openBrowser } from '../e2e/browser.ts'
import { openTown } from './lab/town.ts'
import type { Resident, Town } from './lab/town.ts'

/** An app that leaves cookies for all apps beside it, to be taken for their own: a session of the attacker's choice. */
let town: Town
let tosser: Resident
let victim: Resident
before(async () => {
  town = await openTown()
  tosser = await town.settle('tosser', tossing)
  victim = await town.settle('victim', reading)
})
after(() => town[Symbol.asyncDispose]())

const cookies = [
  'session=evil; Domain=localhost',
  'session=evil; domain=.localhost; Path=/',
  'session=evil; Path=/; DOMAIN = localhost ; HttpOnly',
  'session=evil; Domain=localhost; Domain=victim.localhost',
  'session=evil;Domain=victim.localhost;Path=/login',
]
const harmless = [
  'own=1; Path=/; HttpOnly; SameSite=Lax',
  '__Host-own=1; Path=/; Secure',
  'a=b; Max-Age=10; Priority=domain=x',
]
const tossing = `
const cookies = ${JSON.stringify([...cookies, ...harmless])}
require('node:http').createServer((request, response) => {
  response.setHeader('set-cookie', cookies)
  response.setHeader('content-type', 'text/html')
  response.end('<script>for (const domain of ["localhost", ".localhost", "victim.localhost"]) document.cookie = "script=evil; domain=" + domain + "; path=/"</script>')
}).listen(8080, () => console.log('open'))`
const reading = `
require('node:http').createServer((request, response) => {
  response.setHeader('content-type', 'text/plain')
  response.end('cookies: ' + (request.headers.cookie ?? 'none'))
}).listen(8080, () => console.log('open'))`

/** The Set-Cookie headers of an answer. */
function cookiesOf(to: { port: number; address: string }): Promise<string[]> {
  return new Promise((resolve, reject) => {
    request({ host: to.address, port: to.port, headers: { host: tosser.host } }, (answer) => {
      answer.resume()
      resolve(answer.headers['set-cookie'] ?? [])
    })
      .on('error', reject)
      .end()
  })
}

test('a cookie that an app sets is for that app: the gateway takes its domain away, and nothing else of it', async () => {
  const seen = await cookiesOf({ address: '127.0.0.1', port: town.site.port })
  assert.deepEqual(
    seen.filter((cookie) => /;\s*domain/i.test(cookie)),
    [],
  )
  assert.deepEqual(seen.slice(cookies.length), harmless)
  assert.ok(seen.every((cookie) => /^[\w-]+=\w+/.test(cookie)))
  assert.match(seen[2] ?? '', /^session=evil; Path=\/; HttpOnly$/)
})

test('control: the app itself says its domains', async () => {
  const seen = await cookiesOf({ address: tosser.address, port: 8080 })
  assert.equal(seen.filter((cookie) => /;\s*domain/i.test(cookie)).length, cookies.length)
})

test('in a browser, neither the app’s answers nor its scripts leave a cookie for the app beside it', async () => {
  await using browser = await openBrowser()
  const page = await browser.person()
  await page.goto(`http://${tosser.host}:${town.site.port}/`)
  await page.goto(`http://${victim.host}:${town.site.port}/login`)
  assert.equal(await page.textContent('body'), 'cookies: none')
  // Control: back at its own address, the cookies that are its own are there.
  await page.goto(`http://${tosser.host}:${town.site.port}/`)
  assert.match(await page.evaluate('document.cookie'), /session=evil/)
})
