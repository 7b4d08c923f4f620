/** An account's books: each transfer with both sides of it, the balance after it, and a sum that shows they meet. */
import { exactParts, formatExact, type Micros } from '@perennial/protocol'
import { count, day, exactTime } from '../format.ts'
import { html, when, type Html } from '../html.ts'
import { layout } from '../layout.ts'
import { pairs, sectionHead } from '../parts/figures.ts'
import { isStill, transferTitle } from '../parts/transfer-words.ts'
import type { Frame, Row, StatementView } from '../views.ts'

export function statementPage(view: StatementView, frame: Frame): Html {
  const { account, app, rows } = view
  const name = nameOf(view, account.name)
  const path = `/ledger/${account.name}`
  const body = html`<p class="small crumbs">
      <a href="/ledger">Ledger</a>${when(app, ({ slug, name: of }) => html` / <a href="/${slug}">${of}</a>`)} / ${name}
    </p>
    <div class="intro">
      <h1>${heading(view)}</h1>
      <p class="facts">
        <span>Account <code>${account.name}</code></span
        ><span>${account.public ? 'Public, in clear' : 'Private'}</span><span>Asset ${account.asset}</span>
      </p>
    </div>
    <div class="grid aside">
      <section aria-label="Transfers">
        ${rows.length === 0 ? html`<p class="soft">No transfers yet. The first one will stand here.</p>` : transfers(view, name)}${when(
          view.older,
          (before) => html`<p class="small"><a href="${path}?before=${before}">Older</a></p>`,
        )}
      </section>
      <section class="rise" aria-labelledby="now">
        ${sectionHead({ title: 'Now', id: 'now', fact: frame.asset })}${pairs([
          ['Balance', formatExact(account.balance)],
          ['On hold for what is running', formatExact(account.held)],
          ['Available', account.available === null ? 'without limit' : formatExact(account.available)],
        ])}
        <p class="row small"><span>Download</span><a href="${path}.csv">CSV</a><a href="${path}.json">JSON</a></p>
      </section>
    </div>`
  return layout(
    {
      title: `${heading(view)}, ${formatExact(account.balance)}`,
      section: account.name === 'commons' ? 'commons' : 'ledger',
      body,
    },
    frame,
  )
}

function heading(view: StatementView): string {
  const name = nameOf(view, view.account.name)
  if (view.app) return `${name.charAt(0).toUpperCase()}${name.slice(1)}`
  return name === 'commons' ? 'The commons' : name
}

/**
 * One transfer a group: what it was, then its two entries; a hold moves nothing and has none. The footer's debits and
 * credits are equal, and shown to be.
 */
function transfers(view: StatementView, own: string): Html {
  const sum = view.rows.filter((row) => !isStill(row)).reduce((total, { amount }) => total + amount, 0n)
  return html`<table class="ledger sums">
    <thead>
      <tr>
        <th scope="col">Transfer and its entries</th>
        <th scope="col" class="r">Debit</th>
        <th scope="col" class="r">Credit</th>
        <th scope="col" class="r wide">Balance</th>
      </tr>
    </thead>
    ${view.rows.map((row) => transfer(view, row, own))}
    <tfoot>
      <tr>
        <th scope="row">This page: debits equal credits</th>
        <td class="r">${exact(sum)}</td>
        <td class="r">${exact(sum)}</td>
        <td class="wide"></td>
      </tr>
    </tfoot>
  </table>`
}

function transfer(view: StatementView, row: Row, own: string): Html {
  const [title, detail] = transferTitle(row)
  const still = isStill(row)
  const side = (account: string) => {
    const name = nameOf(view, account)
    return name === own ? html`<b>${name}</b>` : name
  }
  return html`<tbody>
    <tr>
      <td>
        <span class="leaf nowrap" title="leaf ${row.leaf}">${count(row.seq)}</span>
        <time class="soft nowrap" datetime="${row.at.toISOString()}">${day(row.at)}, ${exactTime(row.at)}</time>
        <b>${title}</b> <span class="soft">${still ? html`${formatExact(row.amount)} ` : null}${detail}</span>
      </td>
      <td></td>
      <td></td>
      <td class="r wide">${exact(row.balance)}</td>
    </tr>
    ${
      still
        ? null
        : html`<tr>
              <td class="entry">${side(row.debit)}</td>
              <td class="r">${exact(row.amount)}</td>
              <td></td>
              <td class="wide"></td>
            </tr>
            <tr>
              <td class="entry">${side(row.credit)}</td>
              <td></td>
              <td class="r">${exact(row.amount)}</td>
              <td class="wide"></td>
            </tr>`
    }
  </tbody>`
}

/** Two decimals in ink, four in faint, with their places kept so that points stand below each other. */
function exact(amount: Micros): Html {
  const { head, tail } = exactParts(amount)
  return html`<span class="exact">${head}<span class="tail">${tail.padEnd(4, '\u2007')}</span></span>`
}

function nameOf(view: StatementView, account: string): string {
  return view.names.get(account) ?? account
}
