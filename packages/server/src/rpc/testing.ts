/** For tests: a pipeline on a real ledger, with methods of its own, and clients that call it as over the wire. */
import { openClient, type Client } from '@perennial/client'
import { openLedger, type Ledger } from '@perennial/ledger'
import {
  DEFAULT_PRICE_BOOK,
  keyFromSeed,
  method,
  newId,
  newSeed,
  refuse,
  transferCode,
  type Key,
} from '@perennial/protocol'
import * as z from 'zod'
import { openApps, type Apps } from '../apps/index.ts'
import { FakeClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { openDiagnostics, Secret } from '../diagnostics.ts'
import { openEvents } from '../events.ts'
import { openIdentity } from '../identity/index.ts'
import { openJobs } from '../jobs.ts'
import { accountOf, openAccounts } from '../metering/index.ts'
import type { Services } from '../services.ts'
import { serverDatabase } from '../testing.ts'
import { implement, openRpc, type Caller, type Implementation, type Rpc, type StationHouse } from './index.ts'

export const ORIGIN = 'http://127.0.0.1:8080'
export const PER_CORE_SECOND = 1_000_000_000n

const free = { safe: false, meters: [], example: {} } as const
const text = z.strictObject({ text: z.string().max(100) })

/** A caller pays for the CPU that it burns: `seconds` at most, `used` in truth. */
export const burn = method({
  ...free,
  service: 'test',
  name: 'burn',
  summary: 'Burns CPU for its caller.',
  input: z.strictObject({
    seconds: z.number().int(),
    used: z.number().int(),
    fail: z.enum(['error', 'refusal']).optional(),
  }),
  output: z.object({ burnt: z.number() }),
  policy: 'caller',
  meters: ['cpu'],
  example: { seconds: 1, used: 1 },
})
export const echo = method({
  ...free,
  service: 'test',
  name: 'echo',
  summary: 'Says it again.',
  input: text,
  output: z.object({ text: z.string(), times: z.number() }),
  policy: 'caller',
  example: { text: 'a' },
})
export const look = method({
  ...free,
  safe: true,
  service: 'test',
  name: 'look',
  summary: 'Looks.',
  input: text,
  output: text,
  policy: 'anyone',
  example: { text: 'a' },
})
export const close = method({
  ...free,
  service: 'test',
  name: 'close',
  summary: 'Closes an app.',
  input: z.strictObject({ app: z.string() }),
  output: z.object({}),
  policy: 'admin',
  example: { app: 'a' },
})

export interface TestRpc {
  readonly rpc: Rpc
  readonly house: StationHouse & Services
  readonly ledger: Ledger
  readonly clock: FakeClock
  /** How often `echo` was really done. */
  readonly done: { echo: number }
  readonly apps: Apps
  client(key?: Key, address?: string): Client
  key(): Promise<Key>
  fund(did: string, micros: bigint): Promise<void>
  /** Sends a request as it is, from an address. */
  send(request: Request, address?: string): Promise<Response>
}

export async function withRpc(
  work: (test: TestRpc) => Promise<void>,
  more: readonly Implementation<StationHouse>[] = [],
): Promise<void> {
  await using served = await serverDatabase()
  const clock = new FakeClock(new Date('2026-11-21T08:00:00Z'))
  await using ledger = await openLedger({ url: served.url, now: () => clock.now().getTime() })
  const accounts = openAccounts(ledger)
  const done: TestRpc['done'] = { echo: 0 }
  // What fails on purpose is not for the reader of a test run.
  const diagnostics = openDiagnostics({ level: 'error', write: () => undefined })
  const { database } = served
  const jobs = openJobs({ database, clock, diagnostics, owner: 'test' })
  const config = readConfig({})
  const services: Services = { config, database, clock, diagnostics, jobs, events: openEvents({ jobs, clock }) }
  const apps = openApps(services)
  const house: StationHouse & Services = {
    ...services,
    identity: openIdentity({ clock }, { node: await keyFromSeed(newSeed()), session: new Secret(newSeed()) }),
    ledger,
    accounts,
    priceBook: DEFAULT_PRICE_BOOK,
    ledgerId: 'test-ledger',
    origins: [ORIGIN],
    boot: newId(),
    apps,
  }
  const rpc = openRpc(house, [...implementations(done), ...more])
  const send = async (request: Request, address = '127.0.0.1') =>
    (await rpc.handle({ request, url: new URL(request.url), address }))!
  await work({
    rpc,
    apps,
    house,
    ledger,
    clock,
    done,
    send,
    client: (key, address) =>
      openClient({
        node: ORIGIN,
        key,
        nowMs: () => clock.now().getTime(),
        fetch: (input, init) => send(new Request(input, init), address),
      }),
    key: () => keyFromSeed(newSeed()),
    async fund(did, amount) {
      const [debit, credit] = [await accounts.id(accountOf.rail('push-button')), await accounts.id(`caller/${did}`)]
      await ledger.post([{ id: newId(), debit, credit, amount, code: transferCode('caller-deposit') }])
    },
  })
}

export function visitor(did: string | null, address = '127.0.0.1'): Caller {
  return { did, via: did === null ? 'none' : 'session', address }
}

function implementations(done: TestRpc['done']): Implementation<StationHouse>[] {
  return [
    implement(
      burn,
      async ({ input, meter }) => {
        meter({ cpu: BigInt(input.used) * PER_CORE_SECOND })
        if (input.fail === 'error') throw new Error('it broke')
        if (input.fail === 'refusal') return refuse('client-error/conflict', 'It would not burn.')
        return { burnt: input.used }
      },
      ({ seconds }) => ({ cpu: BigInt(seconds) * PER_CORE_SECOND }),
    ),
    implement(echo, async ({ input }) => ({ text: input.text, times: ++done.echo })),
    implement(look, async ({ input }) => input),
    implement(close, async () => ({})),
  ]
}
