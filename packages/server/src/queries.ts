/** SQL of the root services that is no service of its own: documents behind the ledger's records. */
import type { Queryable } from './database.ts'

export interface Document {
  readonly hash: Buffer
  readonly topic: number
  readonly text: string
  readonly seq: bigint
  readonly at: Date
}

export async function insertDocument(database: Queryable, document: Document): Promise<void> {
  const { hash, topic, text, seq, at } = document
  await database.query(
    'insert into document (hash, topic, text, seq, at) values ($1, $2, $3, $4, $5) on conflict do nothing',
    [hash, topic, text, seq, at],
  )
}

/** The first of its topic. */
export async function firstDocument(database: Queryable, topic: number): Promise<Document | undefined> {
  const [row] = await database.query<Document>('select * from document where topic = $1 order by seq limit 1', [topic])
  return row
}
