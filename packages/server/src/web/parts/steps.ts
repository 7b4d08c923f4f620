/** Fetch, build, run: what each did, how long it took, what it cost. */
import { costDecimals, duration } from '../format.ts'
import { formatDecimals } from '@perennial/protocol'
import { html, when, type Html } from '../html.ts'
import type { Deployment, Step } from '../views.ts'
import { ring } from './shapes.ts'

const NAMES: Readonly<Record<Step['name'], string>> = { fetch: 'Fetch', build: 'Build', run: 'Run' }
const WORDS: Readonly<Record<Step['status'], string>> = {
  done: 'done',
  running: 'under way',
  waiting: 'not yet',
  failed: 'failed',
  skipped: 'not needed',
}

export function steps({ steps: shown }: Pick<Deployment, 'steps'>, now: Date): Html {
  const decimals = costDecimals(shown.map(({ cost }) => cost))
  return html`<ol class="steps" id="steps">
    ${shown.map(
      (step) =>
        html`<li class="${step.status === 'waiting' || step.status === 'skipped' ? 'todo' : ''}">
          ${ring(step.status)}
          <div>
            <strong>${NAMES[step.name]}<span class="news">, ${WORDS[step.status]}</span></strong
            ><small>${step.detail}</small>
          </div>
          <p class="r">
            ${when(
              took(step, now),
              (ms) => html`<span>${duration(ms)}</span><span>${formatDecimals(step.cost, decimals)}</span>`,
            )}
          </p>
        </li>`,
    )}
  </ol>`
}

function took({ startedAt, endedAt }: Step, now: Date): number | null {
  return startedAt === null ? null : Math.max(0, (endedAt ?? now).getTime() - startedAt.getTime())
}
