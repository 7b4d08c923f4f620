/**
 * Turns what HAProxy's processes count since each of them started into totals that only grow.
 *
 * A total is a base plus the last raw value of each living process. When a process is gone, or its value for an app
 * went back (the entry expired and was made anew), that last value moves into the base. What a killed process counted
 * after it was last asked is lost, and charged to nobody.
 */
import type { Count } from '../hosting/index.ts'
import type { Meter } from './observe.ts'

export interface CountRow {
  readonly app: string
  /** A HAProxy worker, by pid and start time; `` for the base. */
  readonly process: string
  readonly requests: bigint
  readonly bytesIn: bigint
  readonly bytesOut: bigint
}
type Values = Omit<CountRow, 'app' | 'process'>

const BASE = ''
const NOTHING: Values = { requests: 0n, bytesIn: 0n, bytesOut: 0n }
const MEASURES = ['requests', 'bytesIn', 'bytesOut'] as const

export class Counters {
  /** By app that was ever asked for something, then by process: the base, and the workers that live. */
  readonly #rows = new Map<string, Map<string, Values>>()
  readonly #changed = new Map<string, CountRow>()

  constructor(stored: readonly CountRow[]) {
    for (const { app, process, requests, bytesIn, bytesOut } of stored)
      this.#of(app).set(process, { requests, bytesIn, bytesOut })
  }

  /** Takes one whole answer of one process: an app that is not in it has no entry there any more. */
  observe(process: string, meters: readonly Meter[]): void {
    const seen = new Set<string>()
    for (const { app, requests, bytesIn, bytesOut } of meters) {
      seen.add(app)
      const now: Values = { requests, bytesIn, bytesOut }
      const before = this.#of(app).get(process)
      if (before && MEASURES.some((measure) => now[measure] < before[measure])) this.#fold(app, process)
      else if (before && MEASURES.every((measure) => now[measure] === before[measure])) continue
      this.#set(app, process, now)
    }
    for (const [app, rows] of this.#rows) if (!seen.has(app) && rows.has(process)) this.#fold(app, process)
  }

  /** The processes whose last values are not final yet. */
  processes(): Set<string> {
    const all = new Set([...this.#rows.values()].flatMap((rows) => [...rows.keys()]))
    all.delete(BASE)
    return all
  }

  /** This process is dead: what it counted last is final. */
  retire(process: string): void {
    for (const [app, rows] of this.#rows) if (rows.has(process)) this.#fold(app, process)
  }

  totals(): Omit<Count, 'inFlight'>[] {
    return [...this.#rows].map(([app, rows]) => ({ app, ...[...rows.values()].reduce(sum, NOTHING) }))
  }

  /** Rows to store; one without any value is to be deleted. Kept until `stored` confirms them. */
  unstored(): CountRow[] {
    return [...this.#changed.values()]
  }

  stored(rows: readonly CountRow[]): void {
    for (const row of rows) if (this.#changed.get(key(row)) === row) this.#changed.delete(key(row))
  }

  #of(app: string): Map<string, Values> {
    let rows = this.#rows.get(app)
    if (!rows) this.#rows.set(app, (rows = new Map()))
    return rows
  }

  #set(app: string, process: string, values: Values): void {
    this.#of(app).set(process, values)
    const row = { app, process, ...values }
    this.#changed.set(key(row), row)
  }

  #fold(app: string, process: string): void {
    const rows = this.#of(app)
    this.#set(app, BASE, sum(rows.get(BASE) ?? NOTHING, rows.get(process) ?? NOTHING))
    this.#set(app, process, NOTHING)
    rows.delete(process)
  }
}

const key = ({ app, process }: CountRow): string => `${app} ${process}`

function sum(a: Values, b: Values): Values {
  return { requests: a.requests + b.requests, bytesIn: a.bytesIn + b.bytesIn, bytesOut: a.bytesOut + b.bytesOut }
}
