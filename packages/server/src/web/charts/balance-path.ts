/** A balance over time as a path: straight between its points, a vertical step where a payment came in. */
import type { Money } from '../views.ts'
import { round, type Scale } from './scale.ts'

type Points = Money['history']

/** The points since a day; what was before it counts as the balance at its beginning. */
export function since(history: Points, first: Date): Points {
  const before = history.findLast(({ at }) => at < first)
  const rest = history.filter(({ at }) => at >= first)
  return before ? [{ at: first, balance: before.balance }, ...rest] : rest
}

/** Nothing for one point alone: that is no line. */
export function balancePath(points: Points, { x, scale }: { x: (at: Date) => number; scale: Scale }): string {
  if (points.length < 2) return ''
  return points
    .map(({ at, balance }, index) => `${index === 0 ? 'M' : 'L'}${round(x(at))} ${scale.y(balance)}`)
    .join('')
}

/** The same path as an area down to the axis. */
export function closed(path: string, bottom: number): string {
  return `${path}V${bottom}H${/^M(\S+) /.exec(path)?.[1] ?? '0'}z`
}
