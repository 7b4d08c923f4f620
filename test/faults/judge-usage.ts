/**
 * Whether what was charged is what the kernel counted: never more; and, once everything is posted, not less than the
 * kernel's by more than a kill may lose.
 */
import { deriveId, type Price } from '@perennial/protocol'
import type { Row } from './books.ts'
import type { Counted } from './counters.ts'

export interface AppUsage {
  readonly name: string
  readonly id: string
  readonly slug: string
  /** Of its clearing account. */
  readonly rows: readonly Row[]
}

export interface CpuPrices {
  readonly cpu: Price
  readonly build: Price
}

/** Sentences: more was charged than was used. */
export function chargedTwice(
  app: AppUsage,
  {
    sandboxes,
    prices,
    deployments,
  }: { sandboxes: ReadonlyMap<string, Counted>; prices: CpuPrices; deployments: readonly string[] },
): string[] {
  const found: string[] = []
  const charged = chargedNs(app.rows, 'charge-cpu', prices.cpu)
  const mostNs = sum(ofOwner(sandboxes, app.slug), ({ mostNs: ns }) => ns)
  if (charged > mostNs)
    found.push(`${app.name}: ${ms(charged)} of CPU time were charged, and the kernel counted ${ms(mostNs)}`)

  const builds = new Map(
    deployments.map((id) => [deriveId('charge', deriveId('build', app.id, id), 'build'), id] as const),
  )
  for (const row of app.rows.filter(({ code }) => code === 'charge-build')) {
    const deployment = builds.get(row.id)
    builds.delete(row.id)
    if (deployment === undefined) {
      found.push(`${app.name}: row ${row.seq} charges ${row.amount} for a build that nobody asked for, or again`)
      continue
    }
    const atMost = dearestAttempt(deployment, sandboxes)
    // Less than a micro of an earlier build may be carried into this one.
    const ns = nsOf(row.amount - 1n, prices.build)
    if (ns > atMost)
      found.push(`${app.name}: its build ${deployment} was charged ${ms(ns)}, and the kernel counted ${ms(atMost)}`)
  }
  return found
}

/** How much CPU time of the app's instances is on no book, at most; less than none: more is on the books than was used. */
export function missingNs(app: AppUsage, usedNs: bigint, sandboxes: ReadonlyMap<string, Counted>): bigint {
  return sum(ofOwner(sandboxes, app.slug), ({ mostNs }) => mostNs) - usedNs
}

export function chargedMicros(rows: readonly Row[], code: string): bigint {
  return sum(
    rows.filter((row) => row.code === code),
    ({ amount }) => amount,
  )
}

/** What was charged pays for at least this much: rates are rounded down, and remainders carried. */
function chargedNs(rows: readonly Row[], code: string, price: Price): bigint {
  return nsOf(chargedMicros(rows, code), price)
}

function nsOf(micros: bigint, { micros: cost, per }: Price): bigint {
  return (micros * per) / cost
}

/** An attempt that a kill cut off is not charged, whichever it was. */
function dearestAttempt(deployment: string, sandboxes: ReadonlyMap<string, Counted>): bigint {
  const attempts = new Map<string, bigint>()
  for (const [id, { owner, mostNs }] of sandboxes) {
    if (owner !== deployment) continue
    const attempt = id.replace(/-\d+$/, '')
    attempts.set(attempt, (attempts.get(attempt) ?? 0n) + mostNs)
  }
  return [...attempts.values()].reduce((most, ns) => (ns > most ? ns : most), 0n)
}

function ofOwner(sandboxes: ReadonlyMap<string, Counted>, owner: string): Counted[] {
  return [...sandboxes.values()].filter((one) => one.owner === owner)
}

function sum<T>(items: readonly T[], of: (item: T) => bigint): bigint {
  return items.reduce((total, item) => total + of(item), 0n)
}

function ms(ns: bigint): string {
  return `${Number(ns / 10_000n) / 100} ms`
}
