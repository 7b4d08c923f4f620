/**
 * Who pays for a request, in bytes: a request costs what was fetched for it or what was sent to it, whichever is
 * more. So a build that asks without reading, or by HEAD alone, makes the node fetch no more than its limit.
 */
export interface Payer {
  /** Throws `OverLimit` when that is more than is left. */
  fetched(bytes: number): void
}

/** The sandbox's limit of bytes is reached; who only waited for the same download asks for it anew. */
export class OverLimit extends Error {
  override readonly name = 'OverLimit'
}

/** A request to a registry costs this much besides what it brings. */
export const REQUEST_BYTES = 1024

/** Passes chunks on and has them paid. */
export async function* paid(chunks: AsyncIterable<Buffer>, payer: Payer): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    payer.fetched(chunk.length)
    yield chunk
  }
}
