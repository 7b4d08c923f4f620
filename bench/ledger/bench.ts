/**
 * The ledger against its peers, as ratios of transfers per second in one run; see README.md.
 *
 * Each round measures one after the other, so that what else the machine does hits both; the medians count.
 */
import { startCluster, type Cluster } from '@perennial/testnet/postgres'
import { migrateLedger, openLedger, type Ledger } from '@perennial/ledger'
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { bareInserts } from './bare.ts'
import { payFor, type Load } from './load.ts'
import { peerPayments, tpcB } from './pgbench.ts'

export interface Figure {
  bench: 'ledger'
  case: string
  /** Transfers per second. */
  ours: number
  peer: string
  theirs: number
  /** ours ÷ theirs, median of the rounds: higher is better. */
  ratio: number
  unit: 'transfers/s'
}

const ACCOUNTS = 10_000
/** Below this the peer would be a straw man, and the run fails. */
const PEER_FLOOR = 0.7

export async function* run({ rounds, seconds }: { rounds: number; seconds: number }): AsyncGenerator<Figure> {
  await using cluster = await startCluster({ settings: { shared_buffers: '512MB', max_wal_size: '8GB' } })
  await prepare(cluster)
  const ledger = await openLedger({ url: cluster.url })
  try {
    const accounts = await Promise.all(Array.from({ length: ACCOUNTS }, (_, n) => open(ledger, n)))
    const pay = (load: Load) => (): Promise<number> => payFor({ ledger, accounts, load, seconds })
    const peer =
      (load: Load, connections = load.callers) =>
      (): Promise<number> =>
        peerPayments({ url: cluster.url, hot: load.hot, connections, seconds })

    const control = await compare({
      rounds,
      case: 'peer-alone',
      peer: 'pgbench-tpc-b',
      ours: peer({ callers: 1, hot: false }),
      theirs: () => tpcB({ url: cluster.url, seconds }),
    })
    yield control
    if (control.ratio < PEER_FLOOR)
      throw new Error(
        `the peer reaches ${control.ratio.toFixed(2)} of pgbench TPC-B, less than ${PEER_FLOOR}: no fair comparison`,
      )

    for (const [name, load] of Object.entries(LOADS))
      yield await compare({ rounds, case: name, peer: 'pgledger', ours: pay(load), theirs: peer(load) })
    // When all want one row, a peer behind a small pool fares better than with a connection for each caller.
    const hot = LOADS['hot-64']
    yield await compare({ rounds, case: 'hot-64-pool-8', peer: 'pgledger', ours: pay(hot), theirs: peer(hot, 8) })
    yield await compare({
      rounds,
      case: 'batch-800',
      peer: 'unchecked-insert',
      ours: pay({ callers: 1, hot: false, batch: 800 }),
      theirs: () => bareInserts({ url: cluster.url, batch: 800, seconds }),
    })
  } finally {
    await ledger.close()
  }
}

/** `hot`: everybody pays one account, as an app that many people use; else any account pays any other. */
const LOADS = {
  'hot-64': { callers: 64, hot: true },
  'uniform-64': { callers: 64, hot: false },
  'hot-8': { callers: 8, hot: true },
  'uniform-8': { callers: 8, hot: false },
  'one-caller': { callers: 1, hot: false },
} satisfies Record<string, Load>

interface Comparison {
  rounds: number
  case: string
  peer: string
  ours: () => Promise<number>
  theirs: () => Promise<number>
}

async function compare({ rounds, case: name, peer, ours, theirs }: Comparison): Promise<Figure> {
  const pairs: { ours: number; theirs: number }[] = []
  for (let round = 0; round < rounds; round += 1) {
    // Who goes first alternates: the second finds a warmer machine.
    const oursFirst = round % 2 === 0 ? await ours() : undefined
    const rate = await theirs()
    pairs.push({ ours: oursFirst ?? (await ours()), theirs: rate })
  }
  return {
    bench: 'ledger',
    case: name,
    ours: Math.round(median(pairs.map((pair) => pair.ours))),
    peer,
    theirs: Math.round(median(pairs.map((pair) => pair.theirs))),
    ratio: Number(median(pairs.map((pair) => pair.ours / pair.theirs)).toFixed(2)),
    unit: 'transfers/s',
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Nobody has a floor, here and at the peer: whether money is there must not decide what is measured. */
function open(ledger: Ledger, n: number): Promise<bigint> {
  return ledger.openAccount({ name: `account ${n}`, asset: 1, public: n % 2 === 0, floor: null })
}

async function prepare(cluster: Cluster): Promise<void> {
  const client = new pg.Client({ connectionString: cluster.url })
  await client.connect()
  await migrateLedger(client)
  for (const file of ['peer.sql', 'bare.sql'])
    await client.query(await readFile(new URL(file, import.meta.url), 'utf8'))
  await client.end()
}
