/**
 * For tests: thousands of bad inputs a second, from good ones by small damage, the same for the same seed.
 *
 * fast-check builds a tree to shrink for each input, which a parser that takes microseconds cannot wait for.
 */
export interface Random {
  /** A whole number below `n`. */
  below(n: number): number
  pick<T>(all: readonly T[]): T
}

/** Mulberry32. */
export function random(seed: number): Random {
  let state = seed
  const below = (n: number) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n)
  }
  return { below, pick: (all) => all[below(all.length)] as (typeof all)[number] }
}

/** Cuts, doubles, swaps and plants: one to four small changes. `tokens` are what the parser looks for. */
export function damaged(text: string, tokens: readonly string[], by: Random): string {
  let out = text
  for (let changes = 1 + by.below(4); changes > 0; changes--) {
    const at = by.below(out.length + 1)
    const to = Math.min(out.length, at + by.below(24))
    const planted = [
      () => '',
      () => by.pick(tokens),
      () => out.slice(at, to).repeat(2),
      () => String.fromCharCode(by.below(by.below(4) === 0 ? 0x10000 : 128)),
      () => by.pick(tokens) + out.slice(at, to),
    ]
    out = out.slice(0, at) + by.pick(planted)() + out.slice(to)
  }
  return out
}

/** 20,000 inputs, times TEST_SCALE, made from `samples`. */
export function fuzz(
  { samples, tokens, seed = 1 }: { samples: readonly string[]; tokens: readonly string[]; seed?: number },
  see: (input: string) => void,
): void {
  const by = random(seed)
  for (let left = 20_000 * Number(process.env['TEST_SCALE'] ?? 1); left > 0; left--)
    see(damaged(by.pick(samples), tokens, by))
}
