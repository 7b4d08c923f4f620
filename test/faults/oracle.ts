/**
 * Whether the node kept every promise, by what its people know themselves: their file of acknowledgements, the kernel's
 * counters, what is on the machine, what visitors were shown. Of the node it asks only what any stranger may ask.
 */
import { isRefusal, methods } from '@perennial/protocol'
import type { Acknowledgements, Paid, Payment } from './acknowledgements.ts'
import type { Audit } from './audit.ts'
import { openBooks, type Row } from './books.ts'
import type { KernelCounters } from './counters.ts'
import type { Crowd } from './crowd.ts'
import { judgeMoney } from './judge-money.ts'
import { chargedMicros, chargedTwice, missingNs, type AppUsage, type CpuPrices } from './judge-usage.ts'
import { orphans, type Said } from './orphans.ts'

export interface Findings {
  /** Acknowledged and not on the books, or used and not charged. */
  readonly lost: string[]
  readonly doubled: string[]
  readonly orphans: string[]
  readonly halfMade: string[]
  /** The ledger's own rules. */
  readonly unsound: string[]
}

export interface OracleNeeds {
  readonly crowd: Crowd
  readonly file: Acknowledgements
  readonly counters: KernelCounters
  readonly audit: Audit
  readonly prices: CpuPrices
}

export interface Oracle {
  /** While everybody goes on. What was found before is not said again. */
  check(): Promise<Findings>
  /** Once everybody has left and every app is stopped: everything is on the books, and nothing is anywhere. */
  checkEnd(kills: number): Promise<Findings & { readonly missingMs: number }>
}

/**
 * Counters are read again after any kill, so no program's work is lost. What may be is the making of a sandbox that
 * its daemon's death interrupts: it never ran anything and is nobody's.
 */
const MISSED_NS_PER_KILL = 50_000_000n
const SETTLE_MS = 20_000
const ANSWER_MS = 30_000
/** Receipts asked for again after each kill: all new ones up to this, and some older ones. */
const AGAIN = 12
const AGAIN_AT_END = 60

export function openOracle({ crowd, file, counters, audit, prices }: OracleNeeds): Oracle {
  const { town, payers, deployers } = crowd
  const { node } = town
  const books = openBooks(node.client)
  const said = new Set<string>()
  const asked = new Set<string>()

  const page = async (slug: string) => {
    const found = await node.client.call(methods.apps.get, { app: slug }, { signal: AbortSignal.timeout(ANSWER_MS) })
    if (isRefusal(found)) throw new Error(found.sentence)
    return found
  }

  const ask = async (): Promise<Said> => {
    const pages = await Promise.all(town.apps.map((app) => page(app.slug)))
    const building = new Set<string>()
    for (const [place, { deployment }] of pages.entries()) {
      if (!deployment) continue
      deployers.note(town.apps[place]!, deployment.id)
      if (['fetching', 'building'].includes(deployment.status)) building.add(deployment.id)
    }
    return { building, instances: new Map(pages.map(({ slug, instances }) => [slug, instances.length])) }
  }

  const readUsage = async (): Promise<AppUsage[]> => {
    const usages: AppUsage[] = []
    for (const { name, id, slug } of town.apps)
      usages.push({ name, id, slug, rows: [...(await books.rows(`app/${id}/clearing`))] })
    return usages
  }

  const money = async (): Promise<Pick<Findings, 'lost' | 'doubled'>> => {
    // What is acknowledged by now must be on the books that are read after it.
    const payments = file.read()
    const rows: Row[] = [...(await books.rows('commons'))]
    // A payment's rows follow each other, the commons' first: what belongs to a later one is left for the next check.
    const lastSeq = (rows.at(-1)?.seq ?? 0n) + 2n
    for (const { id } of town.apps)
      for (const part of ['purse', 'reserve'])
        rows.push(...(await books.rows(`app/${id}/${part}`)).filter(({ seq }) => seq <= lastSeq))
    // And what is on the books was asked for by now.
    const { lost, doubled } = judgeMoney(withKnown(payments, file.read()), rows)
    return { lost: [...lost, ...books.vanished.splice(0)], doubled }
  }

  const receipts = async (most: number): Promise<string[]> => {
    const paid = file.read().filter((one): one is Payment & { paid: Paid } => one.paid !== null)
    const fresh = paid.filter(({ id }) => !asked.has(id)).slice(-most)
    const wrong: string[] = []
    for (const payment of [...fresh, ...paid.slice(0, 2)]) {
      asked.add(payment.id)
      const problem = await payers.again(payment)
      if (problem !== null) wrong.push(problem)
    }
    return wrong
  }

  const clearing = async (): Promise<string[]> => {
    const accounts = await Promise.all(town.apps.map(({ id }) => books.account(`app/${id}/clearing`)))
    return accounts.flatMap((one) =>
      one && one.balance !== 0n ? [`${one.name} has ${one.balance}, which belongs to nobody`] : [],
    )
  }

  const usage = async (): Promise<string[]> => {
    const usages = await readUsage()
    counters.read()
    const deployments = town.deployments.map(({ id }) => id)
    return usages.flatMap((app) => chargedTwice(app, { sandboxes: counters.sandboxes, prices, deployments }))
  }

  const news = (sentences: readonly string[]): string[] => {
    const fresh = [...new Set(sentences)].filter((one) => !said.has(one))
    for (const one of fresh) said.add(one)
    return fresh
  }

  const everything = async (again: number): Promise<Findings> => {
    const { lost, doubled } = await money()
    const wrong = await receipts(again)
    const [balances, twice, unsound] = [await clearing(), await usage(), await audit.verify()]
    return {
      lost: news([...lost, ...wrong]),
      doubled: news([...doubled, ...twice]),
      orphans: news(await orphans(node.data, { ask, settleMs: SETTLE_MS })),
      halfMade: news(town.halfMade),
      unsound: news([...unsound, ...balances]),
    }
  }

  return {
    check: () => everything(AGAIN),
    async checkEnd(kills) {
      books.forget()
      const found = await everything(AGAIN_AT_END)
      const lost: string[] = []
      const doubled: string[] = []
      let missing = 0n
      for (const app of await readUsage()) {
        const { days } = await page(app.slug)
        const cpu = days.flatMap(({ costs }) => costs.filter(({ meter }) => meter === 'cpu'))
        const [used, cost] = [
          cpu.reduce((sum, row) => sum + row.used, 0n),
          cpu.reduce((sum, row) => sum + row.cost, 0n),
        ]
        const charged = chargedMicros(app.rows, 'charge-cpu')
        if (charged !== cost)
          lost.push(`${app.name}: its page says that ${cost} were charged for CPU time, the ledger ${charged}`)
        const missed = missingNs(app, used, counters.sandboxes)
        if (missed < 0n)
          doubled.push(`${app.name}: its page shows ${used} ns of CPU time, ${-missed} more than the kernel counted`)
        missing += missed
        const purse = await books.account(`app/${app.id}/purse`)
        if (purse && purse.held !== 0n) found.unsound.push(`${purse.name}: ${purse.held} are held, and nothing runs`)
      }
      if (missing > MISSED_NS_PER_KILL * BigInt(kills))
        lost.push(`${missing} ns of CPU time that the kernel counted are on no book, after ${kills} kills`)
      return {
        ...found,
        lost: [...found.lost, ...lost],
        doubled: [...found.doubled, ...doubled],
        missingMs: Number(missing / 1_000n) / 1_000,
      }
    },
  }
}

/** Acknowledged ones as of the first reading, asked ones as of the second. */
function withKnown(first: readonly Payment[], second: readonly Payment[]): Payment[] {
  const known = new Map(first.map((payment) => [payment.id, payment]))
  return second.map((payment) => known.get(payment.id) ?? { ...payment, paid: null })
}
