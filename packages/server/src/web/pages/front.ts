/** The front page: run an app, and the calendar of all that run. */
import { amountText, formatAmount } from '@perennial/protocol'
import { clockTime, count, day, dayMonth, NBSP, plural } from '../format.ts'
import { html, when, type Html } from '../html.ts'
import { layout } from '../layout.ts'
import { isResting } from '../parts/app-live.ts'
import { almanac } from '../parts/almanac.ts'
import { deployBox } from '../parts/deploy-box.ts'
import { figures, pairs, sectionHead, sums } from '../parts/figures.ts'
import { buys } from '../parts/pay-box.ts'
import { isUnborn } from '../parts/runway-text.ts'
import { statePill } from '../parts/state-pill.ts'
import type { AppRow, Frame, FrontView, Payment, Totals } from '../views.ts'

export function frontPage(view: FrontView, frame: Frame): Html {
  const rest = view.apps.filter(isResting)
  const alive = paidFor(view.apps)
  const body = html`<div class="grid aside">
      <div>
        <div class="intro">
          <h1>Open-source apps, kept running for as long as anyone pays for them.</h1>
          <p class="lead">
            Each app shows its code, its cost, the day its money runs out, and who paid. Anyone may pay. What is paid
            can only be spent on the app.
          </p>
        </div>
        ${deployBox(view, frame)}
      </div>
      <section class="rise" aria-labelledby="today">
        ${sectionHead({ title: 'Today', id: 'today', fact: `${day(frame.now)}, ${clockTime(frame.now)} UTC` })}${today(view.totals)}
      </section>
    </div>
    <section aria-labelledby="paid-for">
      ${sectionHead({
        title: 'How long each app is paid for',
        id: 'paid-for',
        fact:
          alive.length === 0
            ? 'Only money already paid counts.'
            : `${plural(alive.length, 'app')}, soonest to stop first. Only money already paid counts.`,
      })}${alive.length === 0 ? html`<p class="soft">No app is paid for yet. The first one starts above, with the address of any public repository.</p>` : almanac(alive, frame.now)}
    </section>
    <div class="grid halves">
      <section aria-labelledby="recent">
        ${sectionHead({ title: 'Recent contributions', id: 'recent', fact: html`<span class="dot"></span>live` })}${contributions(view.payments)}
      </section>
      <section aria-labelledby="commons">
        ${sectionHead({ title: 'The commons', id: 'commons', fact: `5${NBSP}% of every contribution` })}${commons(view.totals, frame)}
      </section>
    </div>
    ${when(rest.length > 0, () => html`<section aria-labelledby="frozen">${sectionHead({ title: 'Frozen, waiting for anyone', id: 'frozen', fact: 'Data is kept. One payment starts them again.' })}${resting(rest)}</section>`)}`
  return layout({ title: 'Open-source apps, kept running', section: 'apps', body, live: '/live' }, frame)
}

/** The rows of the almanac. */
export function paidFor(apps: readonly AppRow[]): readonly AppRow[] {
  return apps.filter((app) => !isResting(app) && !isUnborn(app))
}

/** Rows that add up: what came in is spent, given to the commons, lent to new apps, or still there for apps. */
export function today(totals: Totals): Html {
  const held = totals.paidIn - totals.spent - totals.commons - totals.allowance
  return html`<div id="today-part">
    ${pairs([
      ['Apps running', count(totals.running)],
      ['Frozen, one payment away', count(totals.frozen)],
      ['Cost of all apps', `${formatAmount(totals.costPerHour)}/h`],
    ])}${sums({
      caption: 'All money of this node',
      rows: [
        { label: 'Paid in so far', amount: totals.paidIn },
        { label: 'Spent on running', amount: -totals.spent },
        { label: 'In the commons', amount: -totals.commons },
        { label: 'Kept for new apps', amount: -totals.allowance },
      ],
      total: { label: 'Held for apps now', amount: held },
    })}
  </div>`
}

export function contributions(payments: readonly Payment[]): Html {
  if (payments.length === 0)
    return html`<p class="soft" id="contributions">No payments yet. The first one will stand here.</p>`
  return html`<table id="contributions">
    <thead>
      <tr>
        <th scope="col">Time</th>
        <th scope="col" class="r">Amount</th>
        <th scope="col">To</th>
        <th scope="col">From</th>
        <th scope="col" class="wide">Buys</th>
      </tr>
    </thead>
    <tbody>
      ${payments.map(
        ({ at, amount, app, name, buysSeconds }) =>
          html`<tr>
            <td class="soft nowrap"><time datetime="${at.toISOString()}">${dayMonth(at)}, ${clockTime(at)}</time></td>
            <td class="r in">${formatAmount(amount)}</td>
            <td><a href="/${app.slug}">${app.name}</a></td>
            <td class="any">${name ?? 'anonymous'}</td>
            <td class="wide">${buys({ buysSeconds }, false)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`
}

function commons(totals: Totals, frame: Frame): Html {
  return html`${figures([
      { label: 'Balance', figure: formatAmount(totals.commons), basis: 'from contributions' },
      { label: 'For new apps', figure: formatAmount(totals.allowance), basis: 'given by the operator' },
      { label: 'Each new app gets', figure: formatAmount(totals.allowancePerApp), basis: 'once, to start with' },
    ])}
    <p class="soft">
      The commons keeps the data of apps whose reserve is spent. <a href="/ledger/commons">Every entry of it</a> is
      public, and so is <a href="/ledger/allowance">what new apps were given</a>. Amounts in ${frame.asset}.
    </p>`
}

function resting(apps: readonly AppRow[]): Html {
  return html`<table>
    <thead>
      <tr>
        <th scope="col">App</th>
        <th scope="col">State</th>
        <th scope="col" class="wide">Since</th>
        <th scope="col" class="r wide">Cost a day when running</th>
        <th scope="col" class="r">Bring it back</th>
      </tr>
    </thead>
    <tbody>
      ${apps.map(
        (app) =>
          html`<tr>
            <th scope="row">
              <a href="/${app.slug}">${app.name}</a> <span class="small soft">${app.owner}</span
              ><small>${app.description}</small>
            </th>
            <td>${statePill(app)}</td>
            <td class="wide">${dayMonth(app.stateSince)}</td>
            <td class="r wide">${app.costPerDay === null ? '–' : formatAmount(app.costPerDay)}</td>
            <td class="r">${thaw(app)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`
}

function thaw(app: AppRow): Html {
  const words = app.offer === null ? 'Pay' : `${formatAmount(app.offer.amount)} = ${buys(app.offer, false)}`
  return html`<a
    class="button"
    href="/${app.slug}${app.offer === null ? '' : `?amount=${amountText(app.offer.amount)}`}#pay"
    aria-label="Pay for ${app.name}: ${words}"
    >${words}</a
  >`
}
