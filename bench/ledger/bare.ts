/** The least that could be done: rows of the same width appended in batches, nothing read and nothing decided. */
import { newId } from '@perennial/protocol'
import pg from 'pg'

const INSERT = {
  name: 'bare',
  text: `insert into peer.bare
    select nextval('peer.bare_seq'), id, 0, 1, now(), 2, 3, 5, null, null, 100, 0, 100, 1, 1, $2, $3
    from unnest($1::uuid[]) as id`,
}

/** Rows per second, one connection, `batch` rows a statement. */
export async function bareInserts({
  url,
  batch,
  seconds,
}: {
  url: string
  batch: number
  seconds: number
}): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  let done = 0
  while (performance.now() < endMs) {
    const ids = Array.from({ length: batch }, () => newId())
    await client.query({ ...INSERT, values: [ids, Buffer.alloc(16), Buffer.alloc(32)] })
    done += batch
  }
  const rate = (done * 1000) / (performance.now() - startMs)
  await client.end()
  return rate
}
