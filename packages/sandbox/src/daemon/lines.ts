/**
 * Cuts a stream of bytes into lines. Each byte is looked at once and copied a few times at most, however small the
 * pieces are in which somebody sends a long line.
 */
const newline = 10

export interface Lines {
  push(chunk: Buffer): void
  /** The next whole line without its end; valid until the next `push`. */
  next(): Buffer | undefined
  /** Of the line that is not whole yet, once `next` found none. */
  readonly heldBytes: number
}

export function openLines(): Lines {
  let held: Buffer = Buffer.alloc(0)
  let start = 0
  let end = 0
  /** No newline lies before this. */
  let searched = 0

  function makeRoomFor(sizeBytes: number): void {
    const kept = end - start
    const larger = Buffer.allocUnsafe(2 * (kept + sizeBytes))
    held.copy(larger, 0, start, end)
    searched -= start
    held = larger
    start = 0
    end = kept
  }

  return {
    push(chunk) {
      if (start === end) {
        held = chunk
        start = searched = 0
        end = chunk.length
        return
      }
      if (end + chunk.length > held.length) makeRoomFor(chunk.length)
      chunk.copy(held, end)
      end += chunk.length
    },
    next() {
      const found = held.subarray(0, end).indexOf(newline, searched)
      searched = found < 0 ? end : found + 1
      if (found < 0) return undefined
      const line = held.subarray(start, found)
      start = found + 1
      return line
    },
    get heldBytes() {
      return end - start
    },
  }
}
