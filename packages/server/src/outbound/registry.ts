/**
 * The package registry that this machine's npm is set to use, asked through one https agent.
 *
 * The registry is the operator's choice (it may be private); where it redirects to is not, so a redirect to
 * another origin passes the same check as a stranger's address. Nobody's token is sent.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { promisify } from 'node:util'
import { isRefusal, refuse, type Refusal } from '@perennial/protocol'
import type { Checked, Destination } from './check.ts'

export interface RegistrySettings {
  /** With a trailing slash. */
  readonly url: string
  /** PEM of the authorities that the registry's certificate may come from; absent: Node's own. */
  readonly ca?: string
  readonly httpsProxy?: string
  readonly noProxy?: string
}

export interface Registry {
  readonly url: URL
  /** The answer, body unread. Throws `RegistryUnreachable` when there is none. `path` is relative to the registry. */
  get(path: string | URL, options: { accept: string; timeoutMs: number }): Promise<IncomingMessage>
  close(): void
}

export class RegistryUnreachable extends Error {
  override readonly name = 'RegistryUnreachable'
}

const MOST_REDIRECTS = 3
const MOST_SOCKETS = 24

/** What `npm config` says: user, global and environment settings, as npm itself merges them. */
export async function npmSettings(): Promise<RegistrySettings> {
  const all = (await askNpm()) ?? fromEnvironment(process.env)
  const text = (key: string) => (typeof all[key] === 'string' && all[key] !== '' ? all[key] : undefined)
  const url = text('registry')
  if (url === undefined) throw new Error('npm names no registry; set one: npm config set registry <url>')
  const cafile = text('cafile')
  const httpsProxy = text('https-proxy')
  const noProxy = text('noproxy')
  return {
    url,
    ...(cafile === undefined ? {} : { ca: await readFile(cafile, 'utf8') }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    ...(noProxy === undefined ? {} : { noProxy }),
  }
}

/** Undefined where there is no npm in reach: root's may lie in root's home. */
async function askNpm(): Promise<Record<string, unknown> | undefined> {
  try {
    const { stdout } = await promisify(execFile)('npm', ['config', 'list', '--json'], { cwd: '/', maxBuffer: 2 ** 20 })
    return JSON.parse(stdout) as Record<string, unknown>
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** What `perennial up` asked root's npm for and passed on: npm_config_registry, npm_config_https_proxy, … */
function fromEnvironment(environment: NodeJS.ProcessEnv): Record<string, unknown> {
  const set = Object.entries(environment).filter(([name]) => name.startsWith('npm_config_'))
  return Object.fromEntries(set.map(([name, value]) => [name.slice('npm_config_'.length).replaceAll('_', '-'), value]))
}

export function openRegistry(
  settings: RegistrySettings,
  check: (destination: Destination) => Promise<Checked | Refusal>,
): Registry {
  const base = new URL(settings.url.endsWith('/') ? settings.url : `${settings.url}/`)
  if (base.protocol !== 'https:' && base.protocol !== 'http:')
    throw new Error(`the registry ${base.href} is not a web address`)
  const proxyEnv = {
    ...(settings.httpsProxy === undefined ? {} : { HTTPS_PROXY: settings.httpsProxy }),
    ...(settings.noProxy === undefined ? {} : { NO_PROXY: settings.noProxy }),
  }
  const shared = { keepAlive: true, maxSockets: MOST_SOCKETS, proxyEnv }
  const agent =
    base.protocol === 'https:'
      ? new https.Agent({ ...shared, ...(settings.ca === undefined ? {} : { ca: settings.ca }) })
      : new http.Agent(shared)

  async function get(
    path: string | URL,
    { accept, timeoutMs }: { accept: string; timeoutMs: number },
  ): Promise<IncomingMessage> {
    const signal = AbortSignal.timeout(timeoutMs)
    let url = new URL(path, base)
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      const answer = await ask(url, { accept, signal })
      const location = redirect(answer)
      if (location === null) return answer
      answer.resume()
      const next = URL.parse(location, url)
      if (!next) throw new RegistryUnreachable(`${url.host} redirects to something that is not an address`)
      url = next
    }
    throw new RegistryUnreachable(`${base.host} redirects more than ${MOST_REDIRECTS} times`)
  }

  async function ask(url: URL, { accept, signal }: { accept: string; signal: AbortSignal }): Promise<IncomingMessage> {
    const route = url.origin === base.origin ? { agent } : await elsewhere(url)
    const send = url.protocol === 'https:' ? https.request : http.request
    return await new Promise((resolve, reject) => {
      const req = send(
        url,
        { ...route, signal, headers: { host: url.host, accept, 'user-agent': 'perennial' } },
        resolve,
      )
      req.on('error', (cause) =>
        reject(new RegistryUnreachable(`${url.host} did not answer: ${cause.message}`, { cause })),
      )
      req.end()
    })
  }

  /** Another origin: https only, and at the very address that was checked. */
  async function elsewhere(url: URL): Promise<https.RequestOptions> {
    const found =
      url.protocol === 'https:' && url.username === ''
        ? await check({ host: url.hostname, port: Number(url.port || 443) })
        : refuse('request-declined/policy', `${url.host} is asked without encryption.`)
    if (isRefusal(found)) throw new RegistryUnreachable(`${base.host} redirects to ${url.host}: ${found.sentence}`)
    return { host: found.address, servername: url.hostname, agent: false }
  }

  return { url: base, get, close: () => agent.destroy() }
}

function redirect(answer: IncomingMessage): string | null {
  const moved = [301, 302, 303, 307, 308].includes(answer.statusCode ?? 0)
  return moved ? (answer.headers.location ?? '') : null
}
