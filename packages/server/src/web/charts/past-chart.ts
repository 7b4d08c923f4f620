/** How an app that stands still got here: sixty days of balance up to today, and since when it stands. */
import { formatAmount, type Micros } from '@perennial/protocol'
import { day, dayMonth, DAY_MS } from '../format.ts'
import { html, when, type Html } from '../html.ts'
import type { Money } from '../views.ts'
import { balancePath, closed, since } from './balance-path.ts'
import { round, scaleTo } from './scale.ts'

const HEIGHT = 164
const TOP = 22
const BOTTOM = 134
const DAYS = 60

export interface PastChart {
  readonly history: Money['history']
  readonly balance: Micros
  /** Since when it stands still. */
  readonly still: Date
  readonly word: string
  readonly now: Date
}

export function pastChart({ history, balance, still, word, now }: PastChart): Html {
  const first = new Date(now.getTime() - DAYS * DAY_MS)
  const points = [...since(history, first), { at: now, balance }]
  const scale = scaleTo(
    points.reduce((most, point) => (point.balance > most ? point.balance : most), 0n),
    { top: TOP, bottom: BOTTOM, lines: 2 },
  )
  const x = (at: Date) => Math.max(0, ((at.getTime() - first.getTime()) / (DAYS * DAY_MS)) * 1000)
  const path = balancePath(points, { x, scale })
  const from = round(x(still))
  return html`<svg
    class="chart"
    width="100%"
    height="${HEIGHT}"
    role="img"
    aria-label="Balance of the last ${DAYS} days; ${word} since ${day(still)}, ${formatAmount(balance)} left"
  >
    ${scale.steps.map((step) => html`<line class="gridline" x2="100%" y1="${scale.y(step)}" y2="${scale.y(step)}" />`)}
    <svg viewBox="0 0 1000 ${HEIGHT}" width="100%" height="${HEIGHT}" preserveAspectRatio="none">
      ${when(
        path !== '',
        () =>
          html`<path class="area" d="${closed(path, BOTTOM)}" /><path
              class="line"
              vector-effect="non-scaling-stroke"
              d="${path}"
            />`,
      )}
      <rect class="reserve" x="${from}" width="${round(1000 - from)}" y="0" height="${BOTTOM}" />
    </svg>
    ${scale.steps.map((step) => html`<text y="${scale.y(step) - 5}">${scale.label(step)}</text>`)}
    <line class="axis" x2="100%" y1="${BOTTOM}" y2="${BOTTOM}" />
    <text y="${BOTTOM + 20}">${dayMonth(first)}</text>
    <text class="end now" x="100%" y="${BOTTOM + 20}">${word} ${dayMonth(still)}</text>
  </svg>`
}
