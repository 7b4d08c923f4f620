/** The parts of an app's page that change while one looks. */
import { formatAmount, formatExact } from '@perennial/protocol'
import { bytes, clockTime, day, dayMonth } from '../format.ts'
import { html, type Html } from '../html.ts'
import type { App } from '../views.ts'
import { figures, perDay } from './figures.ts'
import { runwayBasis, runwayTime } from './runway-text.ts'
import { activitySentence, statePill } from './state-pill.ts'

export function stateHead(app: App): Html {
  return html`<div class="title" id="head">
    <h1>${app.name}</h1>
    ${statePill(app)}<a class="button" href="${app.url}">Open ${app.name}</a>
  </div>`
}

export function moneyFigures(app: App, now: Date): Html {
  const { money } = app
  const charged =
    money.chargedTo === null
      ? 'nothing charged yet'
      : `charged to ${money.chargedTo.getTime() < now.getTime() - 86_400_000 ? `${dayMonth(money.chargedTo)}, ` : ''}${clockTime(money.chargedTo)}`
  const unposted = money.unposted > 0n ? `, ${formatExact(money.unposted)} since` : ''
  return figures(
    [
      { label: 'Cost a day', figure: perDay(app.costPerDay), basis: '30-day mean' },
      { label: 'Income a day', figure: formatAmount(money.incomePerDay), basis: `${money.payments} payments, 30 days` },
      { label: 'Purse', figure: formatAmount(app.purse), basis: `${charged}${unposted}` },
      {
        label: 'Reserve',
        figure: formatAmount(app.reserve),
        basis: `of ${formatAmount(money.reserveTarget)}; keeps data 30 days`,
      },
      { label: 'Can never exceed', figure: `${formatAmount(app.maxBurnPerHour)}/h`, basis: 'public maximum' },
    ],
    'figures',
  )
}

export function instances(app: App): Html {
  if (app.instances.length === 0) return html`<p class="soft" id="instances-part">No instance is running.</p>`
  return html`<table id="instances-part">
    <thead>
      <tr>
        <th scope="col">Process</th>
        <th scope="col">State</th>
        <th scope="col">Since</th>
        <th scope="col" class="r">Memory</th>
      </tr>
    </thead>
    <tbody>
      ${app.instances.map(
        (one) =>
          html`<tr>
            <td>
              ${one.process}${one.release === null ? null : html` <span class="soft">release ${one.release}</span>`}
            </td>
            <td>${one.activity}</td>
            <td class="nowrap">${dayMonth(one.since)}, ${clockTime(one.since)}</td>
            <td class="r">${bytes(one.memoryBytes)} of ${bytes(one.memoryLimitBytes)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`
}

/** The hero of the page: the day the money ends, or since when it has been at an end. */
export function until(app: App, now: Date): Html {
  const resting = isResting(app)
  return html`<div id="until">
    <p class="label">${resting ? 'Not paid for since' : 'Paid for until'}</p>
    <p class="date">${resting ? day(app.stateSince) : runwayTime(app.runway, now)}</p>
    <p class="small soft">
      ${resting ? 'Its data is kept. Any payment starts it again.' : runwayBasis(app.runway, now)}
    </p>
  </div>`
}

export function activityLine(app: App): Html {
  return html`<p class="small soft" id="activity">${activitySentence(app)}</p>`
}

export function isResting({ state }: Pick<App, 'state'>): boolean {
  return state === 'frozen' || state === 'archived'
}
