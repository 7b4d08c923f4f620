/** Cost per day by kind, thirty bars; income is a chart of its own below, never a second axis. */
import { METERS, type Micros } from '@perennial/protocol'
import { dayMonth } from '../format.ts'
import { html, type Html } from '../html.ts'
import type { DayCost } from '../views.ts'
import { round, scaleTo } from './scale.ts'

const DAYS = 30
/** Bars stand right of 10 %, where the scale is written; 3 % for each day, 2.4 % of it bar. */
const LEFT = 10
const STEP = 3
const BAR = 2.4
const GAP = 0.8

export function costStack(days: readonly DayCost[]): Html {
  const shown = days.slice(-DAYS)
  const sums = shown.map(({ costs }) => costs.reduce((sum, { cost }) => sum + cost, 0n))
  return frame({
    height: 190,
    label: `Cost by kind for each of ${shown.length} days`,
    most: largest(sums),
    shown,
    draw: (dayCost, left, y) => {
      let from = 0n
      return METERS.map((meter) => {
        const cost = dayCost.costs.find((one) => one.meter === meter)?.cost ?? 0n
        const bottom = y(from)
        from += cost
        const height = bottom - y(from)
        if (height < 0.2) return null
        return html`<rect
          class="kind kind-${meter}"
          x="${left}%"
          width="${BAR}%"
          y="${y(from)}"
          height="${round(height > 2 ? height - GAP : height)}"
        />`
      })
    },
  })
}

export function incomeBars(days: readonly DayCost[]): Html {
  const shown = days.slice(-DAYS)
  return frame({
    height: 104,
    label: `Income after the commons’ share for each of ${shown.length} days`,
    most: largest(shown.map(({ income }) => income)),
    shown,
    draw: ({ income }, left, y) =>
      income > 0n
        ? html`<rect
            class="kind kind-income"
            x="${left}%"
            width="${BAR}%"
            y="${y(income)}"
            height="${round(y(0n) - y(income))}"
          />`
        : null,
  })
}

interface Frame {
  readonly height: number
  readonly label: string
  readonly most: Micros
  readonly shown: readonly DayCost[]
  readonly draw: (day: DayCost, left: number, y: (amount: Micros) => number) => Html | null | (Html | null)[]
}

function frame({ height, label, most, shown, draw }: Frame): Html {
  const bottom = height - 26
  const scale = scaleTo(most, { top: 10, bottom, lines: height > 150 ? 4 : 2 })
  const offset = LEFT + (DAYS - shown.length) * STEP
  return html`<svg class="chart" width="100%" height="${height}" role="img" aria-label="${label}">
    ${scale.steps.map((step) => html`<line class="gridline" x1="${LEFT}%" x2="100%" y1="${scale.y(step)}" y2="${scale.y(step)}" /><text class="end" x="${LEFT - 1}%" y="${scale.y(step) + 4}">${scale.label(step)}</text>`)}
    ${shown.map((one, index) => draw(one, round(offset + index * STEP), (amount) => scale.y(amount)))}
    <line class="axis" x1="${LEFT}%" x2="100%" y1="${bottom}" y2="${bottom}" />
    ${shown.map((one, index) =>
      (shown.length - 1 - index) % 7 === 0
        ? html`<text
            class="${index === shown.length - 1 ? 'end' : 'mid'}"
            x="${index === shown.length - 1 ? 100 : round(offset + index * STEP + BAR / 2)}%"
            y="${height - 8}"
            >${dayMonth(new Date(one.day))}</text
          >`
        : null,
    )}
  </svg>`
}

function largest(amounts: readonly Micros[]): Micros {
  return amounts.reduce((most, amount) => (amount > most ? amount : most), 0n)
}
