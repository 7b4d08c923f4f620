/**
 * Sixty days of balance behind today, ninety ahead: where the money came from and the days between which it ends.
 *
 * From today's dot a cone runs to both dates at the height of the reserve. A payment is a vertical step.
 */
import { formatAmount, type Micros } from '@perennial/protocol'
import { clockTime, day, dayMonth, DAY_MS } from '../format.ts'
import { html, when, type Html } from '../html.ts'
import type { Money, Runway } from '../views.ts'
import { paidUntil } from '../parts/runway-text.ts'
import { balancePath, closed, since } from './balance-path.ts'
import { round, scaleTo, type Scale } from './scale.ts'

const HEIGHT = 318
const TOP = 24
const BOTTOM = 286
const BACK_DAYS = 60
const AHEAD_DAYS = 90
const TODAY = (BACK_DAYS / (BACK_DAYS + AHEAD_DAYS)) * 1000
/** A share of the height below which there is no room for the reserve's name. */
const ROOM_FOR_NAME = 24

export interface RunwayChart {
  /** Oldest first; a payment is two points at one moment. */
  readonly history: Money['history']
  readonly balance: Micros
  readonly reserve: Micros
  /** Null when it is not running: there is no cone then. */
  readonly runway: Runway | null
  readonly now: Date
}

export function runwayChart(chart: RunwayChart): Html {
  const { history, balance, reserve, runway, now } = chart
  const shown = since(history, new Date(now.getTime() - BACK_DAYS * DAY_MS))
  const most = shown.reduce((top, point) => (point.balance > top ? point.balance : top), balance)
  const scale = scaleTo(most, { top: TOP, bottom: BOTTOM })
  const path = balancePath([...shown, { at: now, balance }], { x: (at) => x(at.getTime() - now.getTime()), scale })
  const label = `Balance of the last ${BACK_DAYS} days, ${formatAmount(balance)} today; ${runway ? `paid until ${paidUntil(runway, now)}` : 'not running'}`
  return html`<svg class="chart" width="100%" height="${HEIGHT}" role="img" aria-label="${label}">
    ${scale.steps.map((step) => html`<line class="gridline" x2="100%" y1="${scale.y(step)}" y2="${scale.y(step)}" />`)}
    <svg viewBox="0 0 1000 ${HEIGHT}" width="100%" height="${HEIGHT}" preserveAspectRatio="none">
      ${
        path === '' ? null : html`<path class="area" d="${closed(path, BOTTOM)}" />`
      }${when(reserve > 0n, () => html`<rect class="reserve" width="1000" y="${scale.y(reserve)}" height="${round(BOTTOM - scale.y(reserve))}" />`)}${
        path === '' ? null : html`<path class="line" vector-effect="non-scaling-stroke" d="${path}" />`
      }${when(runway, (shown) => cone(shown, { balance, reserve, now, scale }))}
    </svg>
    ${when(reserve > 0n && scale.y(reserve) > TOP + ROOM_FOR_NAME, () => html`<text x="3%" y="${scale.y(reserve) - 6}">reserve ${formatAmount(reserve)}, keeps the data</text>`)}
    ${scale.steps.map((step) => html`<text y="${scale.y(step) - 5}">${scale.label(step)}</text>`)}
    <line class="axis" x2="100%" y1="${BOTTOM}" y2="${BOTTOM}" />
    <line class="today" x1="${TODAY / 10}%" x2="${TODAY / 10}%" y1="8" y2="${BOTTOM}" />
    <circle class="solid" cx="${TODAY / 10}%" cy="${scale.y(balance)}" r="4.5" />
    <svg x="${TODAY / 10}%" overflow="visible">
      <text class="now" x="9" y="${Math.max(20, scale.y(balance) - 8)}">${formatAmount(balance)} today</text>
    </svg>
    ${dates(runway, now)}
  </svg>`
}

/** What the chart shows, row by row: each payment, and the balance once a week. For whoever wants the figures. */
export function runwayTable({ history, balance, runway, now }: RunwayChart): Html {
  const rows = history
    .map((point, index) => ({ ...point, paid: paidAt(history, index) }))
    .filter(({ paid }, index) => paid > 0n || index % 7 === 0)
    .toReversed()
    .slice(0, 60)
  return html`<details>
    <summary>The same as a table</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Balance over time">
      <table>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col" class="r">Paid in</th>
            <th scope="col" class="r">Balance</th>
          </tr>
        </thead>
        <tbody>
          ${when(
            runway,
            (shown) =>
              html`<tr>
                <td>paid until ${paidUntil(shown, now)}</td>
                <td></td>
                <td></td>
              </tr>`,
          )}
          <tr>
            <td>${day(now)}, ${clockTime(now)}, now</td>
            <td></td>
            <td class="r">${formatAmount(balance)}</td>
          </tr>
          ${rows.map(
            (row) =>
              html`<tr>
                <td>${day(row.at)}, ${clockTime(row.at)}</td>
                <td class="r in">${row.paid > 0n ? formatAmount(row.paid) : null}</td>
                <td class="r">${formatAmount(row.balance)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`
}

/** A rise between two points of one moment is a payment. */
function paidAt(history: Money['history'], index: number): Micros {
  const [before, point] = [history[index - 1], history[index]!]
  return before && before.at.getTime() === point.at.getTime() && point.balance > before.balance
    ? point.balance - before.balance
    : 0n
}

interface Drawn {
  readonly balance: Micros
  readonly now: Date
  readonly scale: Scale
}

function cone(runway: Runway, { balance, reserve, now, scale }: Drawn & { reserve: Micros }): Html {
  const from = scale.y(balance)
  const foot = scale.y(reserve)
  // The end of a line towards a date: at the reserve if the date is on the chart, else where it leaves it.
  const end = (atMs: number | null): [number, number] => {
    if (atMs === null) return [1000, from]
    const days = Math.max(0, (atMs - now.getTime()) / DAY_MS)
    if (days <= AHEAD_DAYS) return [x(days * DAY_MS), foot]
    return [1000, round(from + (foot - from) * (AHEAD_DAYS / days))]
  }
  const early = runway.earliest?.getTime() ?? null
  const late = runway.latest?.getTime() ?? null
  const [ex, ey] = end(early)
  const [lx, ly] = end(late)
  const [mx, my] = end(early === null || late === null ? null : (early + late) / 2)
  const corner = lx === 1000 && ex < 1000 ? `L1000 ${ly}L1000 ${foot}L${ex} ${ey}` : `L${lx} ${ly}L${ex} ${ey}`
  const middle =
    early !== null && late !== null
      ? html`<path class="line" vector-effect="non-scaling-stroke" d="M${TODAY} ${from}L${mx} ${my}" />`
      : null
  return html`<path class="cone" d="M${TODAY} ${from}${corner}z" /><path
      class="cone-edge"
      vector-effect="non-scaling-stroke"
      d="M${ex} ${ey}L${TODAY} ${from}L${lx} ${ly}"
    />${middle}`
}

/** Dates under the axis; those of the end are bold. One that would touch its neighbour is left to the heading. */
function dates(runway: Runway | null, now: Date): Html {
  const at = (days: number) => new Date(now.getTime() + days * DAY_MS)
  const ends = [runway?.earliest, runway?.latest]
    .filter((date) => date !== null && date !== undefined)
    .map((date) => ({ date, left: x(date.getTime() - now.getTime()) / 10 }))
    .filter(({ left }, index, all) => left <= 98 && left >= TODAY / 10 + 9 && (index === 0 || left - all[0]!.left > 9))
  const spare = ends.length === 0 ? [{ date: at(45), left: x(45 * DAY_MS) / 10 }] : []
  return html`<text y="306">${dayMonth(at(-BACK_DAYS))}</text
    ><text class="mid" x="20%" y="306">${dayMonth(at(-BACK_DAYS / 2))}</text>
    <text class="mid now" x="${TODAY / 10}%" y="306">${dayMonth(now)}</text>
    ${ends.map(({ date, left }) => html`<line class="axis" x1="${left}%" x2="${left}%" y1="${BOTTOM}" y2="${BOTTOM + 5}" /><text class="${left > 94 ? 'end' : 'mid'} now" x="${left > 94 ? 100 : left}%" y="306">${dayMonth(date)}</text>`)}
    ${spare.map(({ date, left }) => html`<text class="mid" x="${left}%" y="306">${dayMonth(date)}</text>`)}`
}

function x(fromNowMs: number): number {
  return round(TODAY + (fromNowMs / DAY_MS / (BACK_DAYS + AHEAD_DAYS)) * 1000)
}
