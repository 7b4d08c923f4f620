/** What wrk gets out of an address, and what one process spends on it. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

export const CONNECTIONS = 64

export interface Load {
  readonly perSecond: number
  /** CPU time of the process in the middle. */
  readonly cpuMicrosPerRequest: number
}

/** A run with a single failed request is no measurement, and throws. */
export async function load(to: { port: number; host: string; seconds: number; pid?: number }): Promise<Load> {
  const before = to.pid === undefined ? 0 : cpuMicros(to.pid)
  const { stdout } = await promisify(execFile)('wrk', [
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${to.seconds}s`,
    '-H',
    `Host: ${to.host}`,
    `http://127.0.0.1:${to.port}/`,
  ])
  const trouble = /Non-2xx[^\n]*|Socket errors[^\n]*/.exec(stdout)?.[0]
  if (trouble !== undefined) throw new Error(`requests to ${to.host} at port ${to.port} failed: ${trouble}`)
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1])
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
  const spent = to.pid === undefined ? 0 : cpuMicros(to.pid) - before
  return { perSecond, cpuMicrosPerRequest: spent / requests }
}

/** User and system time; the kernel counts it in hundredths of a second. */
function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}
