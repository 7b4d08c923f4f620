/**
 * Takes secret values out of what an app prints, as its log is public: as they are, and as base64, hex, percent and JSON
 * encodings that programs make of them. A net, not a wall: an app that means to print its secrets finds another way.
 */

export interface KnownSecret {
  readonly name: string
  readonly value: string
}

/** Shorter values stand in ordinary words; taking them out would tell more than it hides. */
const SHORTEST = 8

export type Scrub = (text: string) => string

/** Null: there is nothing to take out. */
export function scrubber(secrets: readonly KnownSecret[]): Scrub | null {
  const forms = new Map<string, string>()
  for (const { name, value } of secrets)
    for (const part of [value, ...value.split(/\r?\n/)])
      if (part.length >= SHORTEST) for (const form of formsOf(part)) forms.set(form, `[${name}]`)
  // Longer ones first: what is left of a whole value would be no value any more, and stay.
  const all = [...forms].toSorted(([one], [other]) => other.length - one.length)
  if (all.length === 0) return null
  return (text) => {
    if (text.length < SHORTEST) return text
    let clean = text
    for (const [form, name] of all) if (clean.includes(form)) clean = clean.replaceAll(form, name)
    return clean
  }
}

function formsOf(value: string): string[] {
  const bytes = Buffer.from(value)
  const hex = bytes.toString('hex')
  const percent = encodeURIComponent(value)
  const json = JSON.stringify(value).slice(1, -1)
  const lower = percent.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())
  const forms = [value, hex, hex.toUpperCase(), percent, lower, percent.replaceAll('%20', '+'), json, ...base64(bytes)]
  return [...new Set(forms)].filter(({ length }) => length >= SHORTEST)
}

/**
 * Base64 of a text that holds the value depends on where it stands, modulo three bytes: for each of the three places,
 * the digits that the value alone decides, in both alphabets.
 */
function base64(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes])
    const digits = whole.toString('base64').replaceAll('=', '')
    const first = Math.ceil((before * 8) / 6)
    const last = Math.floor((whole.length * 8) / 6)
    const sure = digits.slice(first, last)
    return [sure, sure.replaceAll('+', '-').replaceAll('/', '_')]
  })
}
