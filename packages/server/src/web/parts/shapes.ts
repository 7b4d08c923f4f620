/** Small drawn signs. Each stands beside a word, so all are hidden from readers aloud. */
import { html, type Html } from '../html.ts'

/** The mark: a stem with two leaves over an accountant's double rule. */
export function mark(): Html {
  return html`<svg width="24" height="24" viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
    <path
      d="M11 18v-6.2C6.6 12 3 9.600 2.500 4.500c5 0 8.300 1.800 9.400 5.300C13.200 7 16 5.500 21 5.500c0 4.600-3.400 7.300-8 7.300V18z"
    />
    <path d="M2 19h20v1.300H2zM2 22h20v1.300H2z" />
  </svg>`
}

const STATES: Readonly<Record<string, Html>> = {
  funded: html`<circle cx="7" cy="7" r="6" fill="currentColor" />`,
  low: html`<circle cx="7" cy="7" r="5" fill="none" stroke="currentColor" stroke-width="2" /><path
      d="M2 7h10a5 5 0 0 1-10 0z"
      fill="currentColor"
    />`,
  thrifty: html`<path
      d="M7 1.400 12.600 7 7 12.600 1.400 7z"
      fill="none"
      stroke="currentColor"
      stroke-width="1.600"
    /><path d="M4.500 9.500h5L7 12z" fill="currentColor" />`,
  frozen: html`<path d="M7 .5 12.600 3.750v6.500L7 13.500 1.400 10.250v-6.500z" fill="currentColor" />`,
  archived: html`<path d="M1 2h12v3H1zM2 6h10v6H2zm3 1.500v1.500h4V7.500z" fill="currentColor" fill-rule="evenodd" />`,
  bad: html`<path d="M4.300.5h5.400l3.800 3.800v5.400l-3.800 3.800H4.300L.5 9.700V4.300z" fill="currentColor" /><path
      d="M7 3.200v4.600M7 9.400v1.700"
      stroke="var(--tone-wash)"
      stroke-width="1.700"
    />`,
}

/** Full disc, half-full disc, nearly empty diamond, hexagon, lidded box; octagon for errors. */
export function stateShape(state: string): Html {
  return html`<svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
    ${STATES[state] ?? STATES['funded']}
  </svg>`
}

const RINGS: Readonly<Record<string, Html>> = {
  done: html`<circle cx="12" cy="12" r="10" fill="none" stroke="currentColor" stroke-width="2" /><path
      d="m7.500 12.300 3 3 6-6.300"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
    />`,
  running: html`<circle cx="12" cy="12" r="10" fill="none" stroke="var(--rule)" stroke-width="3" /><path
      class="turning"
      d="M12 2a10 10 0 0 1 8 16"
      fill="none"
      stroke="currentColor"
      stroke-width="3"
    />`,
  waiting: html`<circle
    cx="12"
    cy="12"
    r="10"
    fill="none"
    stroke="var(--edge)"
    stroke-width="2"
    stroke-dasharray="3 3.300"
  />`,
  skipped: html`<circle cx="12" cy="12" r="10" fill="none" stroke="currentColor" stroke-width="2" /><path
      d="M8 12h8"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
    />`,
  failed: html`<circle cx="12" cy="12" r="10" fill="none" stroke="currentColor" stroke-width="2" /><path
      d="m8 8 8 8m0-8-8 8"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
    />`,
}

/** Ticked, turning, dashed or crossed ring. */
export function ring(status: string): Html {
  return html`<svg
    class="${status === 'failed' ? 'bad' : 'leaf'}"
    width="24"
    height="24"
    viewBox="0 0 24 24"
    aria-hidden="true"
  >
    ${RINGS[status]}
  </svg>`
}

export function tick(): Html {
  return html`<svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
    <path d="m2 7.500 3.500 3.500L12.500 3" fill="none" stroke="currentColor" stroke-width="2" />
  </svg>`
}
