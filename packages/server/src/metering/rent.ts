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

export interface Rent {
  /** What an app keeps from now on: all its releases and volumes together. */
  keep(kept: { app: string; sizeBytes: number }): Promise<void>
  kept(apps: readonly string[]): Promise<Map<string, bigint>>
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

const DAY_MS = 86_400_000
const PLANS = 5
/** Carried remainders of rent are the app's, whoever pays it. */
const PAYER = 'rent'

export function openRent({ database, clock }: Pick<Services, 'database' | 'clock'>, deps: RentDeps): Rent {
  const { ledger, accounts, apps, priceBook, provider, crash } = deps
  const price = priceBook.prices.disk
  const lock = serial()
  let collectedDay = 0
  const now = () => clock.now().getTime()

  const available = async (name: AccountName) => (await accounts.balance(name)).available

  const plan = async (id: string, app: string, micros: Micros): Promise<RentPlan> => {
    const compute = permitted((await apps.find(app))?.state ?? 'frozen').compute
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
    return { id, app, fromPurse, fromReserve, fromCommons, uncharged: left }
  }

  const chain = async ({ id, app, fromPurse, fromReserve, fromCommons }: RentPlan): Promise<Event[]> => {
    const credit = await accounts.id(accountOf.provider(provider))
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

  /** Money may go between plan and posting; a refused chain moved nothing, so another plan may take its place. */
  const post = async (first: RentPlan): Promise<void> => {
    let planned = first
    for (let plans = 0; plans < PLANS; plans++) {
      const events = await chain(planned)
      const answers = events.length > 0 ? await ledger.post(events) : []
      crash('rent-posted')
      if (answers.every(succeeded)) {
        await database.transaction((tx) => markRentPosted(tx, planned.id, clock.now()))
        return
      }
      const { id, app, fromPurse, fromReserve, fromCommons, uncharged } = planned
      planned = await plan(id, app, fromPurse + fromReserve + fromCommons + uncharged)
      await replanRent(database, planned)
    }
    throw new Error(`rent ${first.id} was refused ${PLANS} times: its payers' money changes too fast`)
  }

  const charge = async (app: string): Promise<void> => {
    const planned = await database.transaction(async (tx) => {
      const { byteMs, number } = await takeRent(tx, app, now())
      if (byteMs === 0n) return null
      const carry = { app, payer: PAYER, meter: 'disk', price: priceText(price) }
      const { micros, carried } = rate({ usage: byteMs, price, carried: await carryOf(tx, carry) })
      const plans = await plan(deriveId('rent', app, number.toString()), app, micros)
      await insertRent(tx, { ...plans, byteMs, at: clock.now() })
      await writeCarries(tx, json([{ ...carry, carried }]))
      return plans
    })
    crash('rent-stored')
    if (planned) await post(planned)
  }

  const finish = async (): Promise<void> => {
    for (const planned of await unpostedRent(database)) await post(planned)
  }

  return {
    keep: ({ app, sizeBytes }) => setSize(database, { app, sizeBytes, nowMs: now() }),
    kept: (ids) => sizesOf(database, ids),
    collectRent: (app) => lock(() => charge(app)),
    collectDue: () =>
      lock(async () => {
        const day = Math.floor(now() / DAY_MS)
        if (day === collectedDay) return
        await finish()
        for (const app of await rentDue(database, day * DAY_MS)) await charge(app)
        collectedDay = day
      }),
  }
}
