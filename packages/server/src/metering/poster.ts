/** Posts the chains of closed intervals and marks them, as often as it takes. */
import { succeeded, type Event, type Ledger } from '@perennial/ledger'
import type { Services } from '../services.ts'
import { accountOf, type Accounts } from './accounts.ts'
import { chainOf } from './chain.ts'
import { markPosted } from './queries/usage.ts'
import type { Closed } from './stream.ts'

/** Chains in one call: some 800 events, well below what a ledger takes at once. */
const AT_ONCE = 100

export interface PosterDeps {
  readonly ledger: Ledger
  readonly accounts: Accounts
  /** did:key of the node: who is paid for what an older version stored without saying so. */
  readonly provider: string
  /** Where a test may end the process. */
  readonly crash: (point: string) => void
}

export interface Posting {
  /** Ids that are on the ledger now. */
  readonly posted: ReadonlySet<string>
  /** Ids that the ledger will not take, however often it is asked. */
  readonly refused: ReadonlySet<string>
}

/** Throws when ledger or database cannot be reached. */
export type Poster = (intervals: readonly Closed[]) => Promise<Posting>

export function openPoster(services: Pick<Services, 'database' | 'clock' | 'diagnostics'>, deps: PosterDeps): Poster {
  const { database, clock, diagnostics } = services
  const { ledger, accounts, provider, crash } = deps

  const chain = async (interval: Closed): Promise<Event[]> => {
    const [clearing, paid] = await Promise.all([
      accounts.id(accountOf.clearing(interval.app)),
      accounts.id(accountOf.provider(interval.provider ?? provider)),
    ])
    return chainOf(interval, { clearing, provider: paid })
  }

  const post = async (intervals: readonly Closed[]): Promise<{ posted: string[]; refused: string[] }> => {
    const chains = await Promise.all(intervals.map(chain))
    diagnostics.debug('phase', { phase: 'post', intervals: chains.length })
    const results = await ledger.post(chains.flat())
    crash('posted')
    const posted: string[] = []
    const refused: string[] = []
    let at = 0
    for (const [place, events] of chains.entries()) {
      const answers = results.slice(at, at + events.length)
      at += events.length
      const id = intervals[place]!.id
      if (answers.every(succeeded)) posted.push(id)
      // Holds were made for it and ids are its own: a refusal here is a bug, and the row stays to be looked at.
      else {
        refused.push(id)
        diagnostics.error(`the ledger refused the charge of interval ${id}; it is posted again when the node starts`, {
          interval: intervals[place],
          answers,
        })
      }
    }
    await database.transaction((tx) => markPosted(tx, posted, clock.now()))
    crash('marked')
    return { posted, refused }
  }

  return async (intervals) => {
    const all = { posted: new Set<string>(), refused: new Set<string>() }
    for (let at = 0; at < intervals.length; at += AT_ONCE) {
      const { posted, refused } = await post(intervals.slice(at, at + AT_ONCE))
      for (const id of posted) all.posted.add(id)
      for (const id of refused) all.refused.add(id)
    }
    return all
  }
}
