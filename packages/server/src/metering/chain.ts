/**
 * A closed interval as the ledger's chain: what is held moves to the app's clearing account, and from there, meter
 * by meter, to whoever provided it. What of a hold is not needed is released. Clearing is zero after each chain.
 *
 * Ids are derived from the interval and its holds: posted twice, it happens once.
 */
import type { Event } from '@perennial/ledger'
import { deriveId, transferCode, type Meter } from '@perennial/protocol'
import type { Closed } from './stream.ts'

export interface ChainAccounts {
  readonly clearing: bigint
  readonly provider: bigint
}

export function chainOf(interval: Closed, { clearing, provider }: ChainAccounts): Event[] {
  let left = interval.charged
  const events: Event[] = interval.holds.map(({ id, amount }) => {
    const moves = amount < left ? amount : left
    left -= moves
    return moves > 0n
      ? { id: deriveId('post', id), kind: 'post', ref: id, amount: moves, code: transferCode('charge') }
      : { id: deriveId('void', id), kind: 'void', ref: id, code: transferCode('charge') }
  })
  if (left > 0n) throw new Error(`interval ${interval.id} charges ${left} micros more than is held for it`)
  for (const { meter, micros } of interval.lines) {
    if (micros === 0n) continue
    const id = deriveId('charge', interval.id, meter)
    events.push({ id, debit: clearing, credit: provider, amount: micros, code: chargeCode(meter) })
  }
  return events.map((event, place) => (place < events.length - 1 ? { ...event, linked: true } : event))
}

function chargeCode(meter: Meter): number {
  return transferCode(`charge-${meter}`)
}
