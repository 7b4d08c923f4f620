/** Puts the hash of a public document into the log: releases, states, price books. The caller keeps and shows the document. */
import { sha256, utf8 } from '@perennial/protocol'
import type { Writer } from './writer.ts'

export interface Document {
  /** What it is about: protocol/codes.ts. */
  topic: number
  /** Its exact bytes. The same bytes under the same topic are recorded once, so a document names its subject and time. */
  document: string | Uint8Array
}

export async function record(writer: Writer, { topic, document }: Document, nowMs: number): Promise<{ seq: bigint }> {
  const hash = sha256(typeof document === 'string' ? utf8(document) : document)
  return writer.ask<{ seq: bigint }>({
    name: 'record',
    text: 'select ledger.record($1, $2, $3, $4) as seq',
    values: [writer.epoch, topic, Buffer.from(hash), new Date(nowMs).toISOString()],
  })
}
