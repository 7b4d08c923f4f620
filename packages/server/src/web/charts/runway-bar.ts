/**
 * How long an app is paid for, as one bar on an axis of half a year that all rows share.
 *
 * Solid to the early date, hatched to the late one, an arrowhead where it goes past the axis.
 */
import { DAY_MS } from '../format.ts'
import { html, type Html } from '../html.ts'
import { paidUntil } from '../parts/runway-text.ts'
import type { AppState, Runway } from '../views.ts'
import { tone } from '../parts/state-pill.ts'
import { round } from './scale.ts'
import { month } from '../format.ts'

const AXIS_DAYS = 182
const LOW_DAYS = 14
const THRIFTY_DAYS = 3

export function runwayBar({ runway, state, now }: { runway: Runway; state: AppState; now: Date }): Html {
  const early = runway.earliest === null ? 101 : percent(runway.earliest, now)
  const late = runway.latest === null ? 101 : percent(runway.latest, now)
  const solid = Math.min(early, 100)
  const hatched = Math.min(late, 100) - solid
  return html`<svg
    class="chart ${tone(state)}"
    width="100%"
    height="100%"
    role="img"
    aria-label="Paid until ${paidUntil(runway, now)}"
  >
    <rect class="tint-low" width="${percentOf(LOW_DAYS)}%" height="100%" />
    <rect class="tint-thrifty" width="${percentOf(THRIFTY_DAYS)}%" height="100%" />
    ${months(now).map(({ at }) => html`<line class="gridline" x1="${at}%" x2="${at}%" y2="100%" />`)}
    <svg y="50%" overflow="visible">
      <rect class="solid" y="-7" width="${solid}%" height="14" />
      ${
        hatched > 0
          ? html`<rect
              class="hatch-edge"
              x="${solid}%"
              y="-6.5"
              width="${round(hatched)}%"
              height="13"
              fill="url(#hatch-${tone(state)})"
            />`
          : null
      }${early > 100 ? html`<svg x="100%" overflow="visible"><path class="solid" d="M-1-7 7 0-1 7z" /></svg>` : null}
    </svg>
  </svg>`
}

/** The months' names above the bars. */
export function runwayScale(now: Date): Html {
  const shown = months(now).filter(({ at }) => at > 8 && at < 95)
  return html`<svg class="chart" width="100%" height="24" aria-hidden="true">
    <text class="now" y="18">today</text>
    ${shown.map(
      ({ at, first }) =>
        html`<text x="${at}%" y="18" ${first.getUTCMonth() === 0 ? html` class="now"` : null}
          >${first.getUTCMonth() === 0 ? first.getUTCFullYear().toString() : month(first)}</text
        >`,
    )}
  </svg>`
}

/** One hatch for each tone: a pattern takes its colour from where it stands, not from where it is used. */
export function hatches(): Html {
  return html`<svg class="hidden" width="0" height="0" aria-hidden="true">
    <defs>
      ${['running', 'low', 'thrifty', 'frozen', 'archived'].map(
        (name) =>
          html`<pattern
            id="hatch-${name}"
            class="${name}"
            width="5"
            height="5"
            patternUnits="userSpaceOnUse"
            patternTransform="rotate(45)"
            ><line class="hatch" x1="1" x2="1" y2="5"
          /></pattern>`,
      )}
    </defs>
  </svg>`
}

function months(now: Date): { at: number; first: Date }[] {
  return Array.from({ length: 6 }, (_, index) => {
    const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1 + index, 1))
    return { at: percent(first, now), first }
  }).filter(({ at }) => at < 100)
}

function percent(date: Date, now: Date): number {
  return round(Math.max(0, percentOf((date.getTime() - now.getTime()) / DAY_MS)))
}

function percentOf(days: number): number {
  return round((days / AXIS_DAYS) * 100)
}
