/**
 * What fetching printed, as a `Fetched` or as a refusal in words.
 *
 *   commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904
 *   ref refs/heads/main
 *   tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
 *   committed 1767225600
 *   subject Zmlyc3Q=
 *   object / dHJlZSA0Yjgy… / end            the commit itself
 *   counted 12 34567
 *   root packages/web
 *   folder                                  that folder, then `top` if it is another
 *   entry 100644 package.json
 *   file package.json / eyJuYW1lIjoi… / end
 *   lockfile package-lock.json 9f86d081… ewog…
 *   submodule vendor/x
 *   elsewhere packages/api
 *   lfs / YXNzZXRzL2EucG5n / end
 *   done
 *
 * The sandbox that printed it ran a stranger's data through git: each line is matched or refused, never trusted.
 */
import { createHash } from 'node:crypto'
import type { Exit } from '@perennial/sandbox/client'
import { refuse, type Refusal } from '@perennial/protocol'
import { FETCH_LIMITS } from './fetch.ts'
import { LOCKFILES, type Fetched, type Listing, type Lockfile } from './fetched.ts'
import { isFolder } from './folder.ts'
import { readSignature } from './signature/index.ts'
import { oneLine, whyNot } from './why-not.ts'

export interface FetchOutcome {
  /** Lines of standard output and of standard error. */
  readonly out: readonly string[]
  readonly err: readonly string[]
  /** Null: it was stopped because its time was up. */
  readonly exit: Exit | null
  /** What the git proxy refused it, if anything. */
  readonly refused: Refusal | null
  readonly url: string
  readonly ref: string | null
  readonly root?: string
}

/** The sandbox printed something that this program's own script does not print. */
export class UnreadableFetch extends Error {
  override readonly name = 'UnreadableFetch'
}

const MOST_ENTRIES = 2000
const MOST_FILES = 40
const MOST_NAMES = 20
const ID = '[0-9a-f]{40}|[0-9a-f]{64}'
const REF_LINE = /^ref (refs\/(?:heads|tags)\/.{1,250}|)$/
/** A commit that is longer was cut, and its signature cannot be judged. */
const COMMIT_BYTES = 65_536

export function readFetch(outcome: FetchOutcome): Fetched | Refusal {
  const { out, exit, url } = outcome
  if (exit === null)
    return refuse(
      'server-error/upstream',
      `Fetching ${url} was stopped after ${FETCH_LIMITS.timeoutMs / 1000} s.`,
      'Deploy again later, or make the repository smaller.',
    )
  const counted = /^counted (\d{1,15}) (\d{1,18})$/.exec(out.find((line) => line.startsWith('counted ')) ?? '')
  const tooLarge = counted && (Number(counted[1]) > FETCH_LIMITS.files || Number(counted[2]) > FETCH_LIMITS.sizeBytes)
  if (tooLarge || exit.code !== 0 || out.at(-1) !== 'done') return whyNot(outcome, tooLarge ?? false)
  return parse(out)
}

/** What looking printed: the commit that the name means now. */
export function readLook(outcome: FetchOutcome): Pick<Fetched, 'commit' | 'ref'> | Refusal {
  const { out, exit } = outcome
  if (exit?.code !== 0 || out.at(-1) !== 'done') return whyNot(outcome, false)
  const lines = new Lines(out)
  const commit = lines.next(new RegExp(`^commit (${ID})$`))
  const ref = lines.next(REF_LINE)
  lines.next(/^done()$/)
  return { commit, ref: ref === '' ? null : oneLine(ref) }
}

function parse(out: readonly string[]): Fetched {
  const lines = new Lines(out)
  const commit = lines.next(new RegExp(`^commit (${ID})$`))
  const ref = lines.next(REF_LINE)
  const tree = lines.next(new RegExp(`^tree (${ID})$`))
  const committedAt = new Date(Math.min(Number(lines.next(/^committed (\d{1,15})$/)), 8.64e12) * 1000)
  const subject = oneLine(fromBase64(lines.next(/^subject ([A-Za-z0-9+/=]{0,1400})$/)).toString('utf8'))
  lines.next(/^object()$/)
  const object = lines.block()
  const [fileCount = 0, sizeBytes = 0] = lines
    .next(/^counted (\d{1,15} \d{1,18})$/)
    .split(' ')
    .map(Number)
  const root = lines.next(/^root (.{0,300})$/)
  if (root !== '' && !isFolder(root)) throw new UnreadableFetch('the fetch names a folder that is none')
  lines.next(/^folder()$/)
  const folder = readListing(lines)
  const top = root === '' ? folder : (lines.next(/^top()$/), readListing(lines))
  const submodules = lines.all(/^submodule (.{1,4200})$/).map(oneLine)
  const elsewhere = lines.all(/^elsewhere (.{1,4200})$/).filter(isFolder)
  const lfs = lines.is('lfs') ? (lines.next(/^lfs()$/), names(lines.block())) : []
  lines.next(/^done()$/)
  if (submodules.length > MOST_NAMES || elsewhere.length > MOST_NAMES)
    throw new UnreadableFetch('the fetch names too many folders')
  return {
    commit,
    tree,
    ref: ref === '' ? null : oneLine(ref),
    subject,
    committedAt,
    signature: object.length >= COMMIT_BYTES ? { kind: 'other' } : readSignature(whole(object, commit)),
    root,
    ...folder,
    top,
    elsewhere,
    lfs,
    submodules,
    lockfileSha256: lockfileOf(folder) ?? lockfileOf(top),
    fileCount,
    sizeBytes,
  }
}

/** The commit's bytes are its name; only those of one that was cut are taken as they are, for what they have. */
function whole(object: Buffer, commit: string): Buffer {
  if (object.length >= COMMIT_BYTES) return object
  const hash = createHash(commit.length === 40 ? 'sha1' : 'sha256')
  const id = hash.update(`commit ${object.length}\0`).update(object).digest('hex')
  if (id !== commit) throw new UnreadableFetch('the commit is not the one that it is called')
  return object
}

function readListing(lines: Lines): Listing {
  const paths = new Set<string>()
  const files = new Map<string, string>()
  const lockfiles = new Map<string, Lockfile>()
  for (;;) {
    const line = lines.peek(/^(?:entry|file|lockfile) .{1,4600}$/)
    if (line === null) break
    const rest = line.slice(line.indexOf(' ') + 1)
    if (line.startsWith('entry ')) addEntry(paths, rest)
    else if (line.startsWith('file ')) files.set(rest, lines.block().toString('utf8'))
    else addLockfile(lockfiles, rest)
    if (paths.size > MOST_ENTRIES || files.size > MOST_FILES || lockfiles.size > LOCKFILES.length)
      throw new UnreadableFetch('the fetch names too many files')
  }
  return { files, paths, lockfiles }
}

/** A link of a well-known name is an entry of another name: nothing that looks for the file finds it. */
function addEntry(paths: Set<string>, text: string): void {
  const [, mode, name = ''] = /^(\d{6}) (.*)$/.exec(text) ?? []
  if (mode === undefined) throw new UnreadableFetch('an entry of the fetch has no mode')
  if (mode === '100644' || mode === '100755') paths.add(name)
  else if (mode === '040000') paths.add(`${name}/`)
}

function addLockfile(lockfiles: Map<string, Lockfile>, text: string): void {
  const [, name = '', sha256, head = ''] = /^(\S{1,100}) ([0-9a-f]{64}) ([A-Za-z0-9+/=]{0,400})$/.exec(text) ?? []
  if (sha256 === undefined) throw new UnreadableFetch('a lockfile of the fetch has no hash')
  lockfiles.set(name, { sha256, head: fromBase64(head).toString('utf8') })
}

function lockfileOf({ lockfiles }: Listing): string | null {
  const name = LOCKFILES.find((known) => lockfiles.has(known))
  return name === undefined ? null : (lockfiles.get(name)?.sha256 ?? null)
}

function names(block: Buffer): readonly string[] {
  const lines = block.toString('utf8').split('\n').slice(0, MOST_NAMES)
  return lines.map((line) => oneLine(line.replace(/^\.\//, ''))).filter((line) => line !== '')
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, 'base64')
}

/** Each line is asked for as what it must be. */
class Lines {
  readonly #lines: readonly string[]
  #at = 0

  constructor(lines: readonly string[]) {
    this.#lines = lines
  }

  is(line: string): boolean {
    return this.#lines[this.#at] === line
  }
  next(pattern: RegExp): string {
    const found = pattern.exec(this.#lines[this.#at] ?? '')
    if (!found) throw new UnreadableFetch(`line ${this.#at} of the fetch is not ${pattern.source}`)
    this.#at++
    return found[1] ?? ''
  }
  /** The line, if it is such a one. */
  peek(pattern: RegExp): string | null {
    const line = this.#lines[this.#at]
    if (line === undefined || !pattern.test(line)) return null
    this.#at++
    return line
  }
  all(pattern: RegExp): string[] {
    const found = []
    for (let line = this.peek(pattern); line !== null; line = this.peek(pattern))
      found.push(pattern.exec(line)?.[1] ?? '')
    return found
  }
  /** Base64 until a line `end`. */
  block(): Buffer {
    let text = ''
    for (; !this.is('end'); this.#at++) {
      const line = this.#lines[this.#at]
      if (line === undefined || !/^[A-Za-z0-9+/=]{1,80}$/.test(line))
        throw new UnreadableFetch(`line ${this.#at} of the fetch is not base64`)
      text += line
      if (text.length > FETCH_LIMITS.fileBytes * 1.4)
        throw new UnreadableFetch('the fetch prints a file longer than it may')
    }
    this.#at++
    return fromBase64(text)
  }
}
