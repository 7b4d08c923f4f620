/** The public books, read as any stranger can: account by account, each row once, checked to be still there. */
import { isRefusal, methods, type OutputOf } from '@perennial/protocol'
import type { Client } from '@perennial/client'

export type Row = OutputOf<typeof methods.ledger.statement>['rows'][number]
export type Account = OutputOf<typeof methods.ledger.account>

const PAGE = 500
const ANSWER_MS = 30_000

export interface Books {
  /** All rows of an account so far, oldest first. `lost` is told when one that was read before is not there any more. */
  rows(account: string): Promise<readonly Row[]>
  /** Null: it was never used. */
  account(name: string): Promise<Account | null>
  /** Sentences: rows that were public and are not any more. */
  readonly vanished: string[]
  /** The next reading begins with the first row. */
  forget(): void
}

export function openBooks(client: Client): Books {
  const known = new Map<string, Row[]>()
  const vanished: string[] = []
  const before = new Map<string, Row>()

  const page = async (account: string, after: bigint): Promise<readonly Row[]> => {
    const signal = AbortSignal.timeout(ANSWER_MS)
    const answer = await client.call(methods.ledger.statement, { account, after, limit: PAGE }, { signal })
    if (!isRefusal(answer)) return answer.rows
    if (answer.refusal === 'client-error/not-found') return []
    throw new Error(answer.sentence)
  }

  return {
    vanished,
    async rows(account) {
      const rows = known.get(account) ?? []
      known.set(account, rows)
      const last = rows.at(-1)
      // The last row that is known is read again: the books are one chain, so what stood before it stands too.
      for (let after = last ? last.seq - 1n : 0n; ;) {
        const found = await page(account, after)
        if (last && after === last.seq - 1n && found[0]?.leaf !== last.leaf)
          vanished.push(`${account}: row ${last.seq} (${last.code} of ${last.amount}) is not there any more`)
        rows.push(...found.filter(({ seq }) => seq > (rows.at(-1)?.seq ?? 0n)))
        if (found.length < PAGE) break
        after = found.at(-1)!.seq
      }
      const remembered = before.get(account)
      if (remembered && !rows.some(({ leaf }) => leaf === remembered.leaf))
        vanished.push(
          `${account}: row ${remembered.seq} (${remembered.code} of ${remembered.amount}) is not there any more`,
        )
      return rows
    },
    async account(name) {
      const signal = AbortSignal.timeout(ANSWER_MS)
      const answer = await client.call(methods.ledger.account, { account: name }, { signal })
      if (!isRefusal(answer)) return answer
      if (answer.refusal === 'client-error/not-found') return null
      throw new Error(answer.sentence)
    },
    forget() {
      for (const [account, rows] of known) if (rows.length > 0) before.set(account, rows.at(-1)!)
      known.clear()
    },
  }
}
