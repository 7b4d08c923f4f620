/**
 * The state of an app follows from the ledger: its rows are read in order, and each app they touch is looked at anew.
 *
 * How far it has read is stored with what it learned, in one transaction, so a kill repeats a look and loses none.
 * Each hour every app is looked at, because a date comes nearer without any row.
 */
import type { Ledger, Row } from '@perennial/ledger'
import { HOUR_MS, permitted, RESERVE_DAYS, stateOf, TRANSFER_CODES, type State } from '@perennial/protocol'
import type { App, Apps } from '../apps/index.ts'
import type { Transaction } from '../database.ts'
import { accountOf, ALLOWANCE, type Accounts, type Metering } from '../metering/index.ts'
import { serial } from '../serial.ts'
import type { Services } from '../services.ts'
import type { Purse } from './purse.ts'
import {
  addPayments,
  addPurseDays,
  followedTo,
  setFollowed,
  wasPaid,
  writeMoney,
  type MoneyRow,
  type PaymentRow,
  type PurseRow,
} from './queries/money.ts'
import { ON_ALLOWANCE, sentenceOf } from './sentences.ts'
import { dayText } from './spending.ts'

export interface LifecycleDeps {
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly apps: Apps
  readonly metering: Pick<Metering, 'collectRent' | 'ended' | 'heldBy'>
  readonly purse: (app: string) => Promise<Purse>
  readonly crash: (point: string) => void
}

export interface Lifecycle {
  /** Reads the rows that came since. */
  follow(): Promise<void>
  /** Once an hour: looks at every app. */
  review(): Promise<void>
  /** Looks at one app now, rows or not. */
  look(app: string): Promise<void>
  /** Its payer has nothing left to hold: off it goes, whatever its balance says. */
  exhausted(app: string, sentence: string): Promise<void>
  /** Whether the start allowance would pay for a run. */
  runsOnAllowance(app: string): Promise<boolean>
}

interface Verdict {
  readonly app: string
  readonly state: State
  readonly sentence: string
  readonly money: MoneyRow
}

const FOLLOWER = 'lifecycle'
const PAGE = 1_000
const DAY_MS = 86_400_000
const PURSE = /^app\/([0-9a-f-]{36})\/(purse|reserve)$/

export async function openLifecycle(services: Services, deps: LifecycleDeps): Promise<Lifecycle> {
  const { database, clock } = services
  const { ledger, accounts, apps, metering, purse, crash } = deps
  let seq = await followedTo(database, FOLLOWER)
  let reviewedHour = 0

  /** New, nobody has paid, and what the node gives is not used up. */
  const runsOnAllowance = async (app: string): Promise<boolean> =>
    !(await wasPaid(database, app)) &&
    metering.ended(app, ALLOWANCE) === null &&
    (metering.heldBy(app, ALLOWANCE) > 0n || (await accounts.balance(ALLOWANCE)).available > 0n)

  const judge = async (app: App): Promise<Verdict> => {
    const now = clock.now()
    const has = await purse(app.id)
    const { liquid, runway, reserve, spending } = has
    const wasOff = !permitted(app.state).compute
    const offSince = now.getTime() - app.stateSince.getTime()
    const archived =
      app.state === 'archived' || (app.state === 'frozen' && offSince >= RESERVE_DAYS * DAY_MS && reserve <= 0n)
    const money: MoneyRow = {
      app: app.id,
      at: now,
      purse: has.balance,
      reserve,
      ...runway,
      costPerDay: has.costPerDay,
      dearCost: spending.dearest.cost,
      dearDays: spending.dearest.days,
    }
    const verdict = (state: State, sentence = sentenceOf(state, runway, wasOff)) => ({
      app: app.id,
      state,
      sentence,
      money,
    })
    if (liquid <= 0n && (await runsOnAllowance(app.id))) return verdict('thrifty', ON_ALLOWANCE)
    // What was stopped for want of money starts again only with money that can be held.
    if (wasOff && has.available <= 0n) return verdict(archived ? 'archived' : 'frozen')
    return verdict(stateOf({ liquid, runway, now, archived: archived && liquid <= 0n }))
  }

  /** Rent until now is owed under the old rule of who pays it: it is charged before compute goes on or off. */
  const verdictOn = async (id: string): Promise<Verdict | null> => {
    const app = await apps.find(id)
    if (!app) return null
    const first = await judge(app)
    if (permitted(first.state).compute === permitted(app.state).compute) return first
    await metering.collectRent(id)
    return judge(app)
  }

  const apply = async (tx: Transaction, { app, state, sentence, money }: Verdict): Promise<void> => {
    await apps.setState(tx, app, state, sentence)
    await writeMoney(tx, money)
  }

  /** One page of rows: what they say of purses, and what follows for their apps. */
  const followPage = async (): Promise<boolean> => {
    const rows = await ledger.after(seq, PAGE)
    const last = rows.at(-1)?.seq
    if (last === undefined) return false
    const known = new Set(await apps.ids())
    const touched = new Set(rows.flatMap(appsOf).filter((id) => known.has(id)))
    const verdicts: Verdict[] = []
    for (const id of touched) {
      const verdict = await verdictOn(id)
      if (verdict) verdicts.push(verdict)
    }
    crash('followed')
    await database.transaction(async (tx) => {
      await addPurseDays(
        tx,
        purseDaysOf(rows).filter(({ app }) => known.has(app)),
      )
      await addPayments(
        tx,
        paymentsOf(rows).filter(({ app }) => known.has(app)),
      )
      for (const verdict of verdicts) await apply(tx, verdict)
      await setFollowed(tx, FOLLOWER, last)
    })
    seq = last
    return rows.length === PAGE
  }

  /** A page of rows or an app at a time: a verdict is carried out before anything can make it old. */
  const turn = serial()

  const look = (id: string): Promise<void> =>
    turn(async () => {
      const verdict = await verdictOn(id)
      if (verdict) await database.transaction((tx) => apply(tx, verdict))
    })

  return {
    runsOnAllowance,
    look,
    async follow() {
      while (await turn(followPage));
    },
    async review() {
      const hour = Math.floor(clock.now().getTime() / HOUR_MS)
      if (hour === reviewedHour) return
      for (const id of await apps.ids()) await look(id)
      reviewedHour = hour
    },
    exhausted: (app, sentence) =>
      turn(async () => {
        // The start allowance ended, or a payment came just now: the purse takes over, and nothing freezes.
        const name = accountOf.purse(app)
        if (metering.heldBy(app, name) + (await accounts.balance(name)).available > 0n) return
        await metering.collectRent(app)
        await database.transaction((tx) => apps.setState(tx, app, 'frozen', sentence))
      }),
  }
}

function appsOf({ debit, credit }: Row): string[] {
  return [debit.name, credit.name].flatMap((name) => PURSE.exec(name)?.[1] ?? [])
}

/** The purse's balance after each of its days' last row, and what payments brought to purse and reserve. */
function purseDaysOf(rows: readonly Row[]): PurseRow[] {
  const days = new Map<string, { -readonly [K in keyof PurseRow]: PurseRow[K] }>()
  for (const row of rows) {
    for (const side of [row.debit, row.credit]) {
      const [, app, kind] = PURSE.exec(side.name) ?? []
      if (app === undefined) continue
      const day = dayText(row.at)
      const entry = days.get(`${app} ${day}`) ?? { app, day, at: row.at, balance: null, income: 0n }
      days.set(`${app} ${day}`, entry)
      if (kind === 'purse') Object.assign(entry, { at: row.at, balance: side.balance })
      if (isPayment(row)) entry.income += row.amount
    }
  }
  return [...days.values()]
}

function paymentsOf(rows: readonly Row[]): PaymentRow[] {
  return rows
    .filter((row) => row.code === TRANSFER_CODES['contribution-purse'] && isPayment(row))
    .map(({ seq, at, amount, credit }) => ({
      app: PURSE.exec(credit.name)?.[1] ?? '',
      seq,
      at,
      amount,
      balance: credit.balance,
    }))
}

function isPayment({ code, kind }: Row): boolean {
  return (
    kind === 'transfer' &&
    (code === TRANSFER_CODES['contribution-purse'] || code === TRANSFER_CODES['contribution-reserve'])
  )
}
