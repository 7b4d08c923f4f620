/** The parts of an app's page that change while one looks. */
import { formatAmount, formatExact } from '@perennial/protocol'
import { runwayChart, type RunwayChart } from '../charts/runway-chart.ts'
import { bytes, clockTime, day, dayMonth, plural } from '../format.ts'
import { html, type Content, type Html } from '../html.ts'
import type { App, Notice } from '../views.ts'
import { figures, perDay } from './figures.ts'
import { notice } from './notice.ts'
import { isGranted, runwayBasis, runwayTime } from './runway-text.ts'
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
      {
        label: 'Cost a day',
        figure: perDay(app.costPerDay),
        basis: meanBasis(app),
      },
      {
        label: 'Income a day',
        figure: formatAmount(money.incomePerDay),
        basis: `${plural(money.payments, 'payment')}, 30 days`,
      },
      { label: 'Purse', figure: formatAmount(app.purse), basis: `${charged}${unposted}` },
      {
        label: 'Reserve',
        figure: formatAmount(app.reserve),
        basis:
          money.reserveTarget === 0n
            ? 'nothing to keep yet'
            : `of ${formatAmount(money.reserveTarget)}; keeps data 30 days`,
      },
      { label: 'Can never exceed', figure: `${formatAmount(app.maxBurnPerHour)}/h`, basis: 'public maximum' },
    ],
    'figures',
  )
}

/** The first whole day is not over until the third one has begun. */
export function meanBasis({ days }: App): string {
  return days.length > 2 ? '30-day mean' : 'today so far'
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
            <td class="r">${one.memoryBytes === 0 ? '–' : bytes(one.memoryBytes)} of ${bytes(one.memoryLimitBytes)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`
}

/** The hero of the page: the day the money ends, since when it has been at an end, or that nobody has paid yet. */
export function until(app: App, now: Date): Html {
  const [label, date, basis] = hero(app, now)
  return html`<div id="until">
    <p class="label">${label}</p>
    <p class="date">${date}</p>
    <p class="small soft">${basis}</p>
  </div>`
}

function hero(app: App, now: Date): readonly [label: string, date: Content, basis: string] {
  if (isResting(app))
    return ['Not paid for since', day(app.stateSince), 'Its data is kept. Any payment starts it again.']
  if (isGranted(app))
    return [
      'Paid for until',
      'nobody has paid yet',
      'It runs on what the node gives to new apps: one CPU-minute a day. The first payment gives it more.',
    ]
  return ['Paid for until', runwayTime(app.runway, now), runwayBasis(app.runway, now)]
}

/** What a visitor has to know first; its place is there even when there is nothing to say. */
export function standing(app: App): Html {
  const said = standingNotice(app)
  return html`<div id="standing">${said === null ? null : notice(said)}</div>`
}

function standingNotice(app: App): Notice | null {
  const { deployment, state } = app
  if (deployment?.status === 'failed')
    return { tone: 'bad', fact: 'The last deployment failed.', rest: deployment.problem ?? '' }
  if (deployment?.status === 'waiting')
    return { tone: 'frozen', fact: 'Nothing is built yet.', rest: deployment.problem ?? 'It waits for its turn.' }
  if (app.stopped)
    return {
      tone: 'frozen',
      fact: 'Stopped by its admin.',
      rest: 'Its data and its money stay where they are. Only its admin can run it again.',
    }
  if (isGranted(app)) return null
  if (state === 'low')
    return {
      tone: 'low',
      fact: 'Under 14 days of money.',
      rest: 'Everything runs on. A payment from anyone adds days.',
    }
  if (state === 'thrifty')
    return {
      tone: 'thrifty',
      fact: 'Under 3 days of money.',
      rest: 'Builds, workers and timed jobs are paused, and it sleeps when it is quiet. A payment from anyone starts them again.',
    }
  return null
}

/** What the chart and its table show. */
export function balances(app: App, now: Date): RunwayChart {
  const runway = isResting(app) ? null : app.runway
  return { history: app.money.history, balance: app.purse + app.reserve, reserve: app.reserve, runway, now }
}

export function balanceChart(app: App, now: Date): Html {
  return html`<div id="chart">${runwayChart(balances(app, now))}</div>`
}

export function payHeading(app: App): Html {
  return html`<span id="pay-heading">${isResting(app) ? 'Bring it back' : 'Keep it running'}</span>`
}

export function payers({ money }: App): Html {
  return html`<span id="payers">${plural(money.payers, 'payer')}</span>`
}

export function activityLine(app: App): Html {
  return html`<p class="small soft" id="activity">${activitySentence(app)}</p>`
}

export function isResting({ state }: Pick<App, 'state'>): boolean {
  return state === 'frozen' || state === 'archived'
}
