/** What a bench answers, and how two ways of doing the same are compared fairly on a machine that others use too. */
export interface Figure {
  bench: string
  case: string
  ours: number
  peer: string
  theirs: number
  /** Better when higher: rates ours ÷ theirs, times theirs ÷ ours; the median over the rounds. */
  ratio: number
  unit: string
}

export interface Comparison {
  readonly bench: string
  readonly case: string
  readonly peer: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
}

/** One round's two values, measured one right after the other. */
export interface Pair {
  readonly ours: number
  readonly theirs: number
}

export function figure({ better, ...what }: Comparison, pairs: readonly Pair[]): Figure {
  const ratio = ({ ours, theirs }: Pair) => (better === 'higher' ? ours / theirs : theirs / ours)
  return {
    bench: what.bench,
    case: what.case,
    ours: rounded(median(pairs.map((pair) => pair.ours))),
    peer: what.peer,
    theirs: rounded(median(pairs.map((pair) => pair.theirs))),
    ratio: Number(median(pairs.map(ratio)).toFixed(2)),
    unit: what.unit,
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function rounded(value: number): number {
  return value >= 100 ? Math.round(value) : Number(value.toFixed(2))
}
