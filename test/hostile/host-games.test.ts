import './lab/empty-network.ts'
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test, { after, before } from 'node:test'
import { echoing, openTown, strangeTo } from './lab/town.ts'
import type { Resident, Town } from './lab/town.ts'

/** Names that the gateway and an app, or a page of the node, could understand differently. */
let town: Town
let first: Resident
let second: Resident
let sleeping: Resident
before(async () => {
  town = await openTown({
    waker: {
      find: async (host) => (host === 'sleeping.localhost' ? { app: sleeping.id } : null),
      wake: async () => 'ready',
    },
  })
  first = await town.settle('first', echoing('first'))
  second = await town.settle('second', echoing('second'))
  sleeping = await town.settle('sleeping', echoing('sleeping'))
})
after(() => town[Symbol.asyncDispose]())

const get = (host: string, more = '', path = '/') =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}Connection: close\r\n\r\n`

const games: readonly string[] = [
  get('first.localhost@second.localhost'),
  get('first.localhost:80@second.localhost'),
  get('first.localhost#second.localhost'),
  get('first.localhost/second.localhost'),
  get('first.localhost\\second.localhost'),
  get('first.localhost second.localhost'),
  get('first.localhost\tsecond.localhost'),
  get('first.localhost,second.localhost'),
  get('first.localhost\r\nHost: second.localhost'),
  get('first.localhost\r\n second.localhost'),
  get('first.localhost\0.second.localhost'),
  get('first.localhost:8080:second.localhost'),
  get('first.localhost.'),
  get('.first.localhost'),
  get('xn--first.localhost'),
  get('f%69rst.localhost'),
  get('ﬁrst.localhost'),
  get('[first.localhost]'),
  get('*.localhost'),
  get(
    'first.localhost',
    'X-Forwarded-Host: second.localhost\r\nX-Host: second.localhost\r\nForwarded: host=second.localhost\r\n',
  ),
  get('first.localhost', 'X-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\n'),
  get('second.localhost', '', 'http://first.localhost/'),
  get('second.localhost', '', 'http://first.localhost@second.localhost/'),
  get('second.localhost', '', '//first.localhost/'),
  get('first.localhost', `X-Perennial-App: SECOND\r\nX_Perennial_App: SECOND\r\n`),
  get('', '', 'http://first.localhost/'),
]

test('whatever a request calls its host, an app sees its own name alone, and the node’s pages answer to the node’s names', async () => {
  const visitAll = async (path: string) => {
    for (const app of [first, second, sleeping]) {
      assert.match(await town.send(get(app.host, '', path)), new RegExp(`\n${app.host.split('.')[0]} ${path}\n`))
      await app.heard(` ${path} `)
    }
  }
  await visitAll('/before')
  for (const game of games) {
    const answer = await town.send(game.replaceAll('SECOND', second.id))
    assert.doesNotMatch(answer, /^node \//m, game)
    assert.match(answer, /^HTTP\/1.1 (?:200|400|404|421|503)/, game)
    assert.deepEqual([...strangeTo(first), ...strangeTo(second), ...strangeTo(sleeping)], [], game)
  }
  await visitAll('/after')
  assert.deepEqual([...strangeTo(first), ...strangeTo(second), ...strangeTo(sleeping)], [])
})

test('a visitor cannot say which sleeping app is to be woken: that is for the gateway to say', async () => {
  await town.site.gateway.park({ app: sleeping.id, host: sleeping.host })
  const answer = await town.send(get('nobody.localhost', `X-Perennial-App: ${sleeping.id}\r\n`))
  assert.match(answer, /^HTTP\/1.1 404/)
})

test('control: who gets past the gateway says it', async () => {
  await town.site.gateway.route({ app: sleeping.id, host: sleeping.host, address: sleeping.address, port: 8080 })
  const asked = request({
    socketPath: join(town.site.folder, 'activator.sock'),
    headers: { host: 'nobody.localhost', 'x-perennial-app': sleeping.id },
  })
  const answer = await new Promise<string>((resolve, reject) => {
    asked.on('response', (response) => resolve(text(response))).on('error', reject)
    asked.end()
  })
  assert.match(answer, /^sleeping \//)
})
