/** Whether a commit is signed, and by which key. Nobody's keys are known here: a valid signature names a key, not a person. */
import { takeApart } from './commit.ts'
import { openPgpKey } from './openpgp.ts'
import { verifySsh } from './ssh.ts'

export type CommitSignature =
  | { readonly kind: 'none' }
  /** `valid`: whoever holds the key signed exactly this commit. */
  | { readonly kind: 'ssh'; readonly valid: boolean; readonly fingerprint: string; readonly algorithm: string }
  /** Not verified: the key is not in the signature. Null: it does not say which key. */
  | { readonly kind: 'openpgp'; readonly key: string | null }
  /** There is one that cannot be read here. */
  | { readonly kind: 'other' }

export function readSignature(commit: Buffer): CommitSignature {
  const { signature, signed } = takeApart(commit)
  if (signature === null) return { kind: 'none' }
  const ssh = verifySsh(signature, signed)
  if (ssh) return { kind: 'ssh', ...ssh }
  const key = openPgpKey(signature)
  return key === undefined ? { kind: 'other' } : { kind: 'openpgp', key }
}

/** For people, in a sentence. */
export function signatureSentence(signature: CommitSignature): string {
  if (signature.kind === 'none') return 'The commit is not signed.'
  if (signature.kind === 'other') return 'The commit has a signature of a kind that is not read here.'
  if (signature.kind === 'openpgp')
    return signature.key === null
      ? 'The commit has an OpenPGP signature that does not say whose; it was not verified.'
      : `The commit has an OpenPGP signature by key ${signature.key}, which is not known here; it was not verified.`
  return signature.valid
    ? `The commit is signed by the SSH key ${signature.fingerprint}; the signature is valid.`
    : `The commit has an SSH signature by ${signature.fingerprint} that does not fit it.`
}
