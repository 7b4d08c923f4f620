/**
 * From money to pixels. Charts are drawings: here alone micros become floats, and none comes back.
 *
 * Every scale is linear and starts at zero.
 */
import { formatDecimals, type Micros } from '@perennial/protocol'

export interface Scale {
  /** Gridlines above zero, lowest first. */
  readonly steps: readonly Micros[]
  /** Pixels from the top for an amount. */
  readonly y: (amount: Micros) => number
  /** What a gridline is called: all of one scale with the same decimals. */
  readonly label: (amount: Micros) => string
}

/** A scale up to the next round step above `most`, between `top` and `bottom` pixels. */
export function scaleTo(
  most: Micros,
  { top, bottom, lines = 3 }: { top: number; bottom: number; lines?: number },
): Scale {
  const step = roundStep(most > 0n ? most / BigInt(lines) + 1n : 1_000_000n)
  const count = most > 0n ? Number((most + step - 1n) / step) : 1
  const full = Number(step) * count
  const decimals = step >= 1_000_000n ? (step % 1_000_000n === 0n ? 0 : 2) : decimalsOf(step)
  return {
    steps: Array.from({ length: count }, (_, index) => step * BigInt(index + 1)),
    y: (amount) => round(bottom - (Math.max(0, Number(amount)) / full) * (bottom - top)),
    label: (amount) => formatDecimals(amount, decimals),
  }
}

/** The smallest of 1, 2, 4, 5 × 10^n that is at least `least`. */
function roundStep(least: Micros): Micros {
  for (let power = 1n; ; power *= 10n)
    for (const digit of [1n, 2n, 4n, 5n]) if (digit * power >= least) return digit * power
}

function decimalsOf(step: Micros): number {
  let decimals = 6
  for (let rest = step; rest % 10n === 0n && decimals > 2; rest /= 10n) decimals--
  return decimals
}

/** Two decimals are finer than any screen. */
export function round(pixels: number): number {
  return Math.round(pixels * 100) / 100
}
