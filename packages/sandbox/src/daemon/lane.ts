/** So many at once and no more; whoever comes later waits for its turn. */
export interface Lane {
  hold<T>(work: () => Promise<T>): Promise<T>
}

export function openLane({ width }: { width: number }): Lane {
  const waiting: (() => void)[] = []
  let free = width
  return {
    async hold(work) {
      if (free > 0) free--
      else await new Promise<void>((resolve) => void waiting.push(resolve))
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else free++
      }
    },
  }
}
