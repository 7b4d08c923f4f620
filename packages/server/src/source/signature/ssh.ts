/**
 * SSH signatures of commits (OpenSSH's PROTOCOL.sshsig), verified against the key that is inside them. So it is known
 * that the holder of that key signed this commit; who that is, the fingerprint says to those who know it.
 *
 *   "SSHSIG" uint32 1 | string public key | string namespace | string reserved | string hash | string signature
 *
 * Signed is: "SSHSIG" | string namespace | string reserved | string hash | string hash(message).
 */
import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto'
import { unwrap } from './armour.ts'

export interface SshSignature {
  readonly valid: boolean
  /** `SHA256:…`, as ssh-keygen prints it. */
  readonly fingerprint: string
  /** `ssh-ed25519`. */
  readonly algorithm: string
}

const MAGIC = Buffer.from('SSHSIG')
const NAMESPACE = 'git'
const LONGEST_FIELD = 16_384
const HASHES = new Set(['sha256', 'sha512'])
const RSA_HASHES = new Map([
  ['rsa-sha2-256', 'sha256'],
  ['rsa-sha2-512', 'sha512'],
])
const CURVES = new Map([
  ['nistp256', { crv: 'P-256', hash: 'sha256', bytes: 32 }],
  ['nistp384', { crv: 'P-384', hash: 'sha384', bytes: 48 }],
  ['nistp521', { crv: 'P-521', hash: 'sha512', bytes: 66 }],
])

/** Null: it is no SSH signature that can be read. */
export function verifySsh(armoured: string, message: Buffer): SshSignature | null {
  const blob = unwrap(armoured, 'SSH SIGNATURE')
  if (!blob || !blob.subarray(0, MAGIC.length).equals(MAGIC)) return null
  try {
    const reader = new Reader(blob.subarray(MAGIC.length))
    if (reader.uint32() !== 1) return null
    const key = reader.bytes()
    const [namespace, reserved, hash] = [reader.bytes(), reader.bytes(), reader.bytes()]
    const signature = reader.bytes()
    reader.end()
    const algorithm = new Reader(key).text()
    const fingerprint = `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
    if (!HASHES.has(hash.toString('latin1'))) return null
    const digest = createHash(hash.toString('latin1')).update(message).digest()
    const signed = Buffer.concat([MAGIC, ...[namespace, reserved, hash, digest].map(field)])
    // A signature that was made for something else, a file or a login, says nothing about a commit.
    const valid = namespace.toString('latin1') === NAMESPACE && judge({ key, signature, signed })
    return { valid, fingerprint, algorithm }
  } catch (error) {
    if (error instanceof Unreadable) return null
    throw error
  }
}

class Unreadable extends Error {}

/** Fields of SSH's wire form (RFC 4251 §5). */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  take(length: number): Buffer {
    if (length > LONGEST_FIELD || this.#at + length > this.#bytes.length) throw new Unreadable()
    return this.#bytes.subarray(this.#at, (this.#at += length))
  }
  uint32(): number {
    return this.take(4).readUInt32BE()
  }
  bytes(): Buffer {
    return this.take(this.uint32())
  }
  text(): string {
    const text = this.bytes().toString('latin1')
    if (!/^[\x21-\x7e]{1,100}$/.test(text)) throw new Unreadable()
    return text
  }
  /** An integer that is not negative, without the zero that says so. */
  integer(): Buffer {
    const bytes = this.bytes()
    return bytes[0] === 0 ? bytes.subarray(1) : bytes
  }
  end(): void {
    if (this.#at !== this.#bytes.length) throw new Unreadable()
  }
}

function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}

interface Judged {
  readonly key: Buffer
  readonly signature: Buffer
  readonly signed: Buffer
}

function judge({ key, signature, signed }: Judged): boolean {
  const fields = new Reader(key)
  const kind = fields.text()
  const wrapped = new Reader(signature)
  const made = wrapped.text()
  const bytes = wrapped.bytes()
  if (kind === 'ssh-ed25519') return made === kind && check(null, ed25519(fields.bytes()), { signed, bytes })
  if (kind === 'ssh-rsa') {
    const [e, n] = [fields.integer(), fields.integer()]
    const hash = RSA_HASHES.get(made)
    // ssh-rsa itself signs with SHA-1, which git does not accept either.
    return hash !== undefined && check(hash, jwk({ kty: 'RSA', n: url(n), e: url(e) }), { signed, bytes })
  }
  if (kind.startsWith('ecdsa-sha2-')) return made === kind && ecdsa(fields, { signed, bytes })
  if (kind === 'sk-ssh-ed25519@openssh.com' || kind === 'sk-ecdsa-sha2-nistp256@openssh.com')
    return made === kind && securityKey(kind, { fields, wrapped, signed, bytes })
  return false
}

/** A hardware token signs its own few bytes around the hash of what it was asked to sign (PROTOCOL.u2f). */
function securityKey(
  kind: string,
  { fields, wrapped, signed, bytes }: { fields: Reader; wrapped: Reader; signed: Buffer; bytes: Buffer },
): boolean {
  const around = (application: Buffer) => {
    const sha256 = (data: Buffer) => createHash('sha256').update(data).digest()
    return Buffer.concat([sha256(application), wrapped.take(5), sha256(signed)])
  }
  if (kind === 'sk-ssh-ed25519@openssh.com') {
    const key = fields.bytes()
    return check(null, ed25519(key), { signed: around(fields.bytes()), bytes })
  }
  const curve = fields.text()
  const point = fields.bytes()
  return ecdsaWith(curve, point, { signed: around(fields.bytes()), bytes })
}

function ecdsa(fields: Reader, judged: { signed: Buffer; bytes: Buffer }): boolean {
  const curve = fields.text()
  return ecdsaWith(curve, fields.bytes(), judged)
}

function ecdsaWith(name: string, point: Buffer, { signed, bytes }: { signed: Buffer; bytes: Buffer }): boolean {
  const curve = CURVES.get(name)
  if (!curve || point.length !== 1 + 2 * curve.bytes || point[0] !== 4) return false
  const half = new Reader(bytes)
  const parts = [half.integer(), half.integer()]
  half.end()
  if (parts.some((part) => part.length > curve.bytes)) return false
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)]
  const key = jwk({ kty: 'EC', crv: curve.crv, x: url(x), y: url(y) })
  const padded = parts.map((part) => Buffer.concat([Buffer.alloc(curve.bytes - part.length), part]))
  return check(curve.hash, key, { signed, bytes: Buffer.concat(padded) })
}

function ed25519(key: Buffer): KeyObject | null {
  return key.length === 32 ? jwk({ kty: 'OKP', crv: 'Ed25519', x: url(key) }) : null
}

/** Null: OpenSSL takes it for no key, such as a point that is not on its curve. */
function jwk(key: Record<string, string>): KeyObject | null {
  try {
    return createPublicKey({ key, format: 'jwk' })
  } catch {
    return null // No key signs nothing.
  }
}

function check(
  hash: string | null,
  key: KeyObject | null,
  { signed, bytes }: { signed: Buffer; bytes: Buffer },
): boolean {
  if (!key) return false
  try {
    return verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, bytes)
  } catch {
    return false // A key of a size that OpenSSL refuses.
  }
}

function url(bytes: Buffer): string {
  return bytes.toString('base64url')
}
