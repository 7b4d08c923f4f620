/**
 * For tests: many small changes to good texts, cheap enough for 20,000 of each parser. A text that breaks something is
 * printed with the seed that makes it again (TEST_SEED).
 */
const SCALE = Number(process.env['TEST_SCALE'] ?? 1)
export const CASES = 20_000 * SCALE
/** No reader of strangers' text may take longer for one; the machine may be busy with other things. */
const LONGEST_MS = 2_000
const ODD = [
  '',
  '\0',
  '\n',
  '\r\n',
  '\u2028',
  '\ud800',
  '\ufeff',
  '"',
  "'",
  '`',
  '\\',
  '/',
  '..',
  '%2e',
  '#',
  '{',
  '}',
  '[',
  ']',
  '<',
  '>',
  ',',
  ':',
  '-',
  '=',
  '*',
  '$(x)',
  '0',
  '-1',
  '1e999',
  'null',
  'true',
  '{}',
  '[]',
  '__proto__',
  'constructor',
  'é',
  '𝒳',
  ' ',
  '\t',
]

export interface Fuzz {
  readonly corpus: readonly string[]
  /** Words that mean something to the parser. */
  readonly words?: readonly string[]
  readonly cases?: number
}

export function fuzz({ corpus, words = [], cases = CASES }: Fuzz, check: (text: string) => void): void {
  const seed = Number(process.env['TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  const random = randomFrom(seed)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  for (let at = 0; at < cases; at++) {
    let text = pick(corpus)
    for (let changes = Math.floor(random() * 6); changes > 0; changes--) {
      const from = Math.floor(random() * (text.length + 1))
      const to = Math.min(text.length, from + Math.floor(random() ** 3 * 40))
      const kind = random()
      const put =
        kind < 0.3
          ? pick(ODD)
          : kind < 0.5
            ? pick(words.length > 0 ? words : ODD)
            : kind < 0.6
              ? String.fromCharCode(Math.floor(random() * 256))
              : kind < 0.75
                ? text.slice(from, to).repeat(2)
                : kind < 0.9
                  ? pick(corpus).slice(from, to + 20)
                  : ''
      text = text.slice(0, from) + put + text.slice(kind < 0.5 ? from : to)
    }
    const before = performance.now()
    try {
      check(text)
    } catch (cause) {
      throw new Error(`case ${at} of seed ${seed}: ${JSON.stringify(text.slice(0, 2000))}`, { cause })
    }
    const tookMs = performance.now() - before
    if (tookMs > LONGEST_MS)
      throw new Error(
        `case ${at} of seed ${seed} took ${Math.round(tookMs)} ms: ${JSON.stringify(text.slice(0, 2000))}`,
      )
  }
}

/** Mulberry32: small, and the same on every machine. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), 1 | state)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }
}
