/** Our side: callers in one process who each wait for their answer, and ask again. */
import { newId } from '@perennial/protocol'
import { succeeded, type Event, type Ledger } from '@perennial/ledger'

export interface Load {
  callers: number
  hot: boolean
  /** Events in each call; 1 if not said. */
  batch?: number
}

/** Returns acknowledged transfers per second. */
export async function payFor(options: {
  ledger: Ledger
  accounts: readonly bigint[]
  load: Load
  seconds: number
}): Promise<number> {
  const { ledger, accounts, load, seconds } = options
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  let done = 0
  async function caller(): Promise<void> {
    while (performance.now() < endMs) {
      const results = await ledger.post(Array.from({ length: load.batch ?? 1 }, () => payment(accounts, load.hot)))
      if (!results.every(succeeded))
        throw new Error(`a payment of the benchmark was refused: ${JSON.stringify(results[0]?.status)}`)
      done += results.length
    }
  }
  await Promise.all(Array.from({ length: load.callers }, caller))
  return (done * 1000) / (performance.now() - startMs)
}

function payment(accounts: readonly bigint[], hot: boolean): Event {
  const payer = 1 + Math.floor(Math.random() * (accounts.length - 1))
  // Never the payer itself: some distance further round.
  const other = (payer + 1 + Math.floor(Math.random() * (accounts.length - 1))) % accounts.length
  return { id: newId(), code: 1, debit: accounts[payer]!, credit: accounts[hot ? 0 : other]!, amount: 5n }
}
