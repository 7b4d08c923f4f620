/** Cost and income per day: the charts, and beside them the mean day in figures that add up. */
import { formatAmount, METERS, type Meter } from '@perennial/protocol'
import { costStack, incomeBars } from '../charts/cost-stack.ts'
import { addingUp, bytes, count, day, duration, plural } from '../format.ts'
import { html, type Html } from '../html.ts'
import type { App, Frame } from '../views.ts'
import { sectionHead } from './figures.ts'

const DAY_MS = 86_400_000n

export function costAndIncome(app: App, frame: Frame): Html {
  const head = sectionHead({
    title: 'Cost and income per day',
    id: 'costs',
    fact: `${plural(app.days.length, 'day')} to ${day(frame.now)}, ${frame.asset}`,
  })
  const cost = app.days.some(({ costs }) => costs.some((one) => one.cost > 0n))
  const income = app.days.some((one) => one.income > 0n)
  return html`<section aria-labelledby="costs">
    ${head}
    <div class="grid ${cost ? 'charted' : ''}">
      <div class="stack">
        ${
          cost
            ? html`<h3>Cost, by kind</h3>
                ${costStack(app.days)}`
            : html`<p class="soft">No cost yet. Charges are posted each full hour, and stand here day by day.</p>`
        }
        ${
          income
            ? html`<h3>Income, after the commons’ share</h3>
                ${incomeBars(app.days)}`
            : null
        }
      </div>
      ${cost ? html`<div>${meanDay(app)}</div>` : null}
    </div>
  </section>`
}

function meanDay(app: App): Html {
  const costs = METERS.map((meter) => app.costs.find((one) => one.meter === meter) ?? { meter, used: 0n, cost: 0n })
  const { shown, sum } = addingUp(costs.map(({ cost }) => cost))
  return html`<table class="sums">
      <caption>
        Mean per day
      </caption>
      <thead>
        <tr>
          <th scope="col">Kind</th>
          <th scope="col">Used</th>
          <th scope="col" class="r">Cost</th>
        </tr>
      </thead>
      <tbody>
        ${costs
          .map(
            ({ meter, used }, index) =>
              html`<tr>
                <th scope="row"><span class="swatch kind-${meter}"></span>${meter}</th>
                <td class="small soft">${usedADay(meter, used)}</td>
                <td class="r">${shown[index]}</td>
              </tr>`,
          )
          .toReversed()}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">Cost</th>
          <td></td>
          <td class="r">${sum}</td>
        </tr>
      </tfoot>
    </table>
    <table>
      <caption class="news">
        Mean income per day
      </caption>
      <tbody>
        <tr>
          <th scope="row"><span class="swatch kind-income"></span>Income</th>
          <td class="r in">${formatAmount(app.money.incomePerDay)}</td>
        </tr>
      </tbody>
    </table>`
}

/** What a day's cost was made of, in units that people use. */
export function usedADay(meter: Meter, used: bigint): string {
  switch (meter) {
    case 'cpu':
    case 'build':
      return used === 0n ? 'none' : `${duration(Number(used / 1_000_000n))} of one core`
    case 'memory':
      return `${bytes(used / DAY_MS)} mean`
    case 'disk':
      return bytes(used / DAY_MS)
    case 'egress':
      return bytes(used)
    case 'requests':
      return count(used)
  }
}
