/**
 * A payment: the rail has it, the row says how it is split, the ledger moves it in one chain.
 *
 * The row comes first and ids are derived from the payer's own, so a payment sent twice, or cut off by a kill after
 * any step, is made once. Anyone may pay for any app, frozen and archived ones too.
 */
import { succeeded, type Event, type Ledger } from '@perennial/ledger'
import {
  deriveId,
  formatExact,
  MIN_PAYMENT,
  refuse,
  reserveTarget,
  splitPayment,
  transferCode,
  UUID,
  type Micros,
  type Parts,
  type PriceBook,
  type Refusal,
} from '@perennial/protocol'
import type { Apps } from '../apps/index.ts'
import { accountOf, COMMONS, type Accounts, type Metering } from '../metering/index.ts'
import type { Services } from '../services.ts'
import {
  contributionById,
  insertContribution,
  markContributionPosted,
  pendingReserve,
  unpostedContributions,
  type ContributionRow,
} from './queries/contributions.ts'
import { PUSH_BUTTON } from './push-button.ts'
import type { Rail } from './rail.ts'

export interface Payment {
  /** Made by the payer: a lower-case UUID. */
  readonly id: string
  readonly app: string
  readonly amount: Micros
  /** To be shown in public; nobody need give one. */
  readonly name?: string | null
  /** `push-button` if not said. */
  readonly rail?: string
  /** The payer's word for the money; checked against the rail's. */
  readonly asset?: string
  readonly caller?: string | null
}

export interface Contribution {
  readonly id: string
  readonly app: string
  readonly amount: Micros
  readonly asset: string
  readonly name: string | null
  readonly parts: Parts
  readonly at: Date
  /** Of its first transfer on the ledger. */
  readonly seq: bigint
}

export interface ContributeDeps {
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly apps: Apps
  readonly metering: Pick<Metering, 'kept'>
  readonly priceBook: PriceBook
  readonly rails: readonly Rail[]
  readonly crash: (point: string) => void
}

export interface Contribute {
  contribute(payment: Payment): Promise<Contribution | Refusal>
  /** What would become of an amount. */
  split(app: string, amount: Micros): Promise<Parts>
  /** Posts what a kill left between its row and the ledger. */
  recover(): Promise<void>
}

const LONGEST_NAME = 100

export function openContribute(services: Services, deps: ContributeDeps): Contribute {
  const { database, clock, diagnostics, events } = services
  const { ledger, accounts, apps, metering, priceBook, rails, crash } = deps

  const targetOf = async (app: string): Promise<Micros> =>
    reserveTarget(priceBook, (await metering.kept([app])).get(app) ?? 0n)

  const reserveOf = async (app: string): Promise<Micros> => (await accounts.balance(accountOf.reserve(app))).balance

  const chain = async (row: ContributionRow): Promise<Event[]> => {
    const debit = await accounts.id(accountOf.rail(row.rail))
    const parts = [
      { word: 'contribution-commons', name: COMMONS, amount: row.commons },
      { word: 'contribution-reserve', name: accountOf.reserve(row.app), amount: row.reserve },
      { word: 'contribution-purse', name: accountOf.purse(row.app), amount: row.purse },
    ] as const
    const moved = parts.filter(({ amount }) => amount > 0n)
    return Promise.all(
      moved.map(async ({ word, name, amount }, place) => {
        const id = deriveId('contribution', row.id, word)
        const linked = place < moved.length - 1
        return { id, debit, credit: await accounts.id(name), amount, code: transferCode(word), linked }
      }),
    )
  }

  const post = async (row: ContributionRow): Promise<Contribution> => {
    if (row.posted && row.seq !== null) return receipt(row, row.seq)
    diagnostics.debug('phase', { phase: 'post', app: row.app })
    const results = await ledger.post(await chain(row))
    crash('contribution-posted')
    const seq = results[0]?.seq
    if (!results.every(succeeded) || seq === undefined)
      throw new Error(`the ledger refused contribution ${row.id}: ${results.map(({ status }) => status).join(', ')}`)
    await database.transaction(async (tx) => {
      const first = await markContributionPosted(tx, row.id, clock.now(), seq)
      if (first) await events.emit(tx, 'contributed', { app: row.app, contribution: row.id })
    })
    crash('contribution-marked')
    return receipt(row, seq)
  }

  const receipt = (row: ContributionRow, seq: bigint): Contribution => {
    const { id, app, amount, name, at, commons, reserve, purse } = row
    return { id, app, amount, asset: priceBook.asset, name, parts: { commons, reserve, purse }, at, seq }
  }

  /** The same payment again, or another one under its id. */
  const again = async (row: ContributionRow, payment: Required<Payment>): Promise<Contribution | Refusal> => {
    const same =
      row.app === payment.app && row.amount === payment.amount && row.name === payment.name && row.rail === payment.rail
    if (same) return post(row)
    return refuse(
      'client-error/idempotency',
      `Payment ${row.id} was already made with other details. Nothing was paid now.`,
      'Make a new id for a new payment.',
    )
  }

  const check = async (payment: Required<Payment>): Promise<Rail | Refusal> => {
    const { amount } = payment
    if (!UUID.test(payment.id)) return invalid('A payment needs an id of its own: a lower-case UUID.')
    if (amount <= 0n) return invalid(`A payment is more than nothing; ${formatExact(amount)} was given.`)
    if (payment.name !== null && payment.name.length > LONGEST_NAME)
      return invalid(`A name has at most ${LONGEST_NAME} characters.`)
    if (!(await apps.find(payment.app)))
      return refuse(
        'client-error/not-found',
        `There is no app ${payment.app} here. Nothing was paid.`,
        'Look for it on the front page.',
      )
    const rail = rails.find(({ name }) => name === payment.rail)
    if (!rail)
      return refuse(
        'request-declined/currency-unsupported',
        `This node takes no payments by ${payment.rail}. Nothing was paid.`,
      )
    if (payment.asset !== rail.asset || rail.asset !== priceBook.asset)
      return refuse(
        'request-declined/currency-unsupported',
        `This app is paid for in ${priceBook.asset}; ${payment.asset} was offered. Nothing was paid, and nothing is converted silently.`,
        `Change it into ${priceBook.asset} first, or pay for an app that takes ${payment.asset}.`,
      )
    if (amount < MIN_PAYMENT)
      return refuse(
        'request-declined/payment/too-low',
        `The smallest payment is ${formatExact(MIN_PAYMENT)}; ${formatExact(amount)} was given. Nothing was paid.`,
        `Pay ${formatExact(MIN_PAYMENT)} or more.`,
      )
    return (await rail.receive({ id: payment.id, amount, asset: rail.asset })) ?? rail
  }

  return {
    split: async (app, amount) =>
      splitPayment({ amount, reserve: await reserveOf(app), reserveTarget: await targetOf(app) }),
    async contribute(given) {
      const defaults = { name: null, rail: PUSH_BUTTON, asset: priceBook.asset, caller: null }
      const payment: Required<Payment> = { ...defaults, ...given }
      const known = UUID.test(payment.id) ? await contributionById(database, payment.id) : undefined
      if (known) return again(known, payment)
      const checked = await check(payment)
      if ('refusal' in checked) return checked
      const { id, app, amount, name, caller } = payment
      // Asked first: a crowd of payers who each hold a connection and wait for a second one would wait for ever.
      const target = await targetOf(app)
      await database.transaction(async (tx) => {
        const pending = await pendingReserve(tx, app)
        const parts = splitPayment({ amount, reserve: pending + (await reserveOf(app)), reserveTarget: target })
        await insertContribution(tx, { id, app, amount, name, caller, rail: checked.name, at: clock.now() }, parts)
      })
      crash('contribution-stored')
      const row = await contributionById(database, id)
      if (!row) throw new Error(`contribution ${id} was not stored`)
      return again(row, payment)
    },
    async recover() {
      for (const row of await unpostedContributions(database)) await post(row)
    },
  }
}

function invalid(sentence: string): Refusal {
  return refuse('client-error/invalid-arguments', `${sentence} Nothing was paid.`)
}
