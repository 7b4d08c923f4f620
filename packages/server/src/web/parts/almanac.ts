/** The planting calendar: one row an app on one axis of half a year, soonest to stop first. */
import { formatAmount } from '@perennial/protocol'
import { hatches, runwayBar, runwayScale } from '../charts/runway-bar.ts'
import { sparkline } from '../charts/sparkline.ts'
import { html, type Html } from '../html.ts'
import type { AppRow } from '../views.ts'
import { daysLeft, isGranted, runwayTime } from './runway-text.ts'
import { statePill } from './state-pill.ts'

export function almanac(apps: readonly AppRow[], now: Date): Html {
  return html`${hatches()}
    <div class="scale" aria-hidden="true">
      <span>App</span><span>State</span><span>30 days</span><span class="r">Cost a day</span>${runwayScale(now)}<span
        >Paid for until</span
      ><span></span>
    </div>
    <ol class="almanac" id="almanac">
      ${apps.map((app) => row(app, now))}
    </ol>
    <ul class="key">
      <li>${sample('solid')}paid for, even at the highest recent cost</li>
      <li>${sample('hatched')}paid for at the lowest recent cost</li>
      <li>${sample('tints')}under 14 days: low; under 3: thrifty</li>
    </ul>`
}

export function almanacRows(apps: readonly AppRow[], now: Date): Html {
  return html`<ol class="almanac" id="almanac">
    ${apps.map((app) => row(app, now))}
  </ol>`
}

function row(app: AppRow, now: Date): Html {
  return html`<li>
    <div class="who">
      <a href="/${app.slug}">${app.name}</a> <span class="small soft">${app.owner}</span
      ><small class="soft clip">${app.description}</small>
    </div>
    <div class="row">${statePill(app)}</div>
    <div class="wide">${sparkline(app.balances, app.state)}</div>
    <div class="r wide">${app.costPerDay === null ? '–' : formatAmount(app.costPerDay)}</div>
    <div class="bar">${runwayBar({ runway: app.runway, state: app.state, now })}</div>
    <div class="until">
      ${isGranted(app) ? 'not paid yet' : runwayTime(app.runway, now)}<small>${basis(app, now)}</small>
    </div>
    <a class="button tight" href="/${app.slug}#pay" aria-label="Pay for ${app.name}">Pay</a>
  </li>`
}

function basis(app: AppRow, now: Date): string {
  if (app.stopped) return 'stopped by its admin'
  if (isGranted(app)) return 'on the start allowance'
  return `${daysLeft(app.runway, now)}${app.runway.estimate ? ', estimate' : ''}`
}

function sample(kind: 'solid' | 'hatched' | 'tints'): Html {
  const inside =
    kind === 'solid'
      ? html`<rect class="solid" width="28" height="12" />`
      : kind === 'hatched'
        ? html`<rect class="hatch-edge" x=".5" y=".5" width="27" height="11" fill="url(#hatch-running)" />`
        : html`<rect class="tint-low" width="28" height="12" /><rect class="tint-thrifty" width="8" height="12" />`
  return html`<svg class="running" width="28" height="12" aria-hidden="true">${inside}</svg>`
}
