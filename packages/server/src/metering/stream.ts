/**
 * What one payer owes for one app: an interval that is open, the sandboxes counted in it, and what is held for it.
 *
 * Lives in memory and is stored as a whole (store.ts); closing an interval is one synchronous step, so what a
 * reading adds lands either before it or after it.
 */
import { deriveId, HOUR_MS, type Micros, type PriceBook } from '@perennial/protocol'
import type { AccountName } from './accounts.ts'
import type { Mark, RunUsage } from './advance.ts'
import { costSoFar, rateInterval, type Carried, type Line } from './rating.ts'

export interface Hold {
  readonly id: string
  readonly asked: Micros
  /** What the ledger held; null: asked, and not yet answered. */
  amount: Micros | null
}

export interface Stream {
  readonly app: string
  readonly payer: AccountName
  /** Of the open interval, or of the next one. */
  number: bigint
  startedMs: number | null
  used: RunUsage
  carried: Carried
  /** By sandbox. The map's order is that of attaching. */
  readonly marks: Map<string, Mark>
  /** Detached, and still in the database. */
  readonly gone: Set<string>
  holds: Hold[]
  /** Hours since 1970. */
  chargedHour: number
  chargedInHour: Micros
  usedDay: string
  cpuInDay: bigint
  /** Not stored as it is. */
  dirty: boolean
  /** To be closed whatever the time is. */
  force: boolean
  /** When its last sandbox was detached. */
  quietSinceMs: number | null
  /** The payer had nothing left when it was asked last. */
  dry: boolean
  nextAskMs: number
  nextWarningMs: number
}

/** A closed interval, on its way into the books. */
export interface Closed {
  readonly id: string
  readonly app: string
  readonly payer: AccountName
  /** did:key of who is paid. Null: an older version stored it. */
  readonly provider: string | null
  readonly cause: 'run' | 'build'
  readonly startedAt: Date
  readonly endedAt: Date
  readonly lines: readonly Line[]
  readonly charged: Micros
  readonly uncharged: Micros
  readonly holds: readonly { readonly id: string; readonly amount: Micros }[]
}

export function newStream(app: string, payer: AccountName): Stream {
  return {
    app,
    payer,
    number: 1n,
    startedMs: null,
    used: unused(),
    carried: {},
    marks: new Map(),
    gone: new Set(),
    holds: [],
    chargedHour: 0,
    chargedInHour: 0n,
    usedDay: '',
    cpuInDay: 0n,
    dirty: false,
    force: false,
    quietSinceMs: null,
    dry: false,
    nextAskMs: 0,
    nextWarningMs: 0,
  }
}

export function unused(): RunUsage {
  return { cpu: 0n, memory: 0n, disk: 0n, egress: 0n, requests: 0n }
}

export function intervalId({ app, payer, number }: Pick<Stream, 'app' | 'payer' | 'number'>): string {
  return deriveId('usage', app, payer, number.toString())
}

export function heldFor(stream: Stream): Micros {
  return stream.holds.reduce((sum, hold) => sum + (hold.amount ?? 0n), 0n)
}

export function projected(stream: Stream, book: PriceBook): Micros {
  return costSoFar(book, stream.used, stream.carried)
}

/** As `close` will count it: an interval that began before midnight is yesterday's. */
export function cpuToday({ startedMs, usedDay, cpuInDay, used }: Stream, nowMs: number): bigint {
  const today = dayOf(nowMs)
  const open = startedMs === null || dayOf(startedMs) === today ? used.cpu : 0n
  return (usedDay === today ? cpuInDay : 0n) + open
}

/** What may still be held for the open interval before its hours have cost the maximum burn. */
export function burnLeft(stream: Stream, maxBurnPerHour: Micros, nowMs: number): Micros {
  const startedMs = stream.startedMs ?? nowMs
  // A node that was away closes an interval late: it then stands for as many hours as it crossed.
  const hours = Math.max(1, hourOf(nowMs) - hourOf(startedMs))
  const charged = stream.chargedHour === hourOf(startedMs) ? stream.chargedInHour : 0n
  return maxBurnPerHour * BigInt(hours) - charged - heldFor(stream)
}

/** Ends the open interval and begins the next one. Null: nothing was used and nothing is held. */
export function close(stream: Stream, book: PriceBook, nowMs: number): Omit<Closed, 'provider'> | null {
  const { app, payer, startedMs, used } = stream
  if (startedMs === null) return null
  stream.force = false
  stream.dirty = true
  stream.startedMs = stream.marks.size > 0 ? nowMs : null
  const holds = stream.holds.map(({ id, amount }) => ({ id, amount: amount ?? 0n })).filter(({ amount }) => amount > 0n)
  const { lines, charged, uncharged, carried } = rateInterval(book, { ...used }, stream.carried, heldFor(stream))
  if (lines.length === 0 && holds.length === 0) return null
  const id = intervalId(stream)
  Object.assign(stream, { number: stream.number + 1n, used: unused(), carried, holds: [] })
  remember(stream, { startedMs, charged, cpu: used.cpu })
  const [startedAt, endedAt] = [new Date(startedMs), new Date(Math.max(startedMs, nowMs))]
  return { id, app, payer, cause: 'run', startedAt, endedAt, lines, charged, uncharged, holds }
}

/** An interval counts for the hour and the day in which it began. */
function remember(stream: Stream, interval: { startedMs: number; charged: Micros; cpu: bigint }): void {
  const [hour, day] = [hourOf(interval.startedMs), dayOf(interval.startedMs)]
  stream.chargedInHour = (stream.chargedHour === hour ? stream.chargedInHour : 0n) + interval.charged
  stream.cpuInDay = (stream.usedDay === day ? stream.cpuInDay : 0n) + interval.cpu
  stream.chargedHour = hour
  stream.usedDay = day
}

/** Hours since 1970. */
export function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS)
}

/** 2026-11-21, in UTC. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
