import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { Counters, type CountRow } from './counters.ts'
import { parseMeters } from './observe.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)
const runs = { numRuns: 200 * scale }

/** What may happen to one app's meter in HAProxy, and to those who read it. */
const happening = fc.oneof(
  fc.record({ what: fc.constant('served' as const), requests: fc.bigInt(1n, 1000n) }),
  fc.record({ what: fc.constantFrom('read', 'expired', 'haproxy died', 'node died', 'stored') }),
)

test('whatever dies, nothing is counted twice, and only what was never read is lost', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), (story) => {
      const world = { process: 1, raw: 0n, served: 0n, unread: 0n, lost: 0n, database: new Map<string, CountRow>() }
      let counters = new Counters([])
      let last = 0n
      const read = () => {
        const meters = world.raw > 0n ? [meter(world.raw)] : []
        counters.observe(`p${world.process}`, meters)
        world.unread = 0n
      }
      const store = () => {
        const rows = counters.unstored()
        for (const row of rows) {
          if (row.requests === 0n) world.database.delete(row.process)
          else world.database.set(row.process, row)
        }
        counters.stored(rows)
      }
      for (const one of story) {
        if (one.what === 'served') {
          world.raw += one.requests
          world.served += one.requests
          world.unread += one.requests
        } else if (one.what === 'read') {
          read()
        } else if (one.what === 'stored') {
          read()
          store()
        } else if (one.what === 'expired') {
          // An entry expires a day after its last request; it is read each second until then.
          read()
          world.raw = 0n
          read()
        } else if (one.what === 'haproxy died') {
          world.lost += world.unread
          world.unread = 0n
          world.raw = 0n
          counters.retire(`p${world.process}`)
          world.process++
        } else {
          // What was read and not stored is read again: HAProxy still has it.
          store()
          counters = new Counters([...world.database.values()])
        }
        const total = counters.totals()[0]?.requests ?? 0n
        assert.ok(total >= last, `${total} after ${last}`)
        last = total
      }
      read()
      assert.equal(counters.totals()[0]?.requests ?? 0n, world.served - world.lost)
    }),
    runs,
  )
})

test('a node killed between reading and storing counts the same when it reads again', () => {
  const before = new Counters([])
  before.observe('p1', [meter(7n)])
  const after = new Counters([])
  after.observe('p1', [meter(9n)])
  assert.equal(after.totals()[0]?.requests, 9n)
})

test('two workers of one HAProxy, before and after a reload, add up', () => {
  const counters = new Counters([])
  counters.observe('old', [meter(5n)])
  counters.observe('new', [meter(1n)])
  counters.observe('old', [meter(6n)])
  assert.equal(counters.totals()[0]?.requests, 7n)
  counters.retire('old')
  counters.observe('new', [meter(2n)])
  assert.equal(counters.totals()[0]?.requests, 8n)
  assert.deepEqual([...counters.processes()], ['new'])
})

test('an answer of HAProxy is read as it is, and anything else is no meter', () => {
  const line = `0x55: key=${app} use=0 exp=86399704 shard=0 conn_cur=2 http_req_cnt=3 bytes_in_cnt=255 bytes_out_cnt=18446744073709551615`
  assert.deepEqual(parseMeters(`# table: meters\n${line}\n\n`), [
    { app, inFlight: 2, requests: 3n, bytesIn: 255n, bytesOut: 18446744073709551615n },
  ])
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      for (const one of parseMeters(Buffer.from(bytes).toString('latin1'))) assert.match(one.app, /^[0-9a-f-]{36}$/)
    }),
    runs,
  )
})

const app = '01a1fea5-91e1-7b9d-a9e3-8d1f6f48bd4e'

function meter(requests: bigint) {
  return { app, inFlight: 0, requests, bytesIn: requests * 10n, bytesOut: requests * 100n }
}
