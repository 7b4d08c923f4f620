/** One thing at a time per key; other keys go on meanwhile. */
export interface Locks {
  hold<T>(key: string, work: () => Promise<T>): Promise<T>
}

export function openLocks(): Locks {
  const last = new Map<string, Promise<unknown>>()
  return {
    hold(key, work) {
      const before = last.get(key) ?? Promise.resolve()
      const mine = before.then(work, work)
      last.set(key, mine)
      const forget = () => {
        if (last.get(key) === mine) last.delete(key)
      }
      mine.then(forget, forget)
      return mine
    },
  }
}
