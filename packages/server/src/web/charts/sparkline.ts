/** Thirty days of balance from zero, beside the figure it belongs to. */
import type { Micros } from '@perennial/protocol'
import { html, type Html } from '../html.ts'
import { tone } from '../parts/state-pill.ts'
import type { AppState } from '../views.ts'
import { round, scaleTo } from './scale.ts'

const WIDTH = 64
const HEIGHT = 24

export function sparkline(balances: readonly Micros[], state: AppState): Html {
  if (balances.length < 2) return html`<svg width="72" height="${HEIGHT}" aria-hidden="true"></svg>`
  const most = balances.reduce((top, one) => (one > top ? one : top), 1n)
  const { y } = scaleTo(most, { top: 3, bottom: HEIGHT - 2, lines: 1 })
  const step = WIDTH / (balances.length - 1)
  const points = balances.map((balance, index) => `${round(index * step)} ${y(balance)}`)
  return html`<svg class="${tone(state)}" width="72" height="${HEIGHT}" aria-hidden="true">
    <path class="area" d="M${points.join('L')}V${HEIGHT - 2}H0z" />
    <path class="thin" d="M${points.join('L')}" />
    <circle class="solid" cx="${WIDTH}" cy="${y(balances.at(-1)!)}" r="2.500" />
  </svg>`
}
