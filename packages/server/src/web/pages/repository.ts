/** A repository before anyone pressed Deploy: what it would be called here and what it can cost. Looking changes nothing. */
import { formatAmount } from '@perennial/protocol'
import { html, when, type Html } from '../html.ts'
import { layout } from '../layout.ts'
import { pairs, sectionHead } from '../parts/figures.ts'
import { notice } from '../parts/notice.ts'
import { stateWord } from '../parts/state-pill.ts'
import { repositoryLink } from '../parts/repository-link.ts'
import type { Frame, RepositoryView } from '../views.ts'

export function repositoryPage({ estimate, notice: said }: RepositoryView, frame: Frame): Html {
  const { app } = estimate
  const body = html`${when(said, notice)}
    <div class="intro">
      <h1>${estimate.name}</h1>
      <p class="lead">
        A public repository of ${estimate.owner} on ${estimate.forge}.
        ${app ? 'It is deployed here.' : 'Nobody has deployed it here yet.'}
      </p>
      <p class="facts">
        <span>Code ${repositoryLink(estimate.url)}</span>
        ${when(estimate.ref, (ref) => html`<span>at <b>${ref}</b></span>`)}${when(estimate.root, (root) => html`<span>in <b>${root}</b></span>`)}
      </p>
    </div>
    <div class="grid aside">
      <section aria-labelledby="cost">
        ${sectionHead({ title: 'What it will cost', id: 'cost', fact: `in ${frame.asset}` })}${pairs([
          ['To fetch and build it, at most', formatAmount(estimate.buildCeiling)],
          ['To run it, at most', `${formatAmount(estimate.maxBurnPerHour)}/h`],
          ['To run it while nobody uses it', 'next to nothing: it sleeps'],
          ['What the node gives it to start with', formatAmount(estimate.allowance)],
        ])}
        <p class="soft">
          ${
            estimate.allowance > 0n
              ? 'The start allowance pays for the first build and a short run. After that it runs for as long as anyone pays.'
              : 'The node has nothing left to give to new apps: this one waits for its first payment, and nothing is built until then.'
          } <a href="/prices">The prices</a> are public.
        </p>
      </section>
      <form class="sheet stack rise" method="post" action="/deploy">
        <h2>${app ? 'Deploy the newest commit' : 'Run it here'}</h2>
        <input type="hidden" name="token" value="${frame.token ?? ''}" /><input
          type="hidden"
          name="url"
          value="${estimate.url}"
        /><input type="hidden" name="ref" value="${estimate.ref ?? ''}" /><input
          type="hidden"
          name="root"
          value="${estimate.root}"
        />
        <p class="soft">It will answer at <b>${estimate.address.replace(/^https?:\/\//, '')}</b></p>
        <button class="main full">Deploy</button>
        ${when(app, ({ slug, name, state }) => html`<p class="small"><a href="/${slug}">The page of ${name}</a>, ${stateWord({ state, activity: 'none' })}</p>`)}
        <p class="small soft">
          Looking at this page changed nothing. The button fetches the repository, builds it in a sandbox and runs it.
        </p>
      </form>
    </div>`
  return layout({ title: `${estimate.name} by ${estimate.owner}`, section: 'apps', body }, frame)
}
