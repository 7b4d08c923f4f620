/**
 * A process that visits one address at a steady rate, whether or not the visits before have been answered, and says
 * how long they took. A line on standard input says where and for how many milliseconds: `/ 1000`; a line of JSON is
 * the answer.
 */
import { Agent, request } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Visits {
  readonly count: number
  /** Not answered within the patience below, refused, or broken off. */
  readonly failed: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const betweenMs = 4
const patienceMs = 5000
/** Where to, the name to ask for, and the address to come from, each as words; `-` for none. */
const [origin = '', host = '-', from = '-'] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true, ...(from !== '-' && { localAddress: from }) })
const headers = host === '-' ? {} : { host }

/** How long it took; a visit that failed took as long as a visitor's patience. */
function visit(path: string): Promise<number> {
  const since = performance.now()
  return new Promise((resolve) => {
    const asked = request(`${origin}${path}`, { agent, headers, timeout: patienceMs }, (answer) => {
      answer
        .resume()
        .on('close', () =>
          resolve(answer.complete && answer.statusCode === 200 ? performance.now() - since : patienceMs),
        )
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
    asked.on('error', () => resolve(patienceMs))
    asked.end()
  })
}

async function visits({ path, forMs }: { path: string; forMs: number }): Promise<Visits> {
  const since = performance.now()
  const all: Promise<number>[] = []
  while (performance.now() - since < forMs) {
    all.push(visit(path))
    await sleep(Math.max(0, since + all.length * betweenMs - performance.now()))
  }
  const tookMs = (await Promise.all(all)).sort((a, b) => a - b)
  const at = (share: number) => tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))] ?? patienceMs
  const failed = tookMs.filter((ms) => ms >= patienceMs).length
  return { count: tookMs.length, failed, p50Ms: at(0.5), p99Ms: at(0.99) }
}

for await (const line of createInterface(process.stdin)) {
  const [path = '/', forMs = '0'] = line.split(' ')
  console.log(JSON.stringify(await visits({ path, forMs: Number(forMs) })))
}
