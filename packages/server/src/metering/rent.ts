/**
 * Rent for what an app keeps on disk, whether it runs or not: charged each day, and before compute goes on or off.
 *
 * While compute is on the purse pays, then the reserve; while it is off the reserve pays, then the commons. Who pays
 * which part is planned and stored first and posted exactly so, in one chain: if the ledger refuses it, nothing of
 * it happened and it is planned anew.
 */
import { succeeded, type Event, type Ledger } from '@perennial/ledger'
import { deriveId, permitted, rate, transferCode, type Micros, type PriceBook } from '@perennial/protocol'
import type { Apps } from '../apps/index.ts'
import type { Services } from '../services.ts'
import { accountOf, COMMONS, type AccountName, type Accounts } from './accounts.ts'
import { carryOf } from './queries/builds.ts'
import {
  insertRent,
  markRentPosted,
  rentDue,
  replanRent,
  setSize,
  sizesOf,
  takeRent,
  unpostedRent,
  type RentPlan,
} from './queries/rent.ts'
import { json, writeCarries } from './queries/streams.ts'
import { priceText } from './rating.ts'
import { serial } from '../serial.ts'

/** What apps keep on disk: images of releases, caches of their builds, volumes with databases, backups. */
export type Keeping = 'releases' | 'caches' | 'volumes' | 'backups'

export interface Rent {
  /** How much of one kind an app keeps from now on; it pays for the sum of all kinds. */
  keep(kept: { app: string; what?: Keeping; sizeBytes: number }): Promise<void>
  /** Of one kind, or of all together. */
  kept(apps: readonly string[], what?: Keeping): Promise<Map<string, bigint>>
  /** Charges it until now. */
  collectRent(app: string): Promise<void>
  /** Charges everyone who was not charged today, and posts what a kill left unposted. */
  collectDue(): Promise<void>
}

export interface RentDeps {
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly apps: Pick<Apps, 'find'>
  readonly priceBook: PriceBook
  readonly provider: string
  readonly crash: (point: string) => void
}

interface Owed extends Pick<RentPlan, 'id' | 'app' | 'provider'> {
  /** Whether the purse pays first. */
  readonly compute: boolean
  readonly micros: Micros
}

const DAY_MS = 86_400_000
const PLANS = 5
/** What was refused is posted again after this. */
const AGAIN_MS = 10 * 60_000
/** Carried remainders of rent are the app's, whoever pays it. */
const PAYER = 'rent'

export function openRent(
  { database, clock, diagnostics }: Pick<Services, 'database' | 'clock' | 'diagnostics'>,
  deps: RentDeps,
): Rent {
  const { ledger, accounts, apps, priceBook, provider, crash } = deps
  const price = priceBook.prices.disk
  const lock = serial()
  /** A sum is read and written: two kinds of one app, at once, would miss each other. */
  const sizes = serial()
  let collectedDay = 0
  let nextMs = 0
  const now = () => clock.now().getTime()

  const available = async (name: AccountName) => (await accounts.balance(name)).available

  const computes = async (app: string): Promise<boolean> => permitted((await apps.find(app))?.state ?? 'frozen').compute

  const plan = async ({ id, app, provider: paid, compute, micros }: Owed): Promise<RentPlan> => {
    let left = micros
    const take = async (name: AccountName): Promise<Micros> => {
      const has = left > 0n ? await available(name) : 0n
      const part = has < left ? has : left
      left -= part
      return part
    }
    const fromPurse = compute ? await take(accountOf.purse(app)) : 0n
    const fromReserve = await take(accountOf.reserve(app))
    const fromCommons = await take(COMMONS)
    return { id, app, provider: paid, fromPurse, fromReserve, fromCommons, uncharged: left }
  }

  const chain = async (planned: RentPlan): Promise<Event[]> => {
    const { id, app, fromPurse, fromReserve, fromCommons } = planned
    const credit = await accounts.id(accountOf.provider(planned.provider ?? provider))
    const parts = [
      { name: accountOf.purse(app), amount: fromPurse, code: transferCode('charge-disk') },
      { name: accountOf.reserve(app), amount: fromReserve, code: transferCode('rent-reserve') },
      { name: COMMONS, amount: fromCommons, code: transferCode('rent-commons') },
    ].filter(({ amount }) => amount > 0n)
    return Promise.all(
      parts.map(async ({ name, amount, code }, place) => {
        const debit = await accounts.id(name)
        return { id: deriveId('rent', id, name), debit, credit, amount, code, linked: place < parts.length - 1 }
      }),
    )
  }

  /**
   * Money may go between plan and posting; a refused chain moved nothing, so another plan may take its place.
   * False: all were refused, and it stays to be posted.
   */
  const post = async (first: RentPlan): Promise<boolean> => {
    let planned = first
    for (let plans = 0; plans < PLANS; plans++) {
      const events = await chain(planned)
      const answers = events.length > 0 ? await ledger.post(events) : []
      crash('rent-posted')
      if (answers.every(succeeded)) {
        await database.transaction((tx) => markRentPosted(tx, planned.id, clock.now()))
        return true
      }
      const { id, app, fromPurse, fromReserve, fromCommons, uncharged } = planned
      const micros = fromPurse + fromReserve + fromCommons + uncharged
      planned = await plan({ id, app, provider: planned.provider, compute: await computes(app), micros })
      await replanRent(database, planned)
    }
    diagnostics.error(`rent ${first.id} was refused ${PLANS} times; it is posted again later`, { app: first.app })
    return false
  }

  const charge = async (app: string): Promise<boolean> => {
    const compute = await computes(app)
    const planned = await database.transaction(async (tx) => {
      const { byteMs, number } = await takeRent(tx, app, now())
      if (byteMs === 0n) return null
      const carry = { app, payer: PAYER, meter: 'disk', price: priceText(price) }
      const { micros, carried } = rate({ usage: byteMs, price, carried: await carryOf(tx, carry) })
      const plans = await plan({ id: deriveId('rent', app, number.toString()), app, provider, compute, micros })
      await insertRent(tx, { ...plans, byteMs, at: clock.now() })
      await writeCarries(tx, json([{ ...carry, carried }]))
      return plans
    })
    crash('rent-stored')
    return planned === null || post(planned)
  }

  /** One app's refused rent holds up nobody else's. True: nothing was refused. */
  const collect = async (day: number): Promise<boolean> => {
    let posted = true
    for (const planned of await unpostedRent(database)) posted = (await post(planned)) && posted
    for (const app of await rentDue(database, day * DAY_MS)) posted = (await charge(app)) && posted
    return posted
  }

  return {
    keep: ({ app, what = 'releases', sizeBytes }) =>
      sizes(() => setSize(database, { app, what, sizeBytes, nowMs: now() })),
    kept: (ids, what) => sizesOf(database, ids, what),
    collectRent: (app) =>
      lock(async () => {
        // Refused: `collectDue` looks again today.
        if (!(await charge(app))) collectedDay = 0
      }),
    collectDue: () =>
      lock(async () => {
        const day = Math.floor(now() / DAY_MS)
        if (day === collectedDay || now() < nextMs) return
        if (await collect(day)) collectedDay = day
        else nextMs = now() + AGAIN_MS
      }),
  }
}
