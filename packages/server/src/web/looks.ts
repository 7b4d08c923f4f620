/** What of each page is live: the same parts that its first load shows. */
import { contributions, paidFor, today } from './pages/front.ts'
import { deploymentHeading, costBox, isUnderWay } from './pages/deployment.ts'
import { appTitle } from './pages/app.ts'
import type { Caller } from '../rpc/index.ts'
import type { Data } from './data.ts'
import { html } from './html.ts'
import type { Subject } from './live.ts'
import { almanacRows } from './parts/almanac.ts'
import { changesTable, contributionsTable } from './parts/app-tables.ts'
import {
  activityLine,
  balanceChart,
  instances,
  moneyFigures,
  payHeading,
  payers,
  standing,
  stateHead,
  until,
} from './parts/app-live.ts'
import { steps } from './parts/steps.ts'
import { standingWords } from './parts/runway-text.ts'
import { stateWord } from './parts/state-pill.ts'
import type { Frame } from './views.ts'

/** The watch looks as nobody in particular: what is live is the same for everyone. */
const NOBODY: Caller = { did: null, via: 'none', address: '127.0.0.1' }

export interface LookingDeps {
  readonly data: Data
  readonly frame: () => Frame
}

export function frontSubject({ data, frame }: LookingDeps): Subject {
  return {
    name: 'front',
    // It asks about every app.
    everyMs: 5000,
    async look() {
      const { apps, payments, totals } = await data.front(NOBODY)
      const alive = paidFor(apps)
      const rows = alive.length === 0 ? [] : [almanacRows(alive, frame().now)]
      return { parts: [today(totals), contributions(payments), ...rows] }
    },
  }
}

export function appSubject(slug: string, { data, frame }: LookingDeps): Subject {
  return {
    name: `app ${slug}`,
    async look(after) {
      const app = await data.appAlone(slug, NOBODY)
      const lines = await data.log(app.id, NOBODY, after === null ? {} : { after })
      const { now } = frame()
      return {
        parts: [
          standing(app),
          stateHead(app),
          until(app, now),
          moneyFigures(app, now),
          instances(app),
          contributionsTable(app.contributions),
          changesTable(app),
          balanceChart(app, now),
          payHeading(app),
          payers(app),
          activityLine(app),
        ],
        lines,
        title: `${appTitle(app, now)} · Perennial`,
        sentence: `${app.name} is ${stateWord(app)}, ${standingWords(app, now)}.`,
      }
    },
  }
}

export function deploymentSubject(id: string, { data, frame }: LookingDeps): Subject {
  return {
    name: `deployment ${id}`,
    async look(after) {
      const { deployment, log } = await data.deployment(id, NOBODY, after)
      const heading = deploymentHeading(deployment)
      return {
        parts: [html`<h1 id="head">${heading}</h1>`, steps(deployment, frame().now), costBox(deployment, frame())],
        lines: log,
        title: `${heading} · Perennial`,
        sentence: heading,
        turn: !isUnderWay(deployment),
      }
    },
  }
}
