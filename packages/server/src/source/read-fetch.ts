/**
 * What fetching printed, as a `Fetched` or as a refusal in words.
 *
 *   commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904
 *   tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904
 *   committed 1767225600
 *   subject Zmlyc3Q=
 *   counted 12 34567
 *   entry 100644 package.json
 *   file package.json
 *   eyJuYW1lIjoi…
 *   end
 *   lockfile package-lock.json 9f86d081…
 *   done
 *
 * The sandbox that printed it ran a stranger's data through git: each line is matched or refused, never trusted.
 */
import type { Exit } from '@perennial/sandbox/client'
import { refuse, type Refusal } from '@perennial/protocol'
import { FETCH_LIMITS } from './fetch.ts'
import type { Fetched } from './fetched.ts'

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
}

/** The sandbox printed something that this program's own script does not print. */
export class UnreadableFetch extends Error {
  override readonly name = 'UnreadableFetch'
}

const MOST_ENTRIES = 2000
const MOST_FILES = 24

export function readFetch(outcome: FetchOutcome): Fetched | Refusal {
  const { out, exit, url } = outcome
  if (exit === null)
    return refuse(
      'server-error/upstream',
      `Fetching ${url} was stopped after ${FETCH_LIMITS.timeoutMs / 1000} s.`,
      'Deploy again later, or make the repository smaller.',
    )
  const counted = /^counted (\d{1,15}) (\d{1,18})$/.exec(out.find((line) => line.startsWith('counted ')) ?? '')
  if (counted && (Number(counted[1]) > FETCH_LIMITS.files || Number(counted[2]) > FETCH_LIMITS.sizeBytes))
    return tooLarge(url)
  if (exit.code !== 0 || out.at(-1) !== 'done') return whyNot(outcome)
  return parse(out)
}

function parse(lines: readonly string[]): Fetched {
  let at = 0
  const next = (pattern: RegExp): RegExpExecArray => {
    const found = pattern.exec(lines[at] ?? '')
    if (!found) throw new UnreadableFetch(`line ${at} of the fetch is not ${pattern.source}`)
    at++
    return found
  }
  const commit = next(/^commit ([0-9a-f]{40}|[0-9a-f]{64})$/)[1] ?? ''
  const tree = next(/^tree ([0-9a-f]{40}|[0-9a-f]{64})$/)[1] ?? ''
  const committedAt = new Date(Math.min(Number(next(/^committed (\d{1,15})$/)[1]), 8.64e12) * 1000)
  const subject = oneLine(Buffer.from(next(/^subject ([A-Za-z0-9+/=]{0,1400})$/)[1] ?? '', 'base64').toString('utf8'))
  const [, fileCount, sizeBytes] = next(/^counted (\d{1,15}) (\d{1,18})$/)
  const paths = new Set<string>()
  const files = new Map<string, string>()
  const lockfiles = new Map<string, string>()
  while (lines[at] !== 'done') {
    const [, keyword, rest = ''] = next(/^(entry|file|lockfile) (.{1,4200})$/)
    if (keyword === 'entry') addEntry(paths, rest)
    else if (keyword === 'file') files.set(rest, block())
    else lockfiles.set(rest.slice(0, rest.indexOf(' ')), sha256Of(rest))
    if (paths.size > MOST_ENTRIES || files.size > MOST_FILES)
      throw new UnreadableFetch('the fetch names too many files')
  }

  function block(): string {
    let text = ''
    for (; lines[at] !== 'end'; at++) {
      const line = lines[at]
      if (line === undefined || !/^[A-Za-z0-9+/=]{1,80}$/.test(line))
        throw new UnreadableFetch(`line ${at} of the fetch is not base64`)
      text += line
      if (text.length > FETCH_LIMITS.fileBytes * 1.4)
        throw new UnreadableFetch('the fetch prints a file longer than it may')
    }
    at++
    return Buffer.from(text, 'base64').toString('utf8')
  }

  const lockfileSha256 = lockfiles.get('npm-shrinkwrap.json') ?? lockfiles.get('package-lock.json') ?? null
  return {
    commit,
    tree,
    subject,
    committedAt,
    files,
    paths,
    lockfileSha256,
    fileCount: Number(fileCount),
    sizeBytes: Number(sizeBytes),
  }
}

/** A link of a well-known name is an entry of another name: nothing that looks for the file finds it. */
function addEntry(paths: Set<string>, text: string): void {
  const [, mode, name = ''] = /^(\d{6}) (.*)$/.exec(text) ?? []
  if (mode === undefined) throw new UnreadableFetch('an entry of the fetch has no mode')
  if (mode === '100644' || mode === '100755') paths.add(name)
  else if (mode === '040000') paths.add(`${name}/`)
}

function sha256Of(text: string): string {
  const found = /^\S+ ([0-9a-f]{64})$/.exec(text)?.[1]
  if (found === undefined) throw new UnreadableFetch('a lockfile of the fetch has no hash')
  return found
}

/** git says why in English (LC_ALL=C); people get a sentence and the next step. */
function whyNot({ err, exit, refused, url, ref }: FetchOutcome): Refusal {
  if (refused) return refused.refusal === 'client-error/too-large' ? tooLarge(url) : refused
  if (exit?.reason === 'memory') return tooLarge(url)
  const said = err.join('\n')
  const has = (pattern: RegExp) => pattern.test(said)
  if (has(/No space left on device|Disk quota|out of memory/i)) return tooLarge(url)
  if (has(/couldn't find remote ref HEAD/))
    return refuse('client-error/not-found', `${url} is empty: it has no commit.`, 'Push a commit and deploy again.')
  if (has(/couldn't find remote ref|not our ref|no such remote ref|upload-pack: not our ref/i))
    return refuse(
      'client-error/not-found',
      `${url} has no branch, tag or commit ${ref ?? 'HEAD'}.`,
      'Check its name, or leave it out for the default branch.',
    )
  if (has(/could not read Username|not found|returned error: (?:401|403|404|410)|Authentication failed/i))
    return refuse(
      'client-error/not-found',
      `There is no public repository at ${url}.`,
      'Check the address; a private repository must be made public.',
    )
  if (has(/invalid path|unable to (?:create|write)|bad tree|malformed/i))
    return refuse(
      'client-error/invalid-arguments',
      `${url} holds a file that git refuses to write: ${quoted(err)}`,
      'Remove it from the repository.',
    )
  if (has(/certificate/i))
    return refuse(
      'server-error/upstream',
      `${url} could not be fetched: the certificate of its forge is not trusted.`,
      'Use a forge whose certificate browsers accept.',
    )
  if (
    has(
      /Could not resolve|Failed to connect|timed out|Connection|returned error: 5\d\d|early EOF|hung up|transfer|RPC failed/i,
    )
  )
    return refuse('server-error/upstream', `${url} could not be reached: ${quoted(err)}`, 'Deploy again later.')
  return refuse(
    'server-error/upstream',
    `git could not fetch ${url}: ${quoted(err)}`,
    'Check that git clone works with this address.',
  )
}

function tooLarge(url: string): Refusal {
  const { files, sizeBytes } = FETCH_LIMITS
  return refuse(
    'client-error/too-large',
    `${url} is too large: at most ${files} files and ${sizeBytes / 2 ** 20} MiB are fetched.`,
    'Make the repository smaller.',
  )
}

/** The last line that git said, as far as it can be shown. */
function quoted(err: readonly string[]): string {
  const last = err.findLast((line) => line.trim() !== '') ?? 'it said nothing'
  return oneLine(last.replace(/^(?:fatal|error): /, ''))
}

/** Strangers' text, as it may stand in a sentence. */
function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .toWellFormed()
    .slice(0, 200)
}
