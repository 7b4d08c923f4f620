/** Randomness that can be had again: a test prints its seed, and `TEST_SEED=<seed>` repeats it. */

export interface Random {
  /** 0 ≤ n < limit. */
  below(limit: number): number
  chance(ofOne: number): boolean
  pick<T>(values: readonly T[]): T
  uuid(): string
}

/** How many times the default count of cases to run. */
export const SCALE = Number(process.env['TEST_SCALE'] ?? 1)

export function seeds(count: number): number[] {
  const given = process.env['TEST_SEED']
  if (given) return [Number(given)]
  return Array.from({ length: count * SCALE }, () => Math.floor(Math.random() * 2 ** 31))
}

/** Mulberry32: 32 bits of state, good enough to choose cases. */
export function random(seed: number): Random {
  let state = seed
  function next(): number {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return {
    below,
    chance: (ofOne) => next() < ofOne,
    pick: (values) => values[below(values.length)]!,
    uuid() {
      const hex = Array.from({ length: 32 }, () => below(16).toString(16)).join('')
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    },
  }
}
