/**
 * When something runs, as in crontab(5): minute, hour, day of the month, month, day of the week, in UTC.
 *
 *   "0 3 * * *"   "5,35 8-18 * * mon-fri"   "@daily"
 *
 * What comes out has numbers alone, so that whoever keeps the time needs to know no names.
 */
const NAMED = new Map([
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
  ['@monthly', '0 0 1 * *'],
  ['@weekly', '0 0 * * 0'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@hourly', '0 * * * *'],
])
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const FIELDS: readonly { readonly from: number; readonly to: number; readonly names?: readonly string[] }[] = [
  { from: 0, to: 59 },
  { from: 0, to: 23 },
  { from: 1, to: 31 },
  { from: 1, to: 12, names: MONTHS },
  { from: 0, to: 7, names: DAYS },
]
const LONGEST = 200

/** Null: it is no schedule. */
export function parseSchedule(text: string): string | null {
  if (text.length > LONGEST) return null
  const words = (NAMED.get(text.trim().toLowerCase()) ?? text.trim()).split(/\s+/)
  if (words.length !== FIELDS.length) return null
  const fields = words.map(parseField)
  return fields.includes(null) ? null : fields.join(' ')
}

function parseField(text: string, at: number): string | null {
  const parts = text.split(',').map((part) => parsePart(part, at))
  return parts.includes(null) ? null : parts.join(',')
}

/** `5`, `*`, `8-18`; the last two also with `/step`. */
function parsePart(text: string, at: number): string | null {
  const parts = /^(\*|[a-z0-9]{1,3}(?:-[a-z0-9]{1,3})?)(?:\/(\d{1,2}))?$/i.exec(text)
  if (!parts) return null
  const [, range = '', step] = parts
  if (step !== undefined && Number(step) < 1) return null
  const suffix = step === undefined ? '' : `/${Number(step)}`
  if (range === '*') return `*${suffix}`
  const numbers = range.split('-').map((word) => numberOf(word, at))
  const [first, last = first] = numbers
  if (first === null || last === null || first === undefined || last === undefined || first > last) return null
  if (step !== undefined && numbers.length === 1) return null
  return numbers.join('-') + suffix
}

function numberOf(word: string, at: number): number | null {
  const { from, to, names = [] } = FIELDS[at] ?? { from: 0, to: -1 }
  const named = names.indexOf(word.toLowerCase())
  const value = named >= 0 ? named + (from === 1 ? 1 : 0) : /^\d{1,2}$/.test(word) ? Number(word) : -1
  return value >= from && value <= to ? value : null
}
