/** A page that could not be: what happened, what it cost, what to do. */
import { html, when, type Html } from '../html.ts'
import { layout } from '../layout.ts'
import type { Frame } from '../views.ts'

export interface Problem {
  readonly heading: string
  readonly sentence: string
  readonly nextStep?: string | undefined
  /** Under which the node's operator finds it. */
  readonly id?: string | undefined
}

export function problemPage({ heading, sentence, nextStep, id }: Problem, frame: Frame): Html {
  const body = html`<div class="intro">
      <h1>${heading}</h1>
      <p class="lead">${sentence}</p>
    </div>
    ${when(nextStep, (said) => html`<p>${said}</p>`)}
    <p><a class="button" href="/">To the front page</a></p>
    ${when(id, (name) => html`<p class="small soft">The operator finds this under <code>${name}</code>.</p>`)}`
  return layout({ title: heading, section: null, body }, frame)
}
