/**
 * Secret settings at rest: AES-256-GCM under the node's config key, bound to their app and name.
 *
 *   8 bytes of SHA-256 of the key | 12 bytes of nonce | ciphertext | 16 bytes of tag
 *
 * While the key is being replaced there are two, and the first bytes say which of them sealed a value.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { Secret } from '../diagnostics.ts'

export interface Place {
  readonly app: string
  readonly name: string
}

export interface Seal {
  seal(place: Place, value: Secret): Buffer
  /** Throws for what was sealed under another key, for another place, or is damaged. */
  open(place: Place, sealed: Buffer): Secret
  /** Whether it is sealed under the newest key. */
  isCurrent(sealed: Buffer): boolean
}

const ID_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
const CIPHER = 'aes-256-gcm'

/** The first key seals; the others only open. */
export function openSeal(keys: readonly Secret<Uint8Array>[]): Seal {
  const known = keys.map((key) => ({
    key,
    id: createHash('sha256').update(key.reveal()).digest().subarray(0, ID_BYTES),
  }))
  const [current] = known
  if (!current) throw new Error('there is no key to seal with')
  const about = ({ app, name }: Place) => Buffer.from(`${app} ${name}`)

  return {
    seal(place, value) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, current.key.reveal(), nonce).setAAD(about(place))
      return Buffer.concat([
        current.id,
        nonce,
        cipher.update(value.reveal(), 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ])
    },
    open(place, sealed) {
      const found = known.find(({ id }) => id.equals(sealed.subarray(0, ID_BYTES)))
      if (!found || sealed.length < ID_BYTES + NONCE_BYTES + TAG_BYTES)
        throw new Error(
          `the setting ${place.name} of app ${place.app} is sealed under a key that is not here: restore keys/config`,
        )
      const [body, tag] = [sealed.subarray(ID_BYTES + NONCE_BYTES, -TAG_BYTES), sealed.subarray(-TAG_BYTES)]
      const nonce = sealed.subarray(ID_BYTES, ID_BYTES + NONCE_BYTES)
      const decipher = createDecipheriv(CIPHER, found.key.reveal(), nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(about(place)).setAuthTag(tag)
      return new Secret(Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8'))
    },
    isCurrent: (sealed) => current.id.equals(sealed.subarray(0, ID_BYTES)),
  }
}
