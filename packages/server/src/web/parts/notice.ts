/** One a page: the fact in bold, what it cost, what to do. */
import { html, type Html } from '../html.ts'
import type { Notice } from '../views.ts'
import { stateShape } from './shapes.ts'

export function notice({ tone, fact, rest }: Notice): Html {
  const shape = tone === 'good' ? 'funded' : tone
  return html`<div class="notice ${tone === 'good' ? 'running' : tone}" role="${tone === 'bad' ? 'alert' : 'status'}">
    ${stateShape(shape)}
    <p><strong>${fact}</strong> ${rest}</p>
  </div>`
}
