/** One after the other: work that must not interleave waits for what was asked before it. */
export type Serial = <T>(work: () => Promise<T>) => Promise<T>

export function serial(): Serial {
  let turn: Promise<unknown> = Promise.resolve()
  return (work) => {
    const mine = turn.then(work)
    // The next one starts after a failure too; whoever asked for this one sees it.
    turn = mine.catch(() => undefined)
    return mine
  }
}
