/**
 * How much the daemon does at once, for all connections together: a request goes on when its connection is closed,
 * so a limit for each would be none for who connects again and again.
 */
export interface Load {
  hasRoom(): boolean
  /** Counts a request until what it returns is called. */
  take(kind: 'work' | 'wait'): () => void
  /** `again` is called when there may be room. */
  stall(again: () => void): void
  forget(again: () => void): void
}

const maxWork = 256
/** Waiting for the end of a sandbox costs a timer, and a node waits for each that runs. */
const maxWaits = 16_384

export function openLoad(): Load {
  const count = { work: 0, wait: 0 }
  const stalled = new Set<() => void>()
  return {
    hasRoom: () => count.work < maxWork && count.wait < maxWaits,
    take(kind) {
      count[kind]++
      return () => {
        count[kind]--
        const waiting = [...stalled]
        stalled.clear()
        for (const again of waiting) again()
      }
    },
    stall: (again) => void stalled.add(again),
    forget: (again) => void stalled.delete(again),
  }
}
