/**
 * A visitor without a key of their own gets one, kept by the node and bound to a cookie.
 *
 * Nothing is stored: the visitor's key follows from the cookie's random id and the node's session key, so a crowd of
 * visitors costs no row and a restart forgets nobody. The cookie is `__Host-`: Secure, no Domain, whole path. Chromium
 * and Firefox keep such cookies on loopback over plain http; where a browser does not, forms say so instead of working
 * with a weaker cookie, which an app on a neighbouring host name could overwrite.
 *
 * SameSite is Lax: with Strict, whoever follows a link from another site would come without their cookie and be given a
 * new one over it.
 *
 *   __Host-perennial=<16 random bytes and 6 of its unix time>.<16 bytes of a MAC>
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { keyFromSeed } from '@perennial/protocol'
import type { Clock } from '../clock.ts'
import type { PurposeMac } from './identity.ts'

export const SESSION_COOKIE = '__Host-perennial'
const ID_SIZE = 16
const TIME_SIZE = 6
const MAC_SIZE = 16
const LIFE_SECONDS = 180 * 86_400
/** Seen after this long, a session is sealed anew: who comes back keeps it for ever. */
const RENEW_SECONDS = 7 * 86_400
/** Names of keys made lately; making one again costs half a millisecond. */
const REMEMBERED = 10_000
const MAX_COOKIE_HEADER = 8192

export interface Session {
  /** did:key of the key made for this visitor. */
  readonly did: string
  /** Stands in each form of this visitor's pages; nobody else can know it. */
  readonly formToken: string
  /** To be set with the answer: a new session, or one sealed anew. */
  readonly setCookie: string | null
}

export interface Sessions {
  /** The session that a Cookie header carries, if it is one of ours and not too old. */
  read(cookieHeader: string | null | undefined): Promise<Session | null>
  create(): Promise<Session>
  /** Whether a form's token is this session's. Takes as long for a wrong one. */
  isFormToken(session: Session, token: unknown): boolean
}

export function openSessions({ clock, mac }: { clock: Clock; mac: PurposeMac }): Sessions {
  const dids = new Map<string, string>()
  const nowSeconds = () => Math.floor(clock.now().getTime() / 1000)

  const didOf = async (id: Buffer): Promise<string> => {
    const name = id.toString('hex')
    const known = dids.get(name)
    if (known !== undefined) return known
    const { did } = await keyFromSeed(mac('visitor key', id))
    if (dids.size >= REMEMBERED) dids.delete(dids.keys().next().value!)
    dids.set(name, did)
    return did
  }

  const open = async (id: Buffer, seal: boolean): Promise<Session> => ({
    did: await didOf(id),
    formToken: mac('form', id).subarray(0, MAC_SIZE).toString('base64url'),
    setCookie: seal
      ? `${SESSION_COOKIE}=${sealed(id, nowSeconds(), mac)}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${LIFE_SECONDS}`
      : null,
  })

  return {
    async read(cookieHeader) {
      const value = cookieOf(cookieHeader)
      if (value === null) return null
      const opened = unsealed(value, mac)
      if (opened === null) return null
      const ageSeconds = nowSeconds() - opened.atSeconds
      if (ageSeconds > LIFE_SECONDS || ageSeconds < -RENEW_SECONDS) return null
      return open(opened.id, ageSeconds > RENEW_SECONDS)
    },
    create: () => open(randomBytes(ID_SIZE), true),
    isFormToken({ formToken }, token) {
      if (typeof token !== 'string') return false
      const [expected, given] = [Buffer.from(formToken), Buffer.from(token)]
      return expected.length === given.length && timingSafeEqual(expected, given)
    },
  }
}

function sealed(id: Buffer, atSeconds: number, mac: PurposeMac): string {
  const body = Buffer.alloc(ID_SIZE + TIME_SIZE)
  id.copy(body)
  body.writeUIntBE(atSeconds, ID_SIZE, TIME_SIZE)
  return `${body.toString('base64url')}.${mac('cookie', body).subarray(0, MAC_SIZE).toString('base64url')}`
}

function unsealed(value: string, mac: PurposeMac): { id: Buffer; atSeconds: number } | null {
  const parts = /^([\w-]{30})\.([\w-]{22})$/.exec(value)
  if (!parts) return null
  const body = Buffer.from(parts[1]!, 'base64url')
  const given = Buffer.from(parts[2]!, 'base64url')
  if (body.length !== ID_SIZE + TIME_SIZE || given.length !== MAC_SIZE) return null
  if (!timingSafeEqual(mac('cookie', body).subarray(0, MAC_SIZE), given)) return null
  return { id: body.subarray(0, ID_SIZE), atSeconds: body.readUIntBE(ID_SIZE, TIME_SIZE) }
}

/** Given twice, it is nobody's: one of the two was put there by someone else. */
function cookieOf(header: string | null | undefined): string | null {
  if (!header || header.length > MAX_COOKIE_HEADER) return null
  const found = header
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${SESSION_COOKIE}=`))
  return found.length === 1 ? found[0]!.slice(SESSION_COOKIE.length + 1) : null
}
