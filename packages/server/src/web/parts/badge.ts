/** For a README: the mark, "paid until", and the days. About 1 kB, shown by sites we know nothing of, so it loads nothing. */
import { html, type Html } from '../html.ts'
import type { App } from '../views.ts'
import { isGranted, paidUntil } from './runway-text.ts'

/** Whatever font the reader has, the text is made this wide. */
const CHARACTER = 6.2

export function badge(app: Pick<App, 'state' | 'purse' | 'reserve' | 'runway' | 'name'>, now: Date): Html {
  const resting = app.state === 'frozen' || app.state === 'archived'
  const text = resting
    ? `${app.state}: anyone can pay`
    : isGranted(app)
      ? 'not paid yet: anyone can'
      : `paid until ${paidUntil(app.runway, now)}`
  const length = Math.ceil(text.length * CHARACTER)
  const width = length + 38
  return html`<svg
    xmlns="http://www.w3.org/2000/svg"
    width="${width}"
    height="28"
    role="img"
    aria-label="${app.name}: ${text}"
  >
    <rect x=".5" y=".5" width="${width - 1}" height="27" rx="4" fill="#fff" stroke="#7b897f" />
    <path
      transform="translate(8 6) scale(.67)"
      fill="#17633f"
      d="M11 18v-6.200C6.600 12 3 9.600 2.500 4.500c5 0 8.300 1.800 9.400 5.300C13.200 7 16 5.500 21 5.500c0 4.600-3.400 7.300-8 7.300V18zM2 19h20v1.300H2zM2 22h20v1.300H2z"
    />
    <text
      x="29"
      y="18.500"
      textLength="${length}"
      lengthAdjust="spacingAndGlyphs"
      font-family="system-ui,sans-serif"
      font-size="12"
      fill="#14201a"
    >
      ${text}
    </text>
  </svg>`
}
