/**
 * Anyone pays for any app: four amounts with what each buys, another amount, a public name if one likes.
 *
 * On a page at the app's own address the box cannot post: that is another site, whose pages strangers write. There it
 * is a plain link in form's clothing, which opens this box on the node with the amount chosen.
 */
import { amountText, formatAmount, type Micros } from '@perennial/protocol'
import { plural } from '../format.ts'
import { html, when, type Content, type Html } from '../html.ts'
import type { Frame, Offer, PayForm } from '../views.ts'
import { tick } from './shapes.ts'

const DAY_SECONDS = 86_400
const HOUR_SECONDS = 3600

export interface PayBox {
  readonly app: { readonly slug: string; readonly name: string }
  readonly heading: Content
  readonly offers: readonly Offer[]
  readonly minimum: Micros
  readonly form: PayForm
  /** `more` days for an app that runs. */
  readonly more: boolean
}

export function payBox({ app, heading, offers, minimum, form, more }: PayBox, frame: Frame): Html {
  const posts = frame.token !== null
  const action = posts ? `/${app.slug}/pay` : `${frame.node}/${app.slug}#pay`
  return html`<form class="sheet stack" id="pay" method="${posts ? 'post' : 'get'}" action="${action}">
    <h2>${heading}</h2>
    ${when(frame.token, (token) => html`<input type="hidden" name="token" value="${token}" /><input type="hidden" name="id" value="${form.id}" />`)}
    <fieldset>
      <legend>Amount <span>in ${frame.asset}</span></legend>
      <div class="cards">
        ${offers.map(
          (offer) =>
            html`<label class="card"
              ><input
                type="radio"
                name="amount"
                value="${amountText(offer.amount)}"
                ${offer.amount === form.chosen ? html` checked` : null}
              /><strong>${formatAmount(offer.amount)}</strong><span>= ${buys(offer, more)}</span>${tick()}</label
            >`,
        )}
      </div>
    </fieldset>
    <p>
      <label for="other">Other amount</label
      ><input
        id="other"
        name="other"
        inputmode="decimal"
        autocomplete="off"
        maxlength="20"
        placeholder="${formatAmount(minimum)} or more"
        value="${form.other}"
        ${form.error === null ? null : html` aria-invalid="true" aria-describedby="pay-wrong"`}
      />
    </p>
    ${when(form.error, (sentence) => html`<p class="wrong" id="pay-wrong" role="alert">${sentence}</p>`)}
    ${
      posts
        ? html`<p>
            <label for="name">Name <span>public, optional</span></label
            ><input id="name" name="name" autocomplete="nickname" maxlength="80" value="${form.name}" />
          </p>`
        : null
    }
    <button class="main full">Pay for ${app.name}</button>
    <p class="small soft">
      95${'\u00a0'}% goes to the app, 5${'\u00a0'}% to the commons. Of the app’s part, half fills the reserve that keeps
      its data for 30 days, until that is full; the rest is its purse. The purse pays only for running this app. Nobody
      can withdraw it, not the author, not us. What exceeds 24 months of running, or is left 12 months after an app was
      archived, goes to upstreams and apps in need, after 30 days’ public notice.
    </p>
  </form>`
}

/** `7 more days`, `5 hours`; rounded down, so that nobody is promised what is not paid for. */
export function buys({ buysSeconds }: Pick<Offer, 'buysSeconds'>, more: boolean): string {
  if (buysSeconds === null) return 'many years'
  const extra = more ? ' more' : ''
  const unit = (size: number, one: string) => {
    const many = Math.floor(buysSeconds / size)
    return plural(many, `${extra} ${one}`.trim()).replace(/(\d)\u00a0more /, '$1 more ')
  }
  if (buysSeconds >= 2 * DAY_SECONDS) return unit(DAY_SECONDS, 'day')
  if (buysSeconds >= 2 * HOUR_SECONDS) return unit(HOUR_SECONDS, 'hour')
  return buysSeconds < 60 ? 'under a minute' : unit(60, 'minute')
}
