/** Figures with their basis, rows that add up, and small facts. */
import { formatAmount, formatDecimals, type Micros } from '@perennial/protocol'
import { costDecimals } from '../format.ts'
import { html, when, type Content, type Html } from '../html.ts'

export interface Figure {
  readonly label: string
  readonly figure: Content
  /** What the figure rests on; there is none without. */
  readonly basis: Content
}

/** Five at most. */
export function figures(shown: readonly Figure[], id?: string): Html {
  return html`<dl class="figures" ${when(id, (name) => html` id="${name}"`)}>
    ${shown.map(
      ({ label, figure, basis }) =>
        html`<div>
          <dt>${label}</dt>
          <dd>${figure}</dd>
          <dd>${basis}</dd>
        </div>`,
    )}
  </dl>`
}

export interface SumRow {
  readonly label: Content
  readonly amount: Micros
}

/** Rows that really add up, a single rule above the sum, a double rule below. `sum` is theirs, or this is a bug. */
export function sums({ rows, total, caption }: { rows: readonly SumRow[]; total: SumRow; caption: string }): Html {
  const decimals = costDecimals(rows.map(({ amount }) => amount))
  const sum = rows.reduce((so, { amount }) => so + amount, 0n)
  if (sum !== total.amount) throw new Error(`${caption}: the rows sum to ${sum}, the total says ${total.amount}`)
  const line = ({ label, amount }: SumRow) =>
    html`<tr>
      <th scope="row">${label}</th>
      <td class="r">${formatDecimals(amount, decimals)}</td>
    </tr>`
  return html`<table class="sums">
    <caption class="news">
      ${caption}
    </caption>
    <tbody>
      ${rows.map(line)}
    </tbody>
    <tfoot>
      ${line(total)}
    </tfoot>
  </table>`
}

export function pairs(rows: readonly (readonly [label: string, value: Content])[]): Html {
  return html`<dl class="pairs">
    ${rows.map(
      ([label, value]) =>
        html`<div>
          <dt>${label}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

/** `1.31/day`; nothing is charged yet: a dash that says so. */
export function perDay(amount: Micros | null): string {
  return amount === null || amount === 0n ? 'none yet' : formatAmount(amount)
}

export function sectionHead({ title, id, fact }: { title: string; id?: string; fact?: Content }): Html {
  return html`<div class="head"><h2${when(id, (name) => html` id="${name}"`)}>${title}</h2>${when(fact, (said) => html`<p>${said}</p>`)}</div>`
}
