/**
 * Numbers of sandboxes and scratch disks: address, interface and user ids follow from them. Handed out round
 * and round, so that an address that was just freed is not soon somebody else's while a gateway still knows it.
 */
import { Refusal } from './refuse.ts'

export interface Numbers {
  take(): number
  give(number: number): void
}

export function openNumbers({ capacity, taken }: { capacity: number; taken: Iterable<number> }): Numbers {
  const used = new Set(taken)
  let next = used.size > 0 ? (Math.max(...used) + 1) % capacity : 0
  return {
    take() {
      if (used.size >= capacity)
        throw new Refusal('no-room', `all ${capacity} places for sandboxes are taken; remove one first`)
      while (used.has(next)) next = (next + 1) % capacity
      const number = next
      used.add(number)
      next = (next + 1) % capacity
      return number
    },
    give: (number) => void used.delete(number),
  }
}
