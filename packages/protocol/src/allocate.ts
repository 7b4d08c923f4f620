/**
 * Splits an amount by shares without losing or creating a micro.
 *
 * Each payee first gets the floor of its share. The few micros left over go one each to the largest
 * remainders, ties by name, so that every node that replays the ledger pays the same people the same amounts.
 */
import { Malformed } from './malformed.ts'
import type { Micros } from './micros.ts'

/** Parts per million; the shares of one split sum to `WHOLE`. */
export const WHOLE = 1_000_000n

export interface Share {
  readonly name: string
  readonly ppm: bigint
}

export function allocate(amount: Micros, shares: readonly Share[]): Map<string, Micros> {
  check(amount, shares)
  const parts = shares.map(({ name, ppm }) => ({
    name,
    micros: (amount * ppm) / WHOLE,
    remainder: (amount * ppm) % WHOLE,
  }))
  let left = amount - parts.reduce((sum, part) => sum + part.micros, 0n)
  for (const part of [...parts].sort(byRemainderThenName)) {
    if (left === 0n) break
    part.micros += 1n
    left -= 1n
  }
  return new Map(parts.map((part) => [part.name, part.micros]))
}

function byRemainderThenName(
  one: { remainder: bigint; name: string },
  other: { remainder: bigint; name: string },
): number {
  if (one.remainder !== other.remainder) return one.remainder > other.remainder ? -1 : 1
  return one.name < other.name ? -1 : 1
}

function check(amount: Micros, shares: readonly Share[]): void {
  if (amount < 0n) throw new Malformed('an amount to split cannot be negative')
  if (shares.some(({ ppm }) => ppm < 0n)) throw new Malformed('a share cannot be negative')
  if (new Set(shares.map(({ name }) => name)).size !== shares.length) throw new Malformed('a payee is named twice')
  const sum = shares.reduce((total, { ppm }) => total + ppm, 0n)
  if (sum !== WHOLE) throw new Malformed(`shares must sum to ${WHOLE} ppm, not ${sum}`)
}
