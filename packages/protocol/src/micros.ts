/**
 * Exact money: millionths of the currency unit, as bigint. Never a float, never a rounding that is not named.
 *
 * People write `5.00`; the wire and the books say `5000000`. `parseAmount` and `formatAmount` are the only
 * places where the two meet.
 */
import { Malformed } from './malformed.ts'

/** Millionths of the currency unit. */
export type Micros = bigint

export const UNIT: Micros = 1_000_000n

/** The largest amount anything may hold: the ledger keeps balances within integers that every reader can hold exactly. */
export const MAX_MICROS: Micros = 9_000_000_000_000_000n

const MAX_TEXT_LENGTH = 24

/** Reads what a person writes: `5`, `5.00`, `0.000001`. No sign, no separators, no exponent, at most six decimals. */
export function parseAmount(text: string): Micros {
  const parts = text.length <= MAX_TEXT_LENGTH ? /^(\d{1,10})(?:\.(\d{1,6}))?$/.exec(text) : null
  if (!parts) {
    throw new Malformed(`an amount is digits with at most six decimals, such as 5.00; got ${quote(text)}`)
  }
  const amount = BigInt(parts[1]!) * UNIT + BigInt((parts[2] ?? '').padEnd(6, '0'))
  if (amount > MAX_MICROS) throw new Malformed(`an amount is at most ${formatExact(MAX_MICROS)}; got ${quote(text)}`)
  return amount
}

/** Reads the wire form: micros as decimal digits, `5000000` for 5.00. */
export function parseMicros(text: string): Micros {
  if (!/^(0|-?[1-9]\d{0,15})$/.test(text)) {
    throw new Malformed(`micros are an integer written in decimal digits; got ${quote(text)}`)
  }
  const micros = BigInt(text)
  if (micros > MAX_MICROS || micros < -MAX_MICROS) throw new Malformed(`${text} micros are more than a ledger holds`)
  return micros
}

/**
 * The fewest digits that are true: two decimals; below 0.01 two significant digits, `0.0042`.
 *
 * The rest is cut, not rounded, so that a page never shows money that is not there.
 */
export function formatAmount(amount: Micros): string {
  const size = absolute(amount)
  if (size >= 10_000n || size === 0n) return formatDecimals(amount, 2)
  const digits = size.toString()
  // 4200 micros are 0.0042: six decimals, less the digits behind the second significant one.
  const decimals = 6 - Math.max(digits.length - 2, 0)
  const text = formatDecimals(amount, decimals)
  return text.replace(/0+$/, '')
}

/** With exactly `decimals` decimals, the rest cut: for a column, whose rows share their decimals. */
export function formatDecimals(amount: Micros, decimals: number): string {
  const size = absolute(amount)
  const whole = (size / UNIT).toString().replaceAll(/\B(?=(\d{3})+$)/g, ',')
  const shown = (size % UNIT).toString().padStart(6, '0').slice(0, decimals)
  return `${amount < 0n ? MINUS : ''}${whole}${decimals > 0 ? `.${shown}` : ''}`
}

/** Every digit: at least two decimals, more only where they are not zero. For ledger rows and messages. */
export function formatExact(amount: Micros): string {
  const { head, tail } = exactParts(amount)
  return head + tail
}

/** The exact amount as a ledger row shows it: `0.05` in ink, `4583` behind it, fainter. */
export function exactParts(amount: Micros): { readonly head: string; readonly tail: string } {
  const text = formatDecimals(amount, 6)
  return { head: text.slice(0, -4), tail: text.slice(-4).replace(/0+$/, '') }
}

/** What `parseAmount` reads back to the same micros: no separators. For form fields and commands. */
export function amountText(amount: Micros): string {
  return formatExact(amount).replaceAll(',', '').replace(MINUS, '-')
}

const MINUS = '\u2212'

function absolute(amount: Micros): Micros {
  return amount < 0n ? -amount : amount
}

function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
