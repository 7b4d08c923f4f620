/** A stored document as it is sent: with the door's own origin in the place that was kept for it. */
import { ORIGIN } from './malformed.ts'

const PLACE = Buffer.from(ORIGIN)

/** The place may lie across two chunks, so the end of each that could begin it waits for the next. */
export async function* withOrigin(chunks: AsyncIterable<Buffer>, origin: string): AsyncGenerator<Buffer> {
  const put = Buffer.from(origin)
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const parts: Buffer[] = []
    let from = 0
    for (let at = bytes.indexOf(PLACE); at >= 0; at = bytes.indexOf(PLACE, from)) {
      parts.push(bytes.subarray(from, at), put)
      from = at + PLACE.length
    }
    const keep = Math.min(PLACE.length - 1, bytes.length - from)
    parts.push(bytes.subarray(from, bytes.length - keep))
    rest = bytes.subarray(bytes.length - keep)
    yield Buffer.concat(parts)
  }
  if (rest.length > 0) yield rest
}
