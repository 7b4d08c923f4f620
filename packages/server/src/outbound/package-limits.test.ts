/** What one sandbox can make the package door do, and how fast it is told what it cannot have. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FakeClock } from '../clock.ts'
import { get, openTestDoor, openTestRegistry, orchard, pear, sha512 } from './testing/door.ts'

const large = Buffer.alloc(300_000, 7)
const wanted = '/pear/-/pear-1.0.0.tgz'
const me = '127.0.0.1'

test('a request costs what was fetched for it or what was sent, whichever is more', async () => {
  await using registry = await openTestRegistry(orchard(large, { integrity: sha512(large) }))
  await using door = await openTestDoor({ npm: registry })
  const costOf = async (method: string) => {
    const before = door.traffic.of(me).bytes
    assert.equal((await get(door, wanted, { method })).status, 200)
    return Number(door.traffic.of(me).bytes - before)
  }
  const first = await costOf('HEAD')
  assert.ok(first > 300_000 && first < 310_000, `fetched and not sent: ${first}`)
  assert.equal(await costOf('HEAD'), 0)
  assert.equal(await costOf('GET'), 300_000)
})

test('a sandbox that has used up its bytes by asking makes the registry send no more', async () => {
  const served: string[] = []
  await using registry = await openTestRegistry((req, res) => {
    const [, name = ''] = /^\/(plum-\d+)$/.exec(req.url ?? '') ?? []
    served.push(name)
    res.end(JSON.stringify({ name, versions: {}, padding: 'x'.repeat(100_000) }))
  })
  await using door = await openTestDoor({ npm: registry, bytes: 500_000 })
  const statuses: number[] = []
  for (let n = 0; n < 10; n++) statuses.push((await get(door, `/plum-${n}`, { method: 'HEAD' })).status)
  assert.deepEqual(statuses, [200, 200, 200, 200, 429, 429, 429, 429, 429, 429])
  assert.equal(served.length, 5)
})

test('who waited for a download that another could not pay for gets it all the same', async () => {
  let hold: ServerResponse | undefined
  await using registry = await openTestRegistry((req, res) => {
    if (req.url !== wanted) return orchard(large, { integrity: sha512(large) })(req, res)
    if (hold) return void res.end(large)
    hold = res
    res.writeHead(200).write(large.subarray(0, 1000))
  })
  await using door = await openTestDoor({ npm: registry, bytes: 400_000 })
  const poor = get(door, wanted, { from: '127.0.0.2' })
  while (!hold) await sleep(5)
  const other = get(door, wanted)
  await sleep(50)
  door.traffic.of('127.0.0.2').bytes = 399_999n
  hold.end(large.subarray(1000))
  assert.equal((await poor).status, 429)
  assert.equal((await other).status, 200)
  assert.equal((await get(door, wanted, { from: '127.0.0.3' })).body.length, large.length)
})

test('more requests than a sandbox may have at once wait for their turn; too many are told so', async () => {
  let running = 0
  let most = 0
  let gate = Promise.resolve()
  await using registry = await openTestRegistry(async (req, res) => {
    running++
    most = Math.max(most, running)
    await Promise.all([gate, sleep(5)])
    running--
    const name = (req.url ?? '').slice(1)
    res.end(JSON.stringify({ name, versions: {} }))
  })
  await using door = await openTestDoor({ npm: registry, connections: 4 })
  const answers = await Promise.all(Array.from({ length: 200 }, (_, n) => get(door, `/plum-${n}`)))
  assert.equal(answers.filter(({ status }) => status === 200).length, 200)
  assert.equal(most, 4)
  // Nothing is answered until somebody was told, however slowly the flood comes.
  const { promise, resolve: told } = Promise.withResolvers<void>()
  gate = promise
  const flood = await Promise.allSettled(
    Array.from({ length: 700 }, async (_, n) => {
      const answer = await get(door, `/apple-${n}`).catch((error: unknown) => {
        told()
        throw error
      })
      if (answer.status === 429) told()
      return answer
    }),
  )
  const refused = flood.filter((each) => each.status === 'rejected' || each.value.status === 429).length
  assert.ok(refused > 0 && refused < 700, `${refused} were refused`)
  assert.equal((await get(door, '/control')).status, 200)
  assert.equal(door.traffic.of(me).connections, 0)
})

test('a sandbox that holds sockets open leaves the door to the others', async () => {
  await using registry = await openTestRegistry(orchard())
  await using door = await openTestDoor({ npm: registry })
  const sockets: Socket[] = []
  let closed = 0
  for (let n = 0; n < 1000; n++) {
    const socket = connect({ port: door.port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => closed++)
    sockets.push(socket)
  }
  assert.equal((await get(door, '/pear')).status, 200)
  while (closed < 360) await sleep(10)
  assert.equal((await get(door, '/pear')).status, 200)
  await sleep(50)
  assert.equal(1000 - closed, 64 + 512 + 64)
  for (const socket of sockets) socket.destroy()
})

test('one build cannot put its bytes into another’s package: the registry’s own or an error is all there is', async () => {
  const other = Buffer.from('what the first build would like others to get')
  let lie = true
  await using registry = await openTestRegistry((req, res) => {
    // A registry that lies for a while, as a mirror that was broken into does.
    if (req.url === '/pear/1.0.0')
      return void res.end(JSON.stringify(pear(registry.origin, { integrity: sha512(large) })))
    return lie ? orchard(other)(req, res) : orchard(large, { integrity: sha512(large) })(req, res)
  })
  await using door = await openTestDoor({ npm: registry })
  const all = await Promise.all(Array.from({ length: 8 }, () => get(door, wanted, { from: '127.0.0.2' })))
  for (const { status, body } of all) {
    assert.equal(status, 422)
    assert.ok(!body.includes('first build'))
  }
  lie = false
  assert.equal((await get(door, wanted)).body, large.toString())
  for (const method of ['PUT', 'POST', 'DELETE', 'PATCH'])
    assert.equal((await get(door, wanted, { method, from: '127.0.0.2' })).status, 405)
})

test('a client that has a document already is not sent it again', async () => {
  await using registry = await openTestRegistry(orchard())
  await using door = await openTestDoor({ npm: registry })
  const first = await get(door, '/pear')
  const etag = String(first.headers.etag)
  const again = await get(door, '/pear', { headers: { 'if-none-match': etag } })
  assert.deepEqual([again.status, again.body], [304, ''])
  const short = { accept: 'application/vnd.npm.install-v1+json' }
  const other = await get(door, '/pear', { headers: { ...short, 'if-none-match': '"else"' } })
  assert.deepEqual([other.status, other.headers['content-type'], other.headers.vary], [200, short.accept, 'accept'])
  assert.match(String((await get(door, wanted)).headers['cache-control']), /immutable/)
})

test('the door asks a registry by its ETag, and keeps what it has when that is the same', async () => {
  const clock = new FakeClock()
  const asked: (string | undefined)[] = []
  await using registry = await openTestRegistry((req, res) => {
    asked.push(req.headers['if-none-match'])
    if (req.headers['if-none-match'] === '"one"') return void res.writeHead(304).end()
    res.setHeader('etag', '"one"')
    orchard()(req, res)
  })
  await using door = await openTestDoor({ npm: registry, clock })
  const bodies = []
  for (let n = 0; n < 3; n++) {
    bodies.push((await get(door, '/pear')).body)
    await clock.advance(600_000)
  }
  assert.deepEqual(asked, [undefined, '"one"', '"one"'])
  assert.equal(new Set(bodies).size, 1)
})
