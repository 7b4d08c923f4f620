/**
 * A commit object as git stores it, taken apart as far as its signature needs it.
 *
 *   tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
 *   author A <a@b> 1767225600 +0000
 *   committer A <a@b> 1767225600 +0000
 *   gpgsig -----BEGIN SSH SIGNATURE-----
 *    U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg…
 *    -----END SSH SIGNATURE-----
 *
 *   message
 *
 * What is signed is the object without its signature headers.
 */
export interface SignedCommit {
  /** As armoured text; null: it has none. */
  readonly signature: string | null
  readonly signed: Buffer
}

/** git knows one header for each kind of object id, and leaves both out. */
const HEADERS = ['gpgsig', 'gpgsig-sha256']
const LF = 0x0a
const SPACE = 0x20

export function takeApart(commit: Buffer): SignedCommit {
  const kept: Buffer[] = []
  let signature: string | null = null
  let at = 0
  while (at < commit.length) {
    const end = endOfHeader(commit, at)
    const header = commit.subarray(at, end)
    const space = header.indexOf(SPACE)
    const name = HEADERS.find((known) => space === known.length && header.toString('latin1', 0, space) === known)
    if (name === undefined) kept.push(header)
    // One signature is judged; a second header of the same name is not git's own doing.
    else signature ??= header.toString('latin1', space + 1).replace(/\n /g, '\n')
    at = end
    // An empty line ends the headers; the message may hold anything.
    if (commit[at] === LF) {
      kept.push(commit.subarray(at))
      break
    }
  }
  return { signature, signed: Buffer.concat(kept) }
}

/** A header goes on in lines that begin with a space. */
function endOfHeader(commit: Buffer, from: number): number {
  let at = from
  do {
    const newline = commit.indexOf(LF, at)
    if (newline < 0) return commit.length
    at = newline + 1
  } while (commit[at] === SPACE)
  return at
}
