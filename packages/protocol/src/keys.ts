/**
 * Ed25519 keys, named by themselves: `did:key:z6Mk…` is the public key, so nobody needs a directory to check a signature.
 *
 * WebCrypto does the arithmetic, in Node and browsers alike.
 */
import { decodeBase58, encodeBase58 } from './base58.ts'
import { concat, fromBase64Url, fromHex, toHex, type Bytes } from './bytes.ts'
import { Malformed } from './malformed.ts'

export interface Key {
  readonly did: string
  sign(message: Uint8Array): Promise<Bytes>
}

const SEED_SIZE = 32
const DID_PREFIX = 'did:key:z'
/** 34 bytes need 47 or 48 digits; anything longer is not a key. */
const MAX_DID_LENGTH = DID_PREFIX.length + 48
const MULTICODEC_ED25519 = fromHex('ed01')
/** PKCS #8 for Ed25519 is this and the seed. */
const PKCS8 = fromHex('302e020100300506032b657004220420')

/** 32 random bytes: all there is to a secret key. */
export function newSeed(): Bytes {
  return crypto.getRandomValues(new Uint8Array(SEED_SIZE))
}

export async function keyFromSeed(seed: Uint8Array): Promise<Key> {
  if (seed.length !== SEED_SIZE) throw new Malformed(`a secret key is ${SEED_SIZE} bytes, not ${seed.length}`)
  const pkcs8 = concat(PKCS8, seed)
  const readable = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', true, ['sign'])
  const { x } = await crypto.subtle.exportKey('jwk', readable)
  const secret = await crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign'])
  return {
    did: didOf(fromBase64Url(x!)),
    sign: async (message) => new Uint8Array(await crypto.subtle.sign('Ed25519', secret, Uint8Array.from(message))),
  }
}

/** False for a wrong signature, whatever is wrong with it; throws only if the DID is not one. */
export async function verifySignature(signed: {
  readonly did: string
  readonly message: Uint8Array
  readonly signature: Uint8Array
}): Promise<boolean> {
  const bytes = publicKeyOf(signed.did)
  if (signed.signature.length !== 64) return false
  try {
    const key = await crypto.subtle.importKey('raw', bytes, 'Ed25519', false, ['verify'])
    return await crypto.subtle.verify(
      'Ed25519',
      key,
      Uint8Array.from(signed.signature),
      Uint8Array.from(signed.message),
    )
  } catch (error) {
    // Bytes that are no point of the curve are refused by some engines at import: no signature of theirs is valid.
    if (error instanceof DOMException) return false
    throw error
  }
}

export function didOf(publicKey: Uint8Array): string {
  if (publicKey.length !== 32) throw new Malformed(`an Ed25519 public key is 32 bytes, not ${publicKey.length}`)
  return DID_PREFIX + encodeBase58(concat(MULTICODEC_ED25519, publicKey))
}

export function publicKeyOf(did: string): Bytes {
  if (!did.startsWith(DID_PREFIX) || did.length > MAX_DID_LENGTH) {
    throw new Malformed('a key is named did:key:z6Mk… (Ed25519)')
  }
  const bytes = decodeBase58(did.slice(DID_PREFIX.length))
  if (bytes.length !== 34 || bytes[0] !== 0xed || bytes[1] !== 0x01) {
    throw new Malformed('this did:key is not an Ed25519 key')
  }
  const key = bytes.slice(2)
  if (SMALL_ORDER.has(toHex(withoutSign(key))))
    throw new Malformed('anyone can sign for this key: its point is of small order')
  return key
}

export function isDid(text: string): boolean {
  try {
    publicKeyOf(text)
    return true
  } catch (error) {
    if (error instanceof Malformed) return false
    throw error
  }
}

function withoutSign(key: Uint8Array): Bytes {
  const bytes = Uint8Array.from(key)
  bytes[31] = bytes[31]! & 0x7f
  return bytes
}

/** The encodings of the eight points whose signatures anyone can make, without their sign bit. */
const SMALL_ORDER = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
])
