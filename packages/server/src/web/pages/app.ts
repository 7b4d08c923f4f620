/** An app's page: the day its money runs out, the button that moves it, and everything else anyone may know. */
import { html, when, type Content, type Html } from '../html.ts'
import { bytes, day, commit as short } from '../format.ts'
import { layout } from '../layout.ts'
import { runwayTable } from '../charts/runway-chart.ts'
import { changesTable, contributionsTable, releasesTable } from '../parts/app-tables.ts'
import { costAndIncome } from '../parts/costs.ts'
import {
  activityLine,
  balances,
  balanceChart,
  instances,
  isResting,
  moneyFigures,
  payHeading,
  payers,
  standing,
  stateHead,
  until,
} from '../parts/app-live.ts'
import { sectionHead } from '../parts/figures.ts'
import { lastSeq, log } from '../parts/log.ts'
import { notice } from '../parts/notice.ts'
import { payBox } from '../parts/pay-box.ts'
import { standingWords } from '../parts/runway-text.ts'
import { stateWord } from '../parts/state-pill.ts'
import { readme } from '../parts/readme.ts'
import { repositoryLink } from '../parts/repository-link.ts'
import type { App, AppView, Frame } from '../views.ts'

export function appPage(view: AppView, frame: Frame): Html {
  const { app } = view
  const running = !isResting(app)
  const body = html`${view.notice === null ? standing(app) : notice(view.notice)}
    <div class="intro">
      ${stateHead(app)} ${when(app.description !== '', () => html`<p class="lead">${app.description}</p>`)}
      <p class="facts">
        <span>Code ${repositoryLink(app.repository)}</span>${when(
          app.commit,
          (commit) =>
            html`<span title="${view.about?.signature}"
              >at commit <code title="${commit.hash}">${short(commit.hash)}</code>, ${day(commit.at)}</span
            >`,
        )}${when(view.about?.licence, ({ spdx, file }) => html`<span>licence ${spdx ?? `in ${file}`}</span>`)}<span
          >here since ${day(app.createdAt)}</span
        >
      </p>
    </div>
    <div class="grid aside">
      <section aria-label="How long it is paid for">${runwayPart(app, frame)}</section>
      <div class="rise stack">
        ${payBox(
          {
            app,
            heading: payHeading(app),
            offers: app.money.offers,
            minimum: app.money.minimum,
            form: view.pay,
            more: running,
          },
          frame,
        )}
        ${activityLine(app)} ${admin(view, frame)}
      </div>
      <section aria-label="Figures">${moneyFigures(app, frame.now)}</section>
    </div>
    ${costAndIncome(app, frame)}
    <div class="grid halves">
      <section aria-labelledby="backers">
        ${sectionHead({ title: 'Backers', id: 'backers', fact: payers(app) })}${contributionsTable(app.contributions)}
        <p class="small"><a href="/${app.slug}/statement">Statement of this purse</a></p>
      </section>
      <section aria-labelledby="public-log">
        ${sectionHead({ title: 'Public log', id: 'public-log', fact: html`<span class="dot"></span>live, newest first` })}${log(
          {
            lines: view.log,
            label: `Log of ${app.name}`,
            empty: running
              ? 'Nothing printed yet. What the app prints stands here as it comes.'
              : 'Nothing printed lately. The app is not running.',
          },
        )}
        <p class="small soft">Anyone can read this. Apps should not print secrets.</p>
      </section>
    </div>
    <div class="grid halves">
      <section aria-labelledby="releases">
        ${sectionHead({ title: 'Releases', id: 'releases', fact: latestDeployment(app) })}${releasesTable(app.releases)}
      </section>
      <section aria-labelledby="instances">
        ${sectionHead({ title: 'Instances', id: 'instances', fact: limitsFact(app) })}${instances(app)}
      </section>
    </div>
    ${readme(view.about)}
    <div class="grid halves">
      <section aria-labelledby="history">
        ${sectionHead({ title: 'History', id: 'history' })}${changesTable(app)}
      </section>
      <section aria-labelledby="badge">
        ${sectionHead({ title: 'Badge', id: 'badge', fact: 'an image of 1 kB, always current' })}
        <p><img src="/${app.slug}/badge.svg" alt="${standingWords(app, frame.now)}" height="28" /></p>
        <p class="mono">${app.page}/badge.svg</p>
      </section>
    </div>`
  return layout(
    { title: appTitle(app, frame.now), section: 'apps', body, live: `/${app.slug}/live${lastSeq(view.log)}` },
    frame,
  )
}

export function appTitle(app: App, now: Date): string {
  return `${app.name}, ${stateWord(app)}, ${standingWords(app, now)}`
}

function runwayPart(app: App, { now }: Frame): Html {
  return html`${until(app, now)}${balanceChart(app, now)}${runwayTable(balances(app, now))}`
}

function admin({ app, adminToken }: AppView, frame: Frame): Content {
  if (!app.mayAdminister) return null
  const act = app.stopped ? ['run', 'Run it again'] : ['stop', 'Stop it']
  return html`<div class="row">
      ${[act, ['deploy', 'Deploy the newest commit']].map(
        ([path, words]) =>
          html`<form method="post" action="/${app.slug}/${path}">
            <input type="hidden" name="token" value="${frame.token ?? ''}" /><button class="tight">${words}</button>
          </form>`,
      )}<span class="small soft">You deployed it, so you may.</span>
    </div>
    ${when(
      adminToken,
      (token) =>
        html`<details class="small">
          <summary>From a shell, too</summary>
          <p class="soft">
            Whoever sends this token with a call may stop and run the app, on this machine and for TEST money only. Keep
            it to yourself.
          </p>
          <pre>OC-Admin-Token: ${token}</pre>
        </details>`,
    )}`
}

function latestDeployment({ deployment }: App): Content {
  return deployment === null
    ? null
    : html`<a href="/deployments/${deployment.id}">last deployment</a>: ${deployment.status}`
}

function limitsFact({ limits }: App): string {
  return `at most ${limits.cpuPercent / 100} core, ${bytes(limits.memoryBytes)}`
}
