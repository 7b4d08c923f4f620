/** The price book as people read it: what each meter costs, in sizes one can imagine. */
import { formatAmount, METERS, type Meter, type Micros } from '@perennial/protocol'
import { count, hash } from '../format.ts'
import { html, type Html } from '../html.ts'
import { layout } from '../layout.ts'
import { sectionHead } from '../parts/figures.ts'
import type { Frame, Prices } from '../views.ts'

const HOUR_NS = 3_600_000_000_000n
const MONTH_MS = 30n * 86_400_000n
/** An amount of each meter that a person can picture. */
const PICTURED: Readonly<Record<Meter, { readonly units: bigint; readonly words: string }>> = {
  cpu: { units: 720n * HOUR_NS, words: 'one core, fully used for 30 days' },
  memory: { units: 1_000_000_000n * MONTH_MS, words: '1 GB, held for 30 days' },
  disk: { units: 1_000_000_000n * MONTH_MS, words: '1 GB, kept for 30 days' },
  egress: { units: 1_000_000_000n, words: '1 GB sent to the internet' },
  requests: { units: 1_000_000n, words: '1,000,000 requests' },
  build: { units: 100n * HOUR_NS, words: 'one core of builds, for 100 hours' },
}

export function pricesPage(prices: Prices, frame: Frame): Html {
  const body = html`<div class="intro">
      <h1>Prices</h1>
      <p class="lead">
        What is used is metered by the second and charged by the hour. Nothing else costs anything: no plan, no account,
        no minimum.
      </p>
    </div>
    <section aria-labelledby="book">
      ${sectionHead({ title: 'Price book', id: 'book', fact: html`in ${prices.asset}, <code title="${prices.hash}">sha256 ${hash(prices.hash)}</code>` })}
      <div class="scroll" tabindex="0" role="region" aria-label="All prices">
        <table>
          <thead>
            <tr>
              <th scope="col">Meter</th>
              <th scope="col">For</th>
              <th scope="col" class="r">Price</th>
              <th scope="col" class="r wide">Exactly</th>
            </tr>
          </thead>
          <tbody>
            ${METERS.map((meter) => {
              const price = prices.prices.find((one) => one.meter === meter)
              return price
                ? html`<tr>
                    <th scope="row" class="nowrap"><span class="swatch kind-${meter}"></span>${meter}</th>
                    <td>${PICTURED[meter].words}</td>
                    <td class="r"><b>${formatAmount(pictured(meter, price))}</b></td>
                    <td class="r wide small soft">
                      ${count(price.micros)} micros for ${count(price.per)} × ${price.unit}
                    </td>
                  </tr>`
                : null
            })}
          </tbody>
        </table>
      </div>
      <p class="soft">
        Prices are fractions of integers; what does not fill a whole micro (0.000001) is carried to the next hour, so an
        hour charged in pieces costs the same. Of each contribution ${prices.commonsPercent}${'\u00a0'}% goes to the
        <a href="/ledger/commons">commons</a>.
      </p>
    </section>`
  return layout({ title: 'Prices', section: 'prices', body }, frame)
}

function pictured(meter: Meter, { micros, per }: { micros: Micros; per: bigint }): Micros {
  return (PICTURED[meter].units * micros) / per
}
