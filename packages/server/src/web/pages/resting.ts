/**
 * What an app's address answers while the app cannot: frozen, stopped, waiting, waking, or unknown.
 *
 * These pages stand on another site than the node's, one whose cookies and scripts belong to strangers: no form of
 * theirs posts, no cookie is read or set, no script runs, and every address is written out.
 */
import { formatAmount } from '@perennial/protocol'
import { day, commit as short, DAY_MS, plural } from '../format.ts'
import { html, when, type Content, type Html } from '../html.ts'
import { layout } from '../layout.ts'
import { pastChart } from '../charts/past-chart.ts'
import { meanBasis } from '../parts/app-live.ts'
import { figures, sectionHead } from '../parts/figures.ts'
import { payBox } from '../parts/pay-box.ts'
import { statePill, stateWord } from '../parts/state-pill.ts'
import { repositoryLink } from '../parts/repository-link.ts'
import type { App, Frame } from '../views.ts'

/** `waking`: it starts and takes longer than a request should be held. */
export type RestingKind = 'frozen' | 'archived' | 'stopped' | 'waiting' | 'building' | 'unbuilt' | 'waking' | 'failing'

/** Without scripts, a page about something under way renews itself. */
const RENEW_SECONDS = 3

/** `said`: why it does not answer, from whoever tried to wake it; the usual words otherwise. */
export function restingPage(kind: RestingKind, app: App, frame: Frame, said?: string): Html {
  const page = `${frame.node}/${app.slug}`
  const ranOut = kind === 'frozen' || kind === 'archived'
  const payHere = ranOut || kind === 'waiting'
  const body = html`<div class="grid aside">
    <div>
      <div class="intro">
        ${ranOut ? statePill(app, day(app.stateSince)) : null}
        <h1>${HEADINGS[kind](app.name)}</h1>
        <p class="lead">${kind === 'failing' && said ? said : sentence(kind, app)}</p>
      </div>
      ${ranOut ? restingFigures(app) : null}
    </div>
    <div class="rise stack">
      ${payHere ? payBox({ app, heading: ranOut ? 'Bring it back' : 'Start it', offers: app.money.offers, minimum: app.money.minimum, form: NO_FORM(app), more: false }, frame) : null}
      ${when(app.commit, (commit) => html`<p class="small">${repositoryLink(app.repository, 'Its code')} <span class="soft">at commit ${short(commit.hash)}: run your own copy</span></p>`)}
      <p class="small"><a href="${page}">Its page</a> <span class="soft">books, log, releases</span></p>
    </div>
    <section aria-labelledby="how">
      ${sectionHead({ title: 'How it got here', id: 'how' })}${ranOut ? pastChart({ history: app.money.history, balance: app.purse + app.reserve, still: app.stateSince, word: stateWord(app), now: frame.now }) : null}${changes(app)}
    </section>
  </div>`
  const footer = html`This page is served by the node in place of the app.
    <a href="${page}/statement">${ranOut ? 'Why it stands still' : 'Its money'}, entry by entry</a>.`
  const shown = { title: HEADINGS[kind](app.name), section: null, body, footer }
  return layout(kind === 'waking' || kind === 'building' ? { ...shown, renewSeconds: RENEW_SECONDS } : shown, frame)
}

/** No app has this address. */
export function unknownHostPage(host: string, frame: Frame): Html {
  const body = html`<div class="intro">
      <h1>No app has this address</h1>
      <p class="lead">
        Nothing on this node answers to <b>${host}</b>. Nothing was charged. An app’s address is its name, two hyphens
        and its owner’s.
      </p>
    </div>
    <p><a class="button main" href="${frame.node}/">See all apps</a></p>`
  return layout(
    { title: 'No app has this address', section: null, body, footer: html`This page is served by the node.` },
    frame,
  )
}

const HEADINGS: Readonly<Record<RestingKind, (name: string) => string>> = {
  frozen: (name) => `${name} has run out of money. Nothing is lost.`,
  archived: (name) => `${name} is archived. Nothing is lost.`,
  stopped: (name) => `${name} was stopped by its admin.`,
  waiting: (name) => `${name} waits for its first payment.`,
  building: (name) => `${name} is being built.`,
  unbuilt: (name) => `${name} could not be built.`,
  waking: (name) => `${name} is starting.`,
  failing: (name) => `${name} does not start.`,
}

function sentence(kind: RestingKind, app: App): string {
  switch (kind) {
    case 'frozen':
      return 'Its purse could no longer pay for running, so it was stopped before its data was at risk. A payment from anyone starts it again, under this address, within seconds.'
    case 'archived':
      return 'Its reserve is spent too, so its data is packed and kept by the commons. A payment from anyone brings it back.'
    case 'stopped':
      return 'Its data and its money stay where they are. Only its admin can run it again.'
    case 'waiting':
      return app.deployment?.problem ?? 'Nothing is built until someone pays for it. Nothing was charged.'
    case 'building':
      return 'This page renews itself until it answers.'
    case 'unbuilt':
      return app.deployment?.problem ?? 'Its log says why. Nothing was charged.'
    case 'waking':
      return 'Your request woke it. This page renews itself until it answers.'
    case 'failing':
      return 'It was started and did not answer. Its log says why; a new commit and a new deployment mend it.'
  }
}

function restingFigures(app: App): Html {
  return figures([
    {
      label: 'Costs when running',
      figure: app.costPerDay === null ? 'not known' : `${formatAmount(app.costPerDay)}/day`,
      basis: meanBasis(app),
    },
    { label: 'Left for keeping data', figure: formatAmount(app.reserve), basis: 'its reserve' },
    {
      label: 'Here for',
      figure: daysText(app.stateSince.getTime() - app.createdAt.getTime()),
      basis: `since ${day(app.createdAt)}`,
    },
    {
      label: 'Paid by',
      figure: plural(app.money.payers, 'payer'),
      basis: plural(app.money.payments, 'payment') + ' in 30 days',
    },
  ])
}

function daysText(ms: number): string {
  return ms < DAY_MS ? 'under a day' : plural(Math.floor(ms / DAY_MS), 'day')
}

function changes(app: App): Content {
  if (app.changes.length === 0) return null
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Day</th>
        <th scope="col">State</th>
        <th scope="col">Why</th>
      </tr>
    </thead>
    <tbody>
      ${app.changes.slice(-6).map(
        (change) =>
          html`<tr>
            <td class="nowrap">${day(change.at)}</td>
            <td>${statePill({ state: change.state, activity: 'none' })}</td>
            <td>${change.sentence}</td>
          </tr>`,
      )}
    </tbody>
  </table>`
}

const NO_FORM = (app: App) => ({
  id: '',
  chosen: app.money.offers[1]?.amount ?? null,
  other: '',
  name: '',
  error: null,
})
