import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { fuzz } from '../testing.ts'
import { takeApart } from './commit.ts'
import { readSignature, signatureSentence } from './index.ts'
import { openPgpKey } from './openpgp.ts'
import { sshSignature, type Kind } from './testing.ts'

const BODY =
  'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nhello\n\ngpgsig not here\n'
const withHeader = (armoured: string, name = 'gpgsig') =>
  BODY.replace('\n\n', `\n${name} ${armoured.trimEnd().replaceAll('\n', '\n ')}\n\n`)
const read = (text: string) => readSignature(Buffer.from(text, 'latin1'))

/** Made by GnuPG over other words: only what it says of its key is read. */
function pgp(subpackets: readonly number[]): string {
  const hashed = [5, 2, 0x65, 0, 0, 0]
  const body = [4, 0, 22, 10, 0, hashed.length, ...hashed, 0, subpackets.length, ...subpackets, 0x12, 0x34, 0, 8, 0xff]
  const base64 = Buffer.from([0xc2, body.length, ...body]).toString('base64')
  return `-----BEGIN PGP SIGNATURE-----\nVersion: x\n\n${base64}\n=abcd\n-----END PGP SIGNATURE-----\n`
}

test('an SSH signature is verified against the key that is in it, whatever the kind of key', () => {
  const kinds: Kind[] = [
    'ssh-ed25519',
    'ssh-rsa',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp521',
    'sk-ssh-ed25519@openssh.com',
  ]
  for (const kind of kinds) {
    const { armoured, fingerprint } = sshSignature(Buffer.from(BODY), { kind })
    const found = read(withHeader(armoured))
    assert.deepEqual(found, { kind: 'ssh', valid: true, fingerprint, algorithm: kind })
    const other = read(withHeader(armoured).replace('hello', 'hallo'))
    assert.ok(other.kind === 'ssh' && !other.valid, kind)
  }
})

test('what ssh-keygen signs is valid here, with the fingerprint that it prints', () => {
  const folder = mkdtempSync(join(tmpdir(), 'perennial-ssh-'))
  try {
    const key = join(folder, 'key')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
    writeFileSync(join(folder, 'commit'), BODY)
    execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-n', 'git', '-f', key, join(folder, 'commit')], {
      stdio: 'ignore',
    })
    const armoured = execFileSync('cat', [join(folder, 'commit.sig')], { encoding: 'utf8' })
    const printed = execFileSync('ssh-keygen', ['-l', '-f', `${key}.pub`], { encoding: 'utf8' })
    const found = read(withHeader(armoured))
    assert.ok(found.kind === 'ssh' && found.valid)
    assert.ok(printed.includes(found.fingerprint), printed)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a signature that was made for something else than a commit is not valid', () => {
  const { armoured } = sshSignature(Buffer.from(BODY), { namespace: 'file' })
  const found = read(withHeader(armoured))
  assert.ok(found.kind === 'ssh' && !found.valid)
  assert.match(signatureSentence(found), /does not fit/)
})

test('an OpenPGP signature names its key, by its id or by its whole fingerprint', () => {
  const id = [9, 16, 1, 2, 3, 4, 5, 6, 7, 8]
  assert.deepEqual(read(withHeader(pgp(id))), { kind: 'openpgp', key: '0102030405060708' })
  const fingerprint = Array.from({ length: 20 }, (_, at) => at)
  const found = read(withHeader(pgp([22, 33, 4, ...fingerprint, ...id])))
  assert.deepEqual(found, { kind: 'openpgp', key: Buffer.from(fingerprint).toString('hex').toUpperCase() })
  assert.match(signatureSentence(found), /not known here; it was not verified/)
  assert.deepEqual(read(withHeader(pgp([]))), { kind: 'openpgp', key: null })
})

test('no signature, one of another kind, and a message that looks like one', () => {
  assert.deepEqual(read(BODY), { kind: 'none' })
  assert.deepEqual(read(withHeader('-----BEGIN SIGNED MESSAGE-----\nMII=\n-----END SIGNED MESSAGE-----')), {
    kind: 'other',
  })
  const { signature, signed } = takeApart(Buffer.from(BODY))
  assert.deepEqual([signature, signed.toString()], [null, BODY])
  const { armoured } = sshSignature(Buffer.from(BODY))
  assert.equal(read(withHeader(armoured, 'gpgsig-sha256')).kind, 'ssh')
})

test('any bytes are a signature or none, in bounded time', () => {
  const ssh = withHeader(sshSignature(Buffer.from(BODY)).armoured)
  const rsa = withHeader(sshSignature(Buffer.from(BODY), { kind: 'ssh-rsa' }).armoured)
  const open = withHeader(pgp([9, 16, 1, 2, 3, 4, 5, 6, 7, 8]))
  fuzz(
    { corpus: [ssh, rsa, open, BODY], words: ['gpgsig ', '\n ', '-----BEGIN SSH SIGNATURE-----', 'AAAA'] },
    (text) => {
      const found = read(text)
      assert.ok(signatureSentence(found).length < 400)
      // Whatever was changed outside of the signature's own header must show.
      if (found.kind === 'ssh' && found.valid)
        assert.ok(takeApart(Buffer.from(text, 'latin1')).signed.equals(Buffer.from(BODY)))
    },
  )
})

test('any armour holds a key’s name or none', () => {
  const raw = pgp([22, 33, 4, ...Array.from({ length: 20 }, (_, at) => at), 9, 16, 1, 2, 3, 4, 5, 6, 7, 8])
  fuzz({ corpus: [raw, pgp([])], words: ['\n\n', '=', 'wsB', '/////w=='] }, (text) => {
    const key = openPgpKey(text)
    assert.ok(key == null || /^(?:[0-9A-F]{16}|[0-9A-F]{40}|[0-9A-F]{64})$/.test(key))
  })
})
