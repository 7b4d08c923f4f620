/** What pgbench drives, in C and over prepared statements: the peer, and TPC-B as the measure of the peer. */
import { binary } from '@perennial/testnet/postgres'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)

interface Payments {
  url: string
  /** Everybody pays account 1. */
  hot: boolean
  connections: number
  seconds: number
}

/** Transfers per second of the peer. */
export function peerPayments({ url, hot, connections, seconds }: Payments): Promise<number> {
  const script = hot
    ? '\\set payer random(2, 10000)\nselect peer.pay(:payer, 1, 5);\n'
    : '\\set payer random(1, 10000)\n\\set payee 1 + (:payer + random(0, 9998)) % 10000\nselect peer.pay(:payer, :payee, 5);\n'
  return pgbench({ url, clients: connections, seconds, script })
}

let initialised = false

export async function tpcB({ url, seconds }: { url: string; seconds: number }): Promise<number> {
  if (!initialised) await exec(binary('pgbench'), ['-i', '-q', '-s', '10', url])
  initialised = true
  return pgbench({ url, clients: 1, seconds })
}

async function pgbench(options: { url: string; clients: number; seconds: number; script?: string }): Promise<number> {
  const { url, clients, seconds, script } = options
  const folder = await mkdtemp('/tmp/perennial-bench-')
  try {
    const file = join(folder, 'script.sql')
    await writeFile(file, script ?? '')
    const what = script ? ['-f', file] : ['-b', 'tpcb-like']
    const counts = ['-c', String(clients), '-j', '1', '-T', String(seconds)]
    const { stdout } = await exec(binary('pgbench'), ['-n', '-M', 'prepared', ...counts, ...what, url])
    const tps = /tps = ([\d.]+) \(without/.exec(stdout)?.[1]
    const failed = /number of failed transactions: (\d+)/.exec(stdout)?.[1]
    if (tps === undefined || (failed !== undefined && failed !== '0'))
      throw new Error(`pgbench did not finish cleanly:\n${stdout}`)
    return Number(tps)
  } finally {
    await rm(folder, { recursive: true })
  }
}
