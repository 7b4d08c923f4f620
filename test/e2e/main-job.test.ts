import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isRefusal, methods } from '@perennial/protocol'
import { gitRemote, openTestNode, until } from '@perennial/testnet'
import { dearMemory } from './prices.ts'

/** At /feast it takes so much memory that a payment is soon used up. */
const SERVER = `
const http = require('node:http')
const eaten = []
http.createServer((request, response) => {
  if (request.url === '/feast' && eaten.length === 0) eaten.push(Buffer.alloc(300 * 2 ** 20, 1))
  response.end('commit one\\n')
}).listen(process.env.PORT)
console.log('listening')
`
const HELLO = {
  'package.json': JSON.stringify({ name: 'hello', scripts: { start: 'node server.js' } }),
  'server.js': SERVER,
}

test('a repository becomes an app that runs while it is paid for, freezes, and comes back by anyone’s payment', async () => {
  using prices = dearMemory(500n)
  await using remote = await gitRemote({ repositories: { 'octo/hello': HELLO } })
  await using node = await openTestNode({
    remotes: [remote],
    env: { PERENNIAL_PRICE_BOOK: prices.path, PERENNIAL_ALLOWANCE: '0' },
  })

  // Nobody has paid and the node gives nothing: the app waits, visibly, and nothing is built.
  const asked = await node.client.call(methods.apps.deploy, { url: remote.url('octo/hello') })
  assert.ok(!isRefusal(asked))
  const { slug } = asked.app
  await until('the deployment waits', async () => {
    const now = await node.client.call(methods.apps.deployment, { id: asked.deployment.id })
    return !isRefusal(now) && now.status === 'waiting' && now.problem !== null
  })
  assert.equal((await node.visit(slug, '/')).status, 402)

  // The first payment builds and starts it.
  const first = await node.fund(slug, 300_000n)
  assert.equal(first.parts.commons, 15_000n)
  await node.appWhen(slug, 'runs', (app) => app.activity === 'awake', 120_000)
  assert.equal(await (await node.visit(slug, '/')).text(), 'commit one\n')
  await until('its log says so', async () => {
    const logs = await node.client.call(methods.apps.logs, { app: slug })
    return !isRefusal(logs) && logs.lines.some(({ source, text }) => source === 'web' && text === 'listening')
  })

  // Its purse drains as it runs; empty, it freezes.
  await node.visit(slug, '/feast')
  await node.appWhen(slug, 'freezes', (app) => app.state === 'frozen', 180_000)
  const frozen = await until('the frozen page', async () => {
    const answer = await node.visit(slug, '/')
    return answer.status === 402 && answer.text()
  })
  assert.match(frozen, /Nothing is lost/)

  // A stranger's payment brings it back by itself.
  await node.fund(slug, 1_000_000n)
  await node.appWhen(slug, 'runs again', (app) => app.activity === 'awake', 60_000)
  assert.equal(await (await node.visit(slug, '/')).text(), 'commit one\n')
})
