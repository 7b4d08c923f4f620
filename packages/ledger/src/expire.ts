/** Releases holds whose deadline passed. Their ids are derived from the holds', so two sweeps release once. */
import { deriveId } from '@perennial/protocol'
import type pg from 'pg'
import type { Event, Result } from './event.ts'

const SWEEP_LIMIT = 1_000

/** Returns how many holds it released, and leaves none behind that had expired when it began. */
export async function expireHolds(
  readers: pg.Pool,
  post: (events: Event[]) => Promise<Result[]>,
  nowMs: number,
): Promise<number> {
  let released = 0
  for (;;) {
    const { rows } = await readers.query<{ id: string; code: number }>(
      `select t.id, t.code from ledger.hold as h join ledger.transfer as t on t.seq = h.seq
       where h.expires <= $1 order by h.expires limit $2`,
      [Math.floor(nowMs / 1000), SWEEP_LIMIT],
    )
    if (rows.length === 0) return released
    const results = await post(
      rows.map(({ id, code }) => ({ id: deriveId('expire', id), kind: 'expire', ref: id, code })),
    )
    const created = results.filter((result) => result.status === 'created').length
    released += created
    if (created === 0) return released // All taken by others, or the ledger's clock is behind ours: the next sweep's.
  }
}
