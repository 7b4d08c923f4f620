/** Where the books begin: the accounts that everyone shares, and the way to each app's. */
import { formatAmount } from '@perennial/protocol'
import { html, type Html } from '../html.ts'
import { layout } from '../layout.ts'
import { sectionHead } from '../parts/figures.ts'
import type { Account, AppRow, Frame } from '../views.ts'

export interface LedgerView {
  readonly shared: readonly { readonly account: Account; readonly title: string }[]
  readonly apps: readonly AppRow[]
}

export function ledgerPage({ shared, apps }: LedgerView, frame: Frame): Html {
  const body = html`<div class="intro">
      <h1>The ledger</h1>
      <p class="lead">
        Every amount that moves on this node is a transfer between two accounts, in order, never changed. Each account
        has a page, and each page its rows as CSV and JSON.
      </p>
    </div>
    <div class="grid halves">
      <section aria-labelledby="shared">
        ${sectionHead({ title: 'Shared accounts', id: 'shared', fact: `in ${frame.asset}` })}
        <table>
          <thead>
            <tr>
              <th scope="col">Account</th>
              <th scope="col" class="r">Balance</th>
            </tr>
          </thead>
          <tbody>
            ${shared.map(
              ({ account, title }) =>
                html`<tr>
                  <th scope="row"><a href="/ledger/${account.name}">${title}</a><small>${account.name}</small></th>
                  <td class="r">${formatAmount(account.balance)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </section>
      <section aria-labelledby="apps">
        ${sectionHead({ title: 'Apps', id: 'apps', fact: `in ${frame.asset}` })}${
          apps.length === 0
            ? html`<p class="soft">No apps yet.</p>`
            : html`<table>
                <thead>
                  <tr>
                    <th scope="col">App</th>
                    <th scope="col" class="r">Purse</th>
                    <th scope="col" class="r">Reserve</th>
                  </tr>
                </thead>
                <tbody>
                  ${apps.map(
                    (app) =>
                      html`<tr>
                        <th scope="row">
                          <a href="/${app.slug}/statement">${app.name}</a> <span class="small soft">${app.owner}</span>
                        </th>
                        <td class="r"><a href="/ledger/app/${app.id}/purse">${formatAmount(app.purse)}</a></td>
                        <td class="r"><a href="/ledger/app/${app.id}/reserve">${formatAmount(app.reserve)}</a></td>
                      </tr>`,
                  )}
                </tbody>
              </table>`
        }
      </section>
    </div>`
  return layout({ title: 'The ledger', section: 'ledger', body }, frame)
}
