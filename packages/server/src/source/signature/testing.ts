/** For tests: SSH signatures as `ssh-keygen -Y sign -n git` makes them, of each kind of key. */
import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

export type Kind =
  | 'ssh-ed25519'
  | 'ssh-rsa'
  | 'ecdsa-sha2-nistp256'
  | 'ecdsa-sha2-nistp521'
  | 'sk-ssh-ed25519@openssh.com'

export function field(bytes: Uint8Array | string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(Buffer.from(bytes as string).length)
  return Buffer.concat([length, Buffer.from(bytes as string)])
}

function integer(bytes: Buffer): Buffer {
  return field((bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes)
}

/** A new key's signature over `message`. */
export function sshSignature(
  message: Buffer,
  { kind = 'ssh-ed25519', namespace = 'git' }: { kind?: Kind; namespace?: string } = {},
): { armoured: string; fingerprint: string } {
  const { key, make } = KINDS[kind]()
  const about = [namespace, '', 'sha512', createHash('sha512').update(message).digest()].map(field)
  const signature = make(Buffer.concat([Buffer.from('SSHSIG'), ...about]))
  const version = Buffer.from([0, 0, 0, 1])
  const blob = Buffer.concat([
    Buffer.from('SSHSIG'),
    version,
    field(key),
    field(namespace),
    field(''),
    field('sha512'),
    field(signature),
  ])
  const lines = blob.toString('base64').match(/.{1,70}/g) ?? []
  const fingerprint = createHash('sha256').update(key).digest('base64').replace(/=+$/, '')
  return {
    armoured: `-----BEGIN SSH SIGNATURE-----\n${lines.join('\n')}\n-----END SSH SIGNATURE-----\n`,
    fingerprint: `SHA256:${fingerprint}`,
  }
}

type Maker = { readonly key: Buffer; readonly make: (signed: Buffer) => Buffer }

const KINDS: Readonly<Record<Kind, () => Maker>> = {
  'ssh-ed25519': () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const key = Buffer.concat([field('ssh-ed25519'), field(part(publicKey, 'x'))])
    return { key, make: (signed) => Buffer.concat([field('ssh-ed25519'), field(sign(null, signed, privateKey))]) }
  },
  'sk-ssh-ed25519@openssh.com': () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const name = 'sk-ssh-ed25519@openssh.com'
    const state = Buffer.from([1, 0, 0, 0, 7])
    const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest()
    return {
      key: Buffer.concat([field(name), field(part(publicKey, 'x')), field('ssh:')]),
      make: (signed) => {
        const made = sign(null, Buffer.concat([sha256('ssh:'), state, sha256(signed)]), privateKey)
        return Buffer.concat([field(name), field(made), state])
      },
    }
  },
  'ssh-rsa': () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const key = Buffer.concat([field('ssh-rsa'), integer(part(publicKey, 'e')), integer(part(publicKey, 'n'))])
    return { key, make: (signed) => Buffer.concat([field('rsa-sha2-512'), field(sign('sha512', signed, privateKey))]) }
  },
  'ecdsa-sha2-nistp256': () => ecdsa({ name: 'nistp256', curve: 'P-256', hash: 'sha256' }),
  'ecdsa-sha2-nistp521': () => ecdsa({ name: 'nistp521', curve: 'P-521', hash: 'sha512' }),
}

function ecdsa({ name, curve, hash }: { name: string; curve: string; hash: string }): Maker {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: curve })
  const point = Buffer.concat([Buffer.from([4]), part(publicKey, 'x'), part(publicKey, 'y')])
  return {
    key: Buffer.concat([field(`ecdsa-sha2-${name}`), field(name), field(point)]),
    make: (signed) => {
      const made = sign(hash, signed, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      const half = made.length / 2
      const bare = [made.subarray(0, half), made.subarray(half)].map((bytes) =>
        bytes.subarray(bytes.findIndex(Boolean)),
      )
      return Buffer.concat([field(`ecdsa-sha2-${name}`), field(Buffer.concat(bare.map(integer)))])
    },
  }
}

function part(key: KeyObject, name: 'x' | 'y' | 'n' | 'e'): Buffer {
  return Buffer.from(key.export({ format: 'jwk' })[name] ?? '', 'base64url')
}
