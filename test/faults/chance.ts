/** Everything that a run draws comes from its seed, through one of these per drawer. */
export interface Chance {
  /** From 0 up to, and without, `limit`. */
  below(limit: number): number
  pick<T>(from: readonly T[]): T
  /** Everything once in an order of its own, then everything once again. */
  bag<T>(of: readonly T[]): () => T
}

export function chance(seed: number): Chance {
  let state = seed >>> 0
  // mulberry32: small, and good enough to choose moments.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!
  return {
    below,
    pick,
    bag(of) {
      let left = [...of]
      return () => {
        if (left.length === 0) left = [...of]
        return left.splice(below(left.length), 1)[0]!
      }
    },
  }
}
