/** A deployment under way: its steps, its log, what it cost so far and can cost at most. */
import { formatAmount, formatDecimals } from '@perennial/protocol'
import { costDecimals, commit, NBSP } from '../format.ts'
import { html, when, type Html } from '../html.ts'
import { layout } from '../layout.ts'
import { sectionHead, sums } from '../parts/figures.ts'
import { lastSeq, log } from '../parts/log.ts'
import { notice } from '../parts/notice.ts'
import { steps } from '../parts/steps.ts'
import { repositoryLink } from '../parts/repository-link.ts'
import type { Deployment, DeploymentView, Frame, Notice } from '../views.ts'

const RENEW_SECONDS = 5

export function deploymentPage({ deployment, app, log: lines }: DeploymentView, frame: Frame): Html {
  const under = isUnderWay(deployment)
  const body = html`${deploymentNotice(deployment)}
    <div class="intro">
      <h1 id="head">${deploymentHeading(deployment)}</h1>
      <p class="facts">
        ${repositoryLink(app.repository)}${when(
          deployment.commit,
          ({ hash, subject }) => html`<span>commit <code title="${hash}">${commit(hash)}</code> ${subject}</span>`,
        )}<span>${RUNS_AT[deployment.status] ?? 'will run at'} <b>${app.url.replace(/^https?:\/\//, '')}</b></span>
      </p>
    </div>
    <div class="grid aside">
      <section aria-label="Steps">${steps(deployment, frame.now)}</section>
      <div class="rise">${costBox(deployment, frame)}</div>
      <section aria-labelledby="build-log">
        ${sectionHead({
          title: 'Build log',
          id: 'build-log',
          fact: under ? html`<span class="dot"></span>live, newest first` : 'newest first',
        })}${log({ lines, label: `Build log of ${deployment.app.name}`, empty: 'Nothing printed yet.' })}
        <p class="small soft">
          ${under ? html`<noscript>This page renews itself every ${RENEW_SECONDS} seconds. </noscript>You may close it: the work goes on and stays under the same address.` : 'It stays under this address.'}
        </p>
      </section>
    </div>`
  const page = { title: deploymentHeading(deployment), section: 'apps' as const, body }
  return layout(
    under
      ? { ...page, live: `/deployments/${deployment.id}/live${lastSeq(lines)}`, renewSeconds: RENEW_SECONDS }
      : page,
    frame,
  )
}

export function isUnderWay({ status }: Deployment): boolean {
  return status === 'waiting' || status === 'fetching' || status === 'building' || status === 'starting'
}

export function deploymentHeading({ status, app }: Deployment): string {
  const words: Readonly<Record<Deployment['status'], string>> = {
    waiting: `${app.name} waits`,
    fetching: `Fetching ${app.name}`,
    building: `Building ${app.name}`,
    starting: `Starting ${app.name}`,
    running: `${app.name} runs`,
    failed: `${app.name} was not deployed`,
    replaced: `A newer deployment of ${app.name} took over`,
  }
  return words[status]
}

function deploymentNotice(deployment: Deployment): Html | null {
  const said = noticeOf(deployment)
  return said === null ? null : notice(said)
}

function noticeOf({ status, problem, app }: Deployment): Notice | null {
  if (status === 'failed') return { tone: 'bad', fact: 'The deployment stopped.', rest: problem ?? '' }
  if (status === 'waiting')
    return { tone: 'frozen', fact: `${app.name} waits.`, rest: problem ?? 'It begins as soon as it is its turn.' }
  return null
}

/** What it cost so far, step by step, and where it stops. */
export function costBox(deployment: Deployment, frame: Frame): Html {
  const { cost, ceiling, app, payer } = deployment
  const rows = deployment.steps.map((step) => ({ label: STEP_COSTS[step.name], amount: step.cost }))
  const decimals = costDecimals(rows.map(({ amount }) => amount))
  const percent = ceiling > 0n ? Math.min(100, Number((cost * 1000n) / ceiling) / 10) : 0
  return html`<div class="sheet stack" id="cost">
    <p class="label">Cost so far</p>
    <p class="big">${formatDecimals(cost, decimals)} <span class="small soft">${frame.asset}</span></p>
    ${sums({ caption: 'Cost so far', rows, total: { label: 'Together', amount: rows.reduce((sum, { amount }) => sum + amount, 0n) } })}
    <svg class="meter" width="100%" height="10" role="img" aria-label="${percent}${NBSP}% of the ceiling used">
      <rect class="solid" width="${percent}%" height="10" />
    </svg>
    <p class="row small soft">
      <span>${percent}${NBSP}% used</span><span class="push">stops at ${formatAmount(ceiling)}</span>
    </p>
    <p class="small soft">${PAYERS[payer ?? 'none']}</p>
    ${
      isUnderWay(deployment)
        ? html`<a class="button full" href="/${app.slug}#pay">Pay for ${app.name} now</a>`
        : html`<a class="button main full" href="/${app.slug}">See ${app.name}’s page</a>`
    }
  </div>`
}

const RUNS_AT: Readonly<Partial<Record<Deployment['status'], string>>> = {
  running: 'runs at',
  failed: 'would run at',
  replaced: 'runs at',
}
const STEP_COSTS = { fetch: 'Fetch', build: 'Build', run: 'First start' } as const
const PAYERS = {
  purse: 'Paid by the app’s purse. What is held for it and not used stays in the purse.',
  allowance:
    'Paid by the node’s start allowance, because nobody has paid for this app yet. The first payment also gives it outgoing network.',
  none: 'Nothing is charged until something is done.',
} as const
