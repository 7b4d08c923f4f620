/**
 * The decision of the one door: may this host and port be reached, and at which address exactly?
 *
 * A name is resolved once, every address of the answer is judged, and the caller connects to the address that
 * is returned, never to the name. So a name that changes between check and connection (rebinding) gains nothing.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { refuse, type Refusal } from '@perennial/protocol'
import { whyNotPublic } from './address.ts'

export interface Destination {
  readonly host: string
  readonly port: number
}
/** All addresses of a name, in the order to prefer. Throws if there is none. */
export type Resolve = (host: string) => Promise<readonly string[]>
export interface Checked {
  readonly address: string
  readonly port: number
}

const RESOLVE_TIMEOUT_MS = 10_000

export const resolveByName: Resolve = async (host) => {
  const found = await Promise.race([
    lookup(host, { all: true }),
    new Promise<never>((_, reject) =>
      setTimeout(
        () => reject(new Error(`${host} was not resolved in ${RESOLVE_TIMEOUT_MS / 1000} s`)),
        RESOLVE_TIMEOUT_MS,
      ).unref(),
    ),
  ])
  return found.toSorted((a, b) => a.family - b.family).map(({ address }) => address)
}

export interface Rules {
  readonly resolve: Resolve
  /** Exact `host:port`s that may lie anywhere; for development. */
  readonly developmentRemotes: readonly string[]
}

export async function check({ host, port }: Destination, rules: Rules): Promise<Checked | Refusal> {
  const development = rules.developmentRemotes.includes(`${host}:${port}`)
  if (!development && port !== 443)
    return refuse(
      'request-declined/policy',
      `${host}:${port} is not reached from here: only https on its usual port 443 is.`,
      'Use its https:// address.',
    )
  const addresses = await addressesOf(host, rules.resolve)
  const first = addresses[0]
  if (first === undefined)
    return refuse(
      'client-error/not-found',
      `No address was found for ${host}.`,
      'Check the host name for a typing error.',
    )
  if (development) return { address: first, port }
  for (const address of addresses) {
    const why = whyNotPublic(address)
    if (why !== null)
      return refuse(
        'request-declined/policy',
        `${host} leads to ${address} (${why}), which is not reached from here.`,
        'Use a repository on a public address.',
      )
  }
  return { address: first, port }
}

async function addressesOf(host: string, resolve: Resolve): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  try {
    return await resolve(host)
  } catch {
    return [] // Unknown, refused, or too slow: for the caller all the same.
  }
}
