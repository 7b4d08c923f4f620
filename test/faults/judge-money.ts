/**
 * Whether the books have each payment as its payer has it: acknowledged ones exactly once and whole, the others at
 * most once and never in part, and nothing that nobody asked for.
 */
import { deriveId } from '@perennial/protocol'
import type { Payment } from './acknowledgements.ts'
import type { Row } from './books.ts'

export interface Verdict {
  readonly lost: string[]
  readonly doubled: string[]
}

const PARTS = ['commons', 'reserve', 'purse'] as const

/** `rows`: of the commons, and of each app's purse and reserve. A row of two of them may be given twice. */
export function judgeMoney(payments: readonly Payment[], rows: readonly Row[]): Verdict {
  const verdict: Verdict = { lost: [], doubled: [] }
  const given = new Map<string, Row[]>()
  for (const row of rows.filter(({ code }) => code.startsWith('contribution-')))
    given.set(row.id, [...(given.get(row.id) ?? []), row])

  for (const payment of payments) {
    const { id, amount, paid } = payment
    let moved = 0n
    for (const part of PARTS) {
      const transfer = deriveId('contribution', id, `contribution-${part}`)
      const found = given.get(transfer) ?? []
      given.delete(transfer)
      moved += found[0]?.amount ?? 0n
      const want = paid?.parts[part]
      if (found.length > 1)
        verdict.doubled.push(`payment ${id}: its part for the ${part} is there ${found.length} times`)
      if (found[0] && found[0].credit !== accountOf(part, payment.app))
        verdict.lost.push(`payment ${id}: its part for the ${part} went to ${found[0].credit}`)
      if (want === undefined || want === (found[0]?.amount ?? 0n)) continue
      if (found[0])
        verdict.lost.push(`payment ${id}: ${want} for the ${part} was acknowledged, ${found[0].amount} is there`)
      else verdict.lost.push(`payment ${id}: ${want} for the ${part} was acknowledged and is not there`)
    }
    if (moved !== amount && moved !== 0n) verdict.lost.push(`payment ${id} of ${amount}: ${moved} of it is there`)
  }
  for (const [id, [row]] of given)
    verdict.doubled.push(
      `row ${row!.seq} (${row!.code} of ${row!.amount}, transfer ${id}) is of no payment that anybody asked for`,
    )
  return verdict
}

function accountOf(part: (typeof PARTS)[number], app: string): string {
  return part === 'commons' ? 'commons' : `app/${app}/${part}`
}
