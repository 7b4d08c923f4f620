/** The child of ../killed.test.ts: takes the payments it is told to, says which it has taken, and dies at a named point. */
import { writeSync } from 'node:fs'
import { openLedger } from '@perennial/ledger'
import { DEFAULT_PRICE_BOOK, isRefusal } from '@perennial/protocol'
import { appLimits, openApps } from '../../apps/index.ts'
import { systemClock } from '../../clock.ts'
import { readConfig } from '../../config.ts'
import { openDatabase } from '../../database.ts'
import { openDiagnostics } from '../../diagnostics.ts'
import { openEvents } from '../../events.ts'
import { openJobs } from '../../jobs.ts'
import { openAccounts, openMetering } from '../../metering/index.ts'
import { openFunding } from '../index.ts'

interface Orders {
  readonly url: string
  readonly point: string
  /** At which passing of the point. */
  readonly passing: number
  readonly payments: readonly { readonly id: string; readonly app: string; readonly amount: string }[]
}

await live(JSON.parse(process.argv[2] ?? '') as Orders)

async function live({ url, point, passing, payments }: Orders): Promise<void> {
  let left = passing
  const crash = (at: string) => {
    if (at !== point || --left > 0) return
    writeSync(1, `died ${at}\n`)
    process.kill(process.pid, 'SIGKILL')
  }
  const database = await openDatabase({ url })
  const diagnostics = openDiagnostics({ level: 'error' })
  const jobs = openJobs({ database, clock: systemClock, diagnostics, owner: 'child' })
  const events = openEvents({ jobs, clock: systemClock })
  const services = { config: readConfig({}), database, events, jobs, clock: systemClock, diagnostics }
  const ledger = await openLedger({ url })
  const [accounts, apps, priceBook] = [openAccounts(ledger), openApps(services), DEFAULT_PRICE_BOOK]
  const metering = await openMetering(services, {
    ledger,
    accounts,
    apps,
    priceBook,
    limits: appLimits(services.config),
    provider: 'did:key:z6MkTest',
    sources: {
      read: () => Promise.resolve([]),
      requests: () => Promise.resolve([]),
      exhausted: () => Promise.resolve(),
    },
  })
  const funding = await openFunding(services, { ledger, accounts, apps, metering, priceBook, crash })
  await funding.recover()
  for (const { id, app, amount } of payments) {
    const receipt = await funding.contribute({ id, app, amount: BigInt(amount) })
    if (isRefusal(receipt)) throw new Error(receipt.sentence)
    writeSync(1, `paid ${receipt.id} ${receipt.amount}\n`)
  }
  process.exit(0)
}
