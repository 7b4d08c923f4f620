/** Why an app is in its state, for its public history. */
import type { Runway, State } from '@perennial/protocol'

export const ON_ALLOWANCE = "It runs on this node's start allowance until someone pays for it."
export const PURSE_EMPTY = 'The purse is empty. Nothing is lost; any payment starts it again.'
const ARCHIVED =
  'Frozen for 30 days, and its reserve is used up. What it keeps stays, paid by the commons; any payment revives it.'

export function sentenceOf(state: State, runway: Runway, wasOff: boolean): string {
  const until = untilText(runway)
  switch (state) {
    case 'funded':
      return `${wasOff ? 'Paid for again' : 'Paid for'}${until}.`
    case 'low':
      return `Fewer than 14 days of money are left${until}.`
    case 'thrifty':
      return `Fewer than 3 days of money are left${until}: builds, workers and timed jobs wait, and it sleeps while nobody visits.`
    case 'frozen':
      return PURSE_EMPTY
    case 'archived':
      return ARCHIVED
  }
}

function untilText({ earliest, latest, estimate }: Runway): string {
  if (earliest === null) return ''
  const first = dayWords(earliest)
  const last = latest === null ? 'later' : dayWords(latest)
  const range = first === last ? `until ${first}` : `until ${first} at the earliest, ${last} at the latest`
  return `, ${range}${estimate ? ' (an estimate)' : ''}`
}

/** 21 Nov 2026 */
function dayWords(date: Date): string {
  const [, month, day, year] = date.toUTCString().match(/, (\d{2}) (\w{3}) (\d{4})/) ?? []
  return `${Number(month)} ${day} ${year}`
}
