/**
 * Which Node an app gets: 24, or 26 if `engines.node` allows only that. Ranges are judged by major versions.
 *
 *   ">=20"  "^24.1.0"  "24.x"  "20 || 26"  ">=18 <25"  "18 - 24"  "*"
 */
export interface NodeChoice {
  readonly major: 24 | 26
  /** Said to people when the app asked for another; else empty. */
  readonly note: string
}

const OFFERED = [24, 26] as const

export function nodeMajor(range: string | undefined): NodeChoice {
  if (range === undefined || range.trim() === '') return { major: 24, note: '' }
  const major = OFFERED.find((offered) => allows(range, offered))
  if (major !== undefined) return { major, note: '' }
  return {
    major: 24,
    note: ` It asks for Node ${range.trim().slice(0, 40)}; Node 24 and 26 are offered, and 24 was taken.`,
  }
}

function allows(range: string, major: number): boolean {
  return range.split('||').some((alternative) => allowsAll(alternative.trim(), major))
}

function allowsAll(alternative: string, major: number): boolean {
  const span = /^v?(\d{1,4})(?:\.[\dx*.]*)?\s+-\s+v?(\d{1,4})(?:\.[\dx*.]*)?$/.exec(alternative)
  if (span) return Number(span[1]) <= major && major <= Number(span[2])
  const comparators = alternative.match(/(?:[<>]=?|[=^~])?\s*v?(?:\d{1,4}(?:\.[\dA-Za-z*.+-]*)?|[x*])/g) ?? []
  return comparators.every((comparator) => allowsOne(comparator, major))
}

function allowsOne(comparator: string, major: number): boolean {
  const [, operator = '', digits, rest = ''] = /^([<>]=?|[=^~])?\s*v?(\d+|[x*])(.*)$/.exec(comparator) ?? []
  if (digits === undefined || digits === 'x' || digits === '*') return true
  const named = Number(digits)
  // `<26.0.0` leaves no 26; `<26.1.0` leaves some.
  const whole = !/[1-9]/.test(rest)
  if (operator === '<') return whole ? major < named : major <= named
  if (operator === '<=') return major <= named
  if (operator === '>') return rest === '' ? major > named : major >= named
  if (operator === '>=') return major >= named
  return major === named
}
