import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { endpointOf, serverName } from './names.ts'
import { emptyActual, FULL, plan, routesOf, type Route } from './plan.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)
const limits = { map: '/run/hosts.map', connections: 10 }
const ids = ['1', '2', '3', '4'].map((digit) => `01a1fea5-91e1-7b9d-a9e3-8d1f6f48bd4${digit}`)

test('a new instance is ready before its host names it, and the old one leaves after', () => {
  const actual = emptyActual(2)
  const [app = ''] = ids
  const at = (address: string) => ({ app, host: 'a.localhost', endpoint: { address, port: 8080 } })
  plan(actual, app, at('10.77.0.1'), limits)
  const commands = plan(actual, app, at('10.77.0.2'), limits)
  assert.notEqual(commands, FULL)
  assert.deepEqual(
    (commands as string[]).map((command) => command.split(' ').slice(0, 3).join(' ')),
    ['add server app0/10-77-0-2-8080', 'set server app0/10-77-0-2-8080', 'set server app0/10-77-0-1-8080'],
  )
})

/**
 * HAProxy as far as the commands go: it obeys them, and complains as the real one does. Checked after every step is
 * what a visitor would notice: each host leads to its own app's ready server, or to the activator.
 */
test('any order of routes leads each host to its own app and nowhere else', () => {
  const step = fc.record({
    app: fc.constantFrom(...ids),
    host: fc.constantFrom('a.localhost', 'b.localhost', 'c.localhost'),
    act: fc.constantFrom('route', 'park', 'unroute', 'tidy'),
    last: fc.integer({ min: 1, max: 3 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const actual = emptyActual(3)
      const haproxy = new Model()
      const wanted = new Map<string, Route>()
      for (const { app, host, act, last } of steps) {
        if (act === 'tidy') {
          for (const [index, slot] of actual.slots.entries()) {
            for (const [name, state] of slot.servers) {
              if (state !== 'leaving') continue
              haproxy.run(`del server app${index}/${name}`)
              slot.servers.delete(name)
            }
            if (slot.servers.size === 0) slot.app = null
          }
          continue
        }
        const others = [...wanted.values()].filter((one) => one.host === host && one.app !== app)
        if (act !== 'unroute') for (const other of others) wanted.delete(other.app)
        // An app's own address: the last byte of its id, so that two apps never share one.
        const endpoint = { address: `10.77.${ids.indexOf(app)}.${last}`, port: 8080 }
        const route = { app, host, endpoint: act === 'route' ? endpoint : null }
        const planned = plan(actual, app, act === 'unroute' ? undefined : route, limits)
        if (planned === FULL) continue
        if (act === 'unroute') wanted.delete(app)
        else wanted.set(app, route)
        for (const command of planned) haproxy.run(command)
        for (const route of wanted.values()) assert.equal(haproxy.reach(route.host), expected(route))
        for (const route of routesOf(actual)) assert.equal(haproxy.reach(route.host), expected(route))
      }
    }),
    { numRuns: 300 * scale },
  )
})

test('every endpoint has one name, and the name gives it back', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 1, max: 65_535 }), (address, port) => {
      assert.deepEqual(endpointOf(serverName({ address, port })), { address, port })
    }),
  )
})

const expected = ({ app, endpoint }: Route) => `${app} ${endpoint === null ? 'activator' : serverName(endpoint)}`

class Model {
  readonly #map = new Map<string, string>()
  readonly #servers = new Map<string, 'maint' | 'ready'>()

  run(command: string): void {
    const [verb = '', what = '', name = '', ...rest] = command.split(' ')
    if (what === 'map') {
      const [host = '', value = ''] = rest
      assert.equal(this.#map.has(host), verb !== 'add', command)
      if (verb === 'del') this.#map.delete(host)
      else this.#map.set(host, value)
    } else if (verb === 'add') {
      assert.ok(!this.#servers.has(name), command)
      this.#servers.set(name, 'maint')
    } else if (verb === 'set') {
      assert.ok(this.#servers.has(name), command)
      this.#servers.set(name, rest.at(-1) === 'ready' ? 'ready' : 'maint')
    } else {
      assert.equal(this.#servers.get(name), 'maint', command)
      this.#servers.delete(name)
    }
  }

  reach(host: string): string {
    const [app, slot] = (this.#map.get(host) ?? ' /').split('/')
    const ready = [...this.#servers].filter(([name, state]) => name.startsWith(`${slot}/`) && state === 'ready')
    assert.ok(ready.length <= 1, `${host} reaches several instances`)
    return `${app} ${ready[0]?.[0].split('/')[1] ?? 'activator'}`
  }
}
