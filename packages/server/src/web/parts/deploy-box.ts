/** The one thing that people come to the front page for: the URL of a public repository becomes a running app. */
import { formatAmount } from '@perennial/protocol'
import { html, when, type Html } from '../html.ts'
import type { Frame, FrontView } from '../views.ts'

export function deployBox({ refused, totals }: Pick<FrontView, 'refused' | 'totals'>, frame: Frame): Html {
  const free =
    totals.allowance >= totals.allowancePerApp && totals.allowancePerApp > 0n
      ? `No account needed. The node gives each new app ${formatAmount(totals.allowancePerApp)} ${frame.asset} to start with; a payment from anyone gives it more.`
      : 'No account needed. What the node had for new apps is spent: a new app waits for its first payment, and until then nothing is built.'
  return html`<form class="sheet" method="post" action="/deploy">
    <input type="hidden" name="token" value="${frame.token ?? ''}" />
    <label for="url">Run an app <span>from any public git repository</span></label>
    <div class="field">
      <input
        class="mono"
        id="url"
        name="url"
        type="text"
        inputmode="url"
        required
        maxlength="2048"
        autocomplete="off"
        autocapitalize="none"
        spellcheck="false"
        placeholder="https://forge.example/owner/repo"
        value="${refused?.url ?? ''}"
        ${when(refused, () => html` aria-invalid="true" aria-describedby="wrong" autofocus`)}
      /><button class="main">Run it</button>
    </div>
    ${when(refused, ({ sentence }) => html`<p class="wrong" id="wrong" role="alert">${sentence}</p>`)}
    <p class="small soft">${free}</p>
  </form>`
}
