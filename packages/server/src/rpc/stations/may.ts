/** May: whether this caller may do this, by the method's default policy, and whether it is too much at once. */
import { refuse, type Refusal } from '@perennial/protocol'
import { timingSafeEqual } from 'node:crypto'
import type { Passage, Station, StationHouse } from '../passage.ts'

export const may: Station = async (passage, house) => {
  const { method, caller } = passage
  return limited(passage, house) ?? (await POLICIES[method.policy](passage, house, caller.did))
}

type Policy = (passage: Passage, house: StationHouse, did: string | null) => Promise<Refusal | null>

const POLICIES: Readonly<Record<Passage['method']['policy'], Policy>> = {
  anyone: async () => null,
  caller: async (_passage, _house, did) => (did === null ? unknownCaller() : null),
  admin: async (passage, house, did) => {
    const { app } = passage.input as { app?: unknown }
    if (typeof app !== 'string')
      throw new Error(`${passage.method.service}.${passage.method.name} needs an admin but names no app`)
    return (await isAdmin({ app, did, token: passage.caller.adminToken }, house))
      ? null
      : refuse(
          'access-denied',
          'Only the admin of this app may do that. Nothing was charged.',
          'Call with the key, or the admin token, that the app was deployed with.',
        )
  },
  operator: async (_passage, { identity }, did) =>
    did === identity.node.did ? null : refuse('access-denied', 'Only the operator of this node may do that.'),
}

/**
 * Whether the caller is the app's admin: the key that deployed it, or the bearer of its token. Both hold for TEST money
 * on a loopback node only; elsewhere ownership has to be proven with the forge (DESIGN §8), which is not built yet.
 */
export async function isAdmin(
  claim: { readonly app: string; readonly did: string | null; readonly token: string | undefined },
  { config, apps, identity }: Pick<StationHouse, 'config' | 'apps' | 'identity'>,
): Promise<boolean> {
  if (!config.pushButton || !/^(?:localhost|127\.\d+\.\d+\.\d+)$/.test(config.listen.host)) return false
  const app = await apps.find(claim.app)
  if (app === null) return false
  if (claim.did !== null && app.createdBy === claim.did) return true
  return claim.token !== undefined && same(claim.token, identity.adminToken(app.id))
}

/** Each address and each key has its share of the node's time; what changes something has a smaller one. */
function limited({ method, caller }: Passage, { identity: { limits } }: StationHouse): Refusal | null {
  const waits = [limits.take('call by address', caller.address)]
  if (!method.safe) {
    waits.push(limits.take('change by address', caller.address))
    if (caller.did !== null) waits.push(limits.take('change by key', caller.did))
  }
  if (method.meters.includes('build')) {
    waits.push(limits.take('deploy by address', caller.address))
    if (caller.did !== null) waits.push(limits.take('deploy by key', caller.did))
  }
  const retryAfterSeconds = Math.max(...waits)
  if (retryAfterSeconds === 0) return null
  return refuse(
    'request-declined/rate-limit',
    `That is more than one caller may ask for at once. Nothing was charged.`,
    `Try again in ${retryAfterSeconds} ${retryAfterSeconds === 1 ? 'second' : 'seconds'}.`,
    { retryAfterSeconds },
  )
}

function unknownCaller(): Refusal {
  return refuse(
    'client-error/invalid-signature',
    'This call needs to know who asks, and it was not signed. Nothing was charged.',
    'Sign it with any Ed25519 key (spec/call.md), or use the pages.',
  )
}

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
