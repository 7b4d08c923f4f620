/** `fetch.ts <package-lock.json> <registry>` fetches all tarballs of a lockfile, 15 at once, and prints the MB/s. */
import { readFileSync } from 'node:fs'
import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, get as httpsGet } from 'node:https'

const AT_ONCE = 15
const [, , lockfile = '', registry = ''] = process.argv
const lock = JSON.parse(readFileSync(lockfile, 'utf8')) as {
  packages: Record<string, { name?: string; version: string; integrity?: string }>
}
const wanted = Object.entries(lock.packages).flatMap(([path, { name, version, integrity }]) => {
  if (integrity === undefined) return []
  const of = name ?? path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
  return [`${registry.replace(/\/$/, '')}/${of}/-/${of.slice(of.indexOf('/') + 1)}-${version}.tgz`]
})
const secure = registry.startsWith('https:')
const agent = secure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
let bytes = 0

function fetchOne(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const take = (answer: IncomingMessage) => {
      answer.on('data', (chunk: Buffer) => (bytes += chunk.length))
      answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`))))
    }
    const asked = secure ? httpsGet(address, { agent }, take) : httpGet(address, { agent }, take)
    asked.on('error', reject)
  })
}

const from = performance.now()
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let address = wanted.pop(); address !== undefined; address = wanted.pop()) await fetchOne(address)
  }),
)
process.stdout.write(String(bytes / 1e3 / (performance.now() - from)))
agent.destroy()
