/**
 * How pages write dates, spans, sizes and hashes. Amounts are written by @perennial/protocol's `formatAmount` and
 * its kin; a column of them by `columnDecimals`. All times are UTC.
 */
import { formatDecimals, type Micros } from '@perennial/protocol'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
export const DAY_MS = 86_400_000
/** No-break space: between a number and its unit. */
export const NBSP = '\u00a0'

/** `21 Nov 2026` */
export function day(date: Date): string {
  return `${dayMonth(date)}${NBSP}${date.getUTCFullYear()}`
}

/** `21 Nov` */
export function dayMonth(date: Date): string {
  return `${date.getUTCDate()}${NBSP}${month(date)}`
}

export function month(date: Date): string {
  return MONTHS[date.getUTCMonth()]!
}

/** `27–30 Nov 2026`, `12 Jan – 7 Feb 2027`; both years only when they are 11 months or more apart. */
export function range(from: Date, to: Date): string {
  const months = (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth()
  if (day(from) === day(to)) return day(to)
  if (months === 0) return `${from.getUTCDate()}–${day(to)}`
  return `${months >= 11 ? day(from) : dayMonth(from)} – ${day(to)}`
}

/** `08:40` */
export function clockTime(date: Date): string {
  return date.toISOString().slice(11, 16)
}

/** `08:40:02`, for books and logs only. */
export function exactTime(date: Date): string {
  return date.toISOString().slice(11, 19)
}

/** `3.9 s`, `2 min 14 s`, `5 h 3 min` */
export function duration(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 60) return `${seconds.toFixed(1)}${NBSP}s`
  const whole = Math.floor(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)}${NBSP}min ${whole % 60}${NBSP}s`
  return `${Math.floor(whole / 3600)}${NBSP}h ${Math.floor((whole % 3600) / 60)}${NBSP}min`
}

/** `212 MB`, `8.6 MB`, `2.6 GB`: decimal units, as bills have them. */
export function bytes(size: number | bigint): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = Number(size)
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 99.5 ? value.toFixed(0) : value.toFixed(1)}${NBSP}${units[unit]}`
}

/** `41,300` */
export function count(value: number | bigint): string {
  return value.toString().replaceAll(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 payment`, `7 payments` */
export function plural(value: number | bigint, one: string, many = `${one}s`): string {
  return `${count(value)}${NBSP}${value === 1 || value === 1n ? one : many}`
}

/** Commits by their first 7 digits. */
export function commit(hash: string): string {
  return hash.slice(0, 7)
}

/** Leaves and digests: `4319dc8b44…c90a3e`. */
export function hash(text: string): string {
  return text.length <= 17 ? text : `${text.slice(0, 10)}…${text.slice(-6)}`
}

/**
 * The fewest decimals, two or more, at which these rows as shown still add up to their sum as shown. Figures are
 * cut, not rounded, so at two decimals a column may seem to lose a cent; then it gets more.
 */
export function columnDecimals(rows: readonly Micros[]): number {
  const sum = rows.reduce((total, row) => total + row, 0n)
  for (let decimals = 2; decimals < 6; decimals++) {
    const step = 10n ** BigInt(6 - decimals)
    if (rows.reduce((total, row) => total + row / step, 0n) === sum / step) return decimals
  }
  return 6
}

/**
 * As `columnDecimals`, and as many more as it takes to see two digits of a small sum and one of each row: what cost
 * anything is never shown as nothing.
 */
export function costDecimals(rows: readonly Micros[]): number {
  const sum = rows.reduce((total, row) => total + row, 0n)
  const digits = (amount: Micros, wanted: number) =>
    amount === 0n || amount >= 10_000n ? 2 : 6 - Math.max(amount.toString().length - wanted, 0)
  return Math.max(digits(sum, 2), ...rows.map((row) => digits(row, 1)), columnDecimals(rows))
}

/**
 * Means as they are shown: cut to the fewest decimals that say something of their sum, and so apportioned that the
 * column adds up. Each is off by less than one in its last place; ledger amounts are never written this way.
 */
export function addingUp(rows: readonly Micros[]): { readonly shown: readonly string[]; readonly sum: string } {
  const sum = rows.reduce((total, row) => total + row, 0n)
  const decimals = sum >= 100_000n || sum === 0n ? 2 : sum >= 1000n ? 4 : 6
  const step = 10n ** BigInt(6 - decimals)
  const cut = rows.map((row) => row / step)
  let missing = sum / step - cut.reduce((total, row) => total + row, 0n)
  const byRemainder = rows.map((row, index) => ({ index, rest: row % step })).sort((a, b) => Number(b.rest - a.rest))
  for (const { index } of byRemainder) if (missing-- > 0n) cut[index]! += 1n
  return { shown: cut.map((row) => formatDecimals(row * step, decimals)), sum: formatDecimals(sum, decimals) }
}
