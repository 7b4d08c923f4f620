/**
 * Reads what HAProxy has and counts: the map, the servers in the slots, the meters.
 *
 *     show map            0x55f0… photos.localhost 0192…/app3
 *     show servers state  9 app3 2 10-77-0-5-8080 10.77.0.5 2 0 1 …   (field 6 is the administrative state, 0 = ready)
 *     show table          0x55f0…: key=0192… use=0 exp=86399704 conn_cur=1 http_req_cnt=3 bytes_in_cnt=255 bytes_out_cnt=427
 */
import { ask, tell } from './runtime.ts'
import { ACTIVATOR, METERS, slotName, type files } from './template.ts'
import { emptyActual, type Actual } from './plan.ts'

type Files = ReturnType<typeof files>

export async function observe(file: Files, slots: number): Promise<Actual> {
  const actual = emptyActual(slots)
  for (const line of (await ask(file.runtime, `show map ${file.map}`)).split('\n')) {
    const [, host, value] = line.split(' ')
    const [app, slot] = (value ?? '').split('/')
    if (host && app && slot) actual.hosts.set(host, { app, slot })
  }
  const indexes = new Map(actual.slots.map((slot, index) => [slotName(index), slot]))
  for (const line of (await ask(file.runtime, 'show servers state')).split('\n')) {
    const fields = line.split(' ')
    const slot = indexes.get(fields[1] ?? '')
    const name = fields[3]
    if (!slot || !name || name === ACTIVATOR) continue
    slot.servers.set(name, fields[6] === '0' ? 'ready' : 'leaving')
  }
  for (const { app, slot } of actual.hosts.values()) {
    const named = indexes.get(slot)
    if (named) named.app = app
  }
  return actual
}

/**
 * Servers in slots that no host names any more cannot be told apart by app: they leave, and the slot is free again
 * once the janitor has deleted them.
 */
export async function dismissStrays(file: Files, actual: Actual): Promise<void> {
  const commands: string[] = []
  for (const [index, slot] of actual.slots.entries()) {
    if (slot.app !== null) continue
    for (const [name, state] of slot.servers) {
      if (state === 'ready') commands.push(`set server ${slotName(index)}/${name} state maint`)
      slot.servers.set(name, 'leaving')
    }
  }
  await tell(file.runtime, commands)
}

/** What one HAProxy process has counted for one app since the process started, and what is under way now. */
export interface Meter {
  readonly app: string
  readonly inFlight: number
  readonly requests: bigint
  readonly bytesIn: bigint
  readonly bytesOut: bigint
}

export function parseMeters(text: string): Meter[] {
  const meters: Meter[] = []
  for (const line of text.split('\n')) {
    const app = / key=([0-9a-f-]{36}) /.exec(line)?.[1]
    if (app === undefined) continue
    const value = (name: string) => BigInt(new RegExp(` ${name}=(\\d{1,20})(?: |$)`).exec(line)?.[1] ?? 0)
    meters.push({
      app,
      inFlight: Number(value('conn_cur')),
      requests: value('http_req_cnt'),
      bytesIn: value('bytes_in_cnt'),
      bytesOut: value('bytes_out_cnt'),
    })
  }
  return meters
}

export const showMeters = (app?: string): string =>
  app === undefined ? `show table ${METERS}` : `show table ${METERS} key ${app}`
