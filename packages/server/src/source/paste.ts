/**
 * What a pasted address says beside the repository: pages of forges name a branch, a commit or a folder in it.
 *
 *   GitHub      /owner/repo/tree/<ref>[/<folder>]        /owner/repo/commit/<id>   /owner/repo/releases/tag/<tag>
 *   GitLab      /group/sub/repo/-/tree/<ref>[/<folder>]  /-/commit/<id>            /-/tags/<tag>
 *   Gitea       /owner/repo/src/branch/<ref>[/<folder>]  /src/tag/<tag>, /src/commit/<id>
 *   Bitbucket   /owner/repo/src/<ref>[/<folder>]
 *
 * A page does not say where the name of a branch ends and a folder begins: its first part is taken for the branch,
 * unless the caller knows the branch.
 */
export interface Page {
  /** Parts of the path up to and with the repository. */
  readonly repository: readonly string[]
  readonly ref: string | null
  readonly root: string
}

/** A page of the repository that is no folder of it; what it is, for people. */
export interface NotAFolder {
  readonly repository: readonly string[]
  readonly is: string
}

const FILES = new Set(['blob', 'raw', 'blame', 'edit', 'file'])
const PAGES = new Set([
  'issues',
  'pull',
  'pulls',
  'merge_requests',
  'pull-requests',
  'actions',
  'wiki',
  'wikis',
  'branches',
  'settings',
  'activity',
  'graphs',
  'network',
  'discussions',
  'projects',
  'security',
  'archive',
  'releases',
  'tags',
  'commits',
  'compare',
  'stargazers',
  'forks',
  'packages',
  'pipelines',
])

export function readPage(
  segments: readonly string[],
  { bitbucket, known }: { readonly bitbucket: boolean; readonly known: string | null },
): Page | NotAFolder {
  const dash = segments.indexOf('-', 2)
  const at =
    dash > 0 ? dash : segments.findIndex((part, index) => index >= 2 && isMark(segments, index, part, bitbucket))
  if (at < 0) return { repository: segments, ref: null, root: '' }
  const repository = segments.slice(0, at)
  const [mark = '', ...rest] = segments.slice(dash > 0 ? at + 1 : at)
  const page = (parts: readonly string[]): Page => ({ repository, ...split(parts, known) })
  if (mark === 'tree') return page(rest)
  if (mark === 'src') return page(['branch', 'tag', 'commit'].includes(rest[0] ?? '') ? rest.slice(1) : rest)
  if ((mark === 'commit' || mark === 'commits' || mark === 'tags') && rest.length === 1) return page(rest)
  if (mark === 'releases' && rest[0] === 'tag' && rest.length === 2) return page(rest.slice(1))
  if (FILES.has(mark)) return { repository, is: 'a file' }
  return { repository, is: 'another page' }
}

/** Whether the repository's own address ends before this part. On forges with nested groups most words are names. */
function isMark(segments: readonly string[], index: number, part: string, bitbucket: boolean): boolean {
  const next = segments[index + 1]
  if (part === 'tree' || FILES.has(part) || part === 'commit') return next !== undefined
  if (part === 'src') return next !== undefined && (bitbucket || ['branch', 'tag', 'commit'].includes(next))
  return index === 2 && PAGES.has(part)
}

function split(parts: readonly string[], known: string | null): { ref: string | null; root: string } {
  if (parts.length === 0) return { ref: null, root: '' }
  const path = parts.join('/')
  if (known !== null && (path === known || path.startsWith(`${known}/`)))
    return { ref: known, root: path.slice(known.length + 1) }
  // Written in full: whether such a ref may be fetched is not for the address to say.
  const own = parts[0] === 'refs' ? (['heads', 'tags'].includes(parts[1] ?? '') ? 3 : parts.length) : 1
  return { ref: parts.slice(0, own).join('/'), root: parts.slice(own).join('/') }
}
