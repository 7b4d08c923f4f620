/**
 * The difference between where each app's requests should go and what HAProxy does now, as runtime commands.
 *
 * A pure function over two tables, so that one code path serves a changed route, a restarted HAProxy, a reload with
 * more slots and the adoption of one that outlived its node.
 */
import { appId, endpoint, endpointOf, hostName, serverName, type Endpoint } from './names.ts'
import { ACTIVATOR, slotName } from './template.ts'

/** Where an app's requests should go. Without an endpoint: to the activator. */
export interface Route {
  readonly app: string
  readonly host: string
  readonly endpoint: Endpoint | null
}

/** What HAProxy has: one entry of the map per host, and slots with their servers. */
export interface Actual {
  readonly hosts: Map<string, { app: string; slot: string }>
  readonly slots: Slot[]
}
export interface Slot {
  /** Who has it; null when it is free. Kept while a server of the app still answers something. */
  app: string | null
  /** By name. A leaving one gets no new requests, and is deleted once the old ones have been answered. */
  readonly servers: Map<string, 'ready' | 'leaving'>
}

export const emptyActual = (slots: number): Actual => ({
  hosts: new Map(),
  slots: Array.from({ length: slots }, () => ({ app: null, servers: new Map() })),
})

/** What a new worker has: every host with the activator. Slots keep their apps, since old workers have them so too. */
export function freshActual(slots: number, routes: Iterable<Route>, before: Actual): Actual {
  const actual = emptyActual(slots)
  for (const { app, host } of routes) actual.hosts.set(host, { app, slot: ACTIVATOR })
  for (const [index, slot] of before.slots.entries()) if (actual.slots[index]) actual.slots[index].app = slot.app
  return actual
}

/** Where HAProxy sends each app's requests now. */
export function* routesOf(actual: Actual): Generator<Route> {
  const slots = new Map(actual.slots.map((slot, index) => [slotName(index), slot]))
  for (const [host, { app, slot }] of actual.hosts) {
    const [server] = [...(slots.get(slot)?.servers ?? [])].find(([, state]) => state === 'ready') ?? []
    yield { app, host, endpoint: server === undefined ? null : endpointOf(server) }
  }
}

/** No slot is free: HAProxy has to be reloaded with more. */
export const FULL = 'full'

/**
 * Commands that bring HAProxy from `actual` to `route` (undefined: this app is not served), and `actual` as it is
 * once they have run. An app's new server is ready before the map names it, and the old one leaves after.
 */
export function plan(
  actual: Actual,
  app: string,
  route: Route | undefined,
  limits: { map: string; connections: number },
): string[] | typeof FULL {
  const commands: string[] = []
  const slotIndex = claim(actual, appId(app), route)
  if (slotIndex === FULL) return FULL
  const slot = slotIndex === null ? null : actual.slots[slotIndex]!
  const keep = route?.endpoint ? serverName(route.endpoint) : null
  if (slot && slotIndex !== null && keep !== null) {
    const server = `${slotName(slotIndex)}/${keep}`
    const state = slot.servers.get(keep)
    if (state === undefined)
      commands.push(`add server ${server} ${serverArguments(route!.endpoint!, limits.connections)}`)
    if (state !== 'ready') commands.push(`set server ${server} state ready`)
    slot.servers.set(keep, 'ready')
  }
  for (const [host, entry] of actual.hosts) {
    if (entry.app !== app || host === route?.host) continue
    commands.push(`del map ${limits.map} ${hostName(host)}`)
    actual.hosts.delete(host)
  }
  if (route) {
    const target = keep === null || slotIndex === null ? ACTIVATOR : slotName(slotIndex)
    const entry = actual.hosts.get(hostName(route.host))
    if (entry?.app !== app || entry.slot !== target)
      commands.push(`${entry ? 'set' : 'add'} map ${limits.map} ${route.host} ${app}/${target}`)
    actual.hosts.set(route.host, { app, slot: target })
  }
  if (slot && slotIndex !== null) {
    for (const [name, state] of slot.servers) {
      if (name === keep || state === 'leaving') continue
      commands.push(`set server ${slotName(slotIndex)}/${name} state maint`)
      slot.servers.set(name, 'leaving')
    }
    if (slot.servers.size === 0) slot.app = null
  }
  return commands
}

/** The app's slot, or the first free one if it needs one, or null if it does not. */
function claim(actual: Actual, app: string, route: Route | undefined): number | null | typeof FULL {
  const mine = actual.slots.findIndex((slot) => slot.app === app)
  if (mine >= 0) return mine
  if (!route?.endpoint) return null
  const free = actual.slots.findIndex((slot) => slot.app === null && slot.servers.size === 0)
  if (free < 0) return FULL
  actual.slots[free]!.app = app
  return free
}

/**
 * Connections to apps are kept for a request that follows soon: 3× less CPU than a new one each. Two seconds is less
 * than any common server's own keep-alive time-out, so that it is not the app who closes first.
 */
function serverArguments(to: Endpoint, connections: number): string {
  const { address, port } = endpoint(to)
  return `${address}:${port} maxconn ${connections} maxqueue ${connections * 4} pool-max-conn ${connections} pool-low-conn 64 pool-purge-delay 2s`
}
