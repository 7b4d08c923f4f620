/** Why a fetch came to nothing: git's own words, and our script's, as a sentence and the next step. */
import { refuse, type Refusal } from '@perennial/protocol'
import { FETCH_LIMITS } from './fetch.ts'
import type { FetchOutcome } from './read-fetch.ts'

/** git says why in English (LC_ALL=C); people get a sentence and the next step. */
export function whyNot(outcome: FetchOutcome, counted: boolean): Refusal {
  const { out, err, exit, refused, url, ref } = outcome
  if (refused) return refused.refusal === 'client-error/too-large' ? tooLarge(url) : refused
  if (counted) return tooLarge(url)
  const [, problem, detail = ''] = /^problem ([a-z-]{1,30})(?: ([0-9a-f ]{0,400}))?$/.exec(out.at(-1) ?? '') ?? []
  const known = exit?.code === 0 && problem !== undefined ? PROBLEMS.get(problem) : undefined
  if (known) return known({ url, ref: ref ?? 'HEAD', root: outcome.root ?? '', detail })
  if (exit?.reason === 'memory') return tooLarge(url)
  const said = err.join('\n')
  const has = (pattern: RegExp) => pattern.test(said)
  if (has(/No space left on device|Disk quota|out of memory|File too large|died of signal 25/i)) return tooLarge(url)
  // It was there a moment ago.
  if (has(/couldn't find remote ref|not our ref|no such remote ref/i)) return noRef(url, ref ?? 'HEAD')
  if (has(/unadvertised object/i))
    return refuse(
      'client-error/not-found',
      `The forge of ${url} hands out branches and tags alone, no commit that is on none of their ends.`,
      'Give the name of a branch or a tag.',
    )
  if (has(/redirects followed|too many redirects/i))
    return refuse(
      'server-error/upstream',
      `${url} leads from one address to the next without end.`,
      'Check the address.',
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

interface About {
  readonly url: string
  readonly ref: string
  readonly root: string
  readonly detail: string
}

/** What our own script says. */
const PROBLEMS: ReadonlyMap<string, (about: About) => Refusal> = new Map(
  Object.entries<(about: About) => Refusal>({
    empty: ({ url }) =>
      refuse('client-error/not-found', `${url} is empty: it has no commit.`, 'Push a commit and deploy again.'),
    'no-ref': ({ url, ref }) => noRef(url, ref),
    both: ({ url, ref }) =>
      refuse(
        'client-error/invalid-arguments',
        `${url} has a branch and a tag ${ref}, and they differ.`,
        `Say which: heads/${ref} or tags/${ref}.`,
      ),
    'many-commits': ({ url, ref, detail }) =>
      refuse(
        'client-error/invalid-arguments',
        `Several commits of ${url} begin with ${ref}: ${detail
          .trim()
          .split(' ')
          .slice(0, 5)
          .map((id) => id.slice(0, 16))
          .join(', ')}.`,
        'Give more characters of the one that you mean.',
      ),
    'off-branch': ({ url, ref }) =>
      refuse(
        'client-error/not-found',
        `No branch or tag of ${url} has the commit ${ref}. It may be of a fork or of a pull request, which are not the repository's own.`,
        'Deploy the fork, or a commit that was merged.',
      ),
    'not-a-commit': ({ url, ref }) =>
      refuse(
        'client-error/invalid-arguments',
        `${ref} of ${url} is no commit.`,
        'Give the name of a branch, a tag or a commit.',
      ),
    'no-folder': ({ url, root }) =>
      refuse(
        'client-error/not-found',
        `${url} has no folder ${root === '' ? 'of that name' : root}.`,
        'Check its name. If the branch has a slash in its own name, give it apart from the folder.',
      ),
  }),
)

function noRef(url: string, ref: string): Refusal {
  return refuse(
    'client-error/not-found',
    `${url} has no branch, tag or commit ${ref}.`,
    'Check its name, or leave it out for the default branch. If the address held it and the name has a slash, give it apart.',
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
export function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .toWellFormed()
    .slice(0, 200)
}
