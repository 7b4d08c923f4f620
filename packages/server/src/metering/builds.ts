/**
 * Paying for a build: its ceiling is held before anything is fetched, what it took is charged when it ended, however
 * it ended. The same deployment asks and settles once, however often it is told to after a kill.
 */
import type { Ledger } from '@perennial/ledger'
import { succeeded } from '@perennial/ledger'
import {
  deriveId,
  formatExact,
  HOUR_MS,
  rateCeiling,
  refuse,
  transferCode,
  type Micros,
  type PriceBook,
  type Refusal,
} from '@perennial/protocol'
import type { Services } from '../services.ts'
import { accountOf, ALLOWANCE, type AccountName, type Accounts } from './accounts.ts'
import { allowanceForBuild } from './allowance.ts'
import type { Poster } from './poster.ts'
import { buildCostSince, buildCpuOf, carryOf } from './queries/builds.ts'
import { json, writeCarries } from './queries/streams.ts'
import { answerHolds, holdById, insertHolds, insertUsage, usageById } from './queries/usage.ts'
import { priceText, rateInterval } from './rating.ts'

export interface BuildHold {
  readonly hold: string
  /** What is held: at most the ceiling; of the allowance, less if earlier builds took of it. */
  readonly micros: Micros
  /** How much CPU time that pays for: stop the build there. */
  readonly cpuNs: bigint
}

export interface BuildMeter {
  /** `cause` is the deployment's id. The whole ceiling is held, or nothing. */
  openHold(ask: { payer: AccountName; app: string; cause: string; ceiling: Micros }): Promise<BuildHold | Refusal>
  /** Charges what the build took, at most what was held, and releases the rest. Returns what was charged. */
  settleBuild(ended: { hold: string; cpuNs: bigint }): Promise<Micros>
  /** The CPU time that the allowance still gives to builds of an app, in money; 0: none. */
  allowanceForBuild(app: string): Promise<Micros>
}

/** Builds of one app may cost as much as one core for an hour, each hour. */
const BUILD_CPU_NS_PER_HOUR = 3_600_000_000_000n

export interface BuildMeterDeps {
  readonly ledger: Ledger
  readonly accounts: Accounts
  readonly priceBook: PriceBook
  /** did:key of the node. */
  readonly provider: string
  readonly post: Poster
  readonly crash: (point: string) => void
}

export function openBuildMeter(
  { database, clock }: Pick<Services, 'database' | 'clock'>,
  { ledger, accounts, priceBook, provider, post, crash }: BuildMeterDeps,
): BuildMeter & { readonly maxBuildBurn: Micros } {
  const price = priceBook.prices.build
  const maxBuildBurn = rateCeiling({ usage: BUILD_CPU_NS_PER_HOUR, price })

  const allowed = async (app: string): Promise<Micros> =>
    allowanceForBuild(priceBook, await buildCpuOf(database, ALLOWANCE, app))

  const overBudget = async (payer: AccountName, app: string, ceiling: Micros): Promise<Refusal | null> => {
    const hour = new Date(Math.floor(clock.now().getTime() / HOUR_MS) * HOUR_MS)
    const spent = await buildCostSince(database, payer, app, hour)
    if (spent + ceiling <= maxBuildBurn) return null
    return refuse(
      'request-declined/rate-limit',
      `Builds of this app may cost ${formatExact(maxBuildBurn)} an hour, and ${formatExact(spent)} of it is used. Nothing was charged.`,
      `Deploy again after ${new Date(hour.getTime() + HOUR_MS).toISOString().slice(11, 16)} UTC.`,
    )
  }

  /** Asks the ledger; also for a hold whose answer a kill swallowed. */
  const hold = async (id: string): Promise<BuildHold | Refusal> => {
    const row = await holdById(database, id)
    if (!row) throw new Error(`there is no hold ${id}`)
    if (row.amount !== null) return held(id, row.amount)
    const [result] = await ledger.post({
      id,
      kind: 'hold',
      debit: await accounts.id(row.payer),
      credit: await accounts.id(accountOf.clearing(row.app)),
      amount: row.asked,
      code: transferCode('hold'),
    })
    crash('build-hold-posted')
    if (result && succeeded(result)) {
      await answerHolds(database, [{ id, amount: row.asked }])
      return held(id, row.asked)
    }
    if (result?.status !== 'below-floor') throw new Error(`the ledger answered ${result?.status} to hold ${id}`)
    await answerHolds(database, [{ id, amount: 0n }])
    const { available } = await accounts.balance(row.payer)
    return refuse(
      'request-declined/payment-required',
      `The build may cost up to ${formatExact(row.asked)}, and ${formatExact(available)} is free for it. Nothing was charged.`,
      'Pay for the app; the build starts by itself.',
    )
  }

  const held = (id: string, micros: Micros): BuildHold => ({
    hold: id,
    micros,
    cpuNs: price.micros === 0n ? BUILD_CPU_NS_PER_HOUR : (micros * price.per) / price.micros,
  })

  return {
    maxBuildBurn,
    allowanceForBuild: allowed,
    async openHold({ payer, app, cause, ceiling }) {
      const id = deriveId('build-hold', app, cause)
      const usage = deriveId('build', app, cause)
      if (await usageById(database, usage)) throw new Error(`deployment ${cause} was settled; it cannot hold again`)
      if (!(await holdById(database, id))) {
        const asked = payer === ALLOWANCE ? smaller(ceiling, await allowed(app)) : ceiling
        if (asked <= 0n)
          return refuse(
            'request-declined/payment-required',
            ALLOWANCE_BUILT,
            'Pay for the app; the build starts by itself.',
          )
        const refused = await overBudget(payer, app, asked)
        if (refused) return refused
        const row = {
          id,
          usage,
          app,
          payer,
          cause: 'build' as const,
          place: 0,
          asked,
          askedAt: clock.now(),
          amount: null,
        }
        await insertHolds(database, [row])
        crash('build-hold-stored')
      }
      return hold(id)
    },
    async settleBuild({ hold: id, cpuNs }) {
      const row = await holdById(database, id)
      if (!row || row.amount === null) throw new Error(`nothing is held under ${id}`)
      const { app, payer, usage, askedAt, amount } = row
      if (!(await usageById(database, usage))) {
        await database.transaction(async (tx) => {
          const carry = { app, payer, meter: 'build', price: priceText(price) }
          const carried = { build: await carryOf(tx, carry) }
          const rated = rateInterval(priceBook, { build: cpuNs }, carried, amount)
          const { lines, charged, uncharged } = rated
          const times = { startedAt: askedAt, endedAt: clock.now() }
          const interval = { id: usage, app, payer, provider, cause: 'build' as const, ...times }
          await insertUsage(tx, [{ ...interval, lines, charged, uncharged, holds: [] }])
          await writeCarries(tx, json([{ ...carry, carried: rated.carried.build ?? 0n }]))
        })
        crash('build-stored')
      }
      const stored = await usageById(database, usage)
      if (!stored) throw new Error(`build ${usage} was not stored`)
      if (!stored.posted && !(await post([stored])).posted.has(usage))
        throw new Error(`the charge of build ${usage} was refused`)
      return stored.charged
    },
  }
}

const ALLOWANCE_BUILT = 'The start allowance of 5 CPU-minutes for builds is used up. Nothing was charged.'

function smaller(one: Micros, other: Micros): Micros {
  return one < other ? one : other
}
