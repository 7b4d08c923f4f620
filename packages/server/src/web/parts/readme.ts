/** A repository's own words: its README, as its newest fetch made it safe to show. */
import { html, raw, when, type Content } from '../html.ts'
import type { About } from '../views.ts'
import { sectionHead } from './figures.ts'

export function readme(about: About | null): Content {
  if (!about?.readme) return null
  const { name, html: text, cut } = about.readme
  return html`<section class="readme" aria-labelledby="readme">
    ${sectionHead({ title: 'Read me', id: 'readme', fact: `${name}, in its author’s words` })}
    <div class="prose" tabindex="0" role="group" aria-label="${name}">${raw(text)}</div>
    ${when(cut, () => html`<p class="small soft">It goes on in the repository.</p>`)}
  </section>`
}
