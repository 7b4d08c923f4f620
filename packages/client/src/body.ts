/** Reads a body of bounded size: an answer is never larger than what its reader is ready to hold. */
import { concat, type Bytes } from '@perennial/protocol'
import { BadAnswer } from './errors.ts'

export async function readBody(response: Response, maxBytes: number): Promise<Bytes> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxBytes) throw new BadAnswer(`the answer is longer than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return concat(...chunks)
}
