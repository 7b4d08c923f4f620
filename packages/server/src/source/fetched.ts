/** What is known of a repository at a commit without running anything of it. */

export interface Fetched {
  readonly commit: string
  readonly tree: string
  /** First line of the commit's message. */
  readonly subject: string
  readonly committedAt: Date
  /** Text of well-known files at the top, read from git's objects: links are not followed, long files are cut. */
  readonly files: ReadonlyMap<string, string>
  /** Names at the top; folders end with a slash. */
  readonly paths: ReadonlySet<string>
  /** Of the lockfile that npm will use. */
  readonly lockfileSha256: string | null
  readonly fileCount: number
  readonly sizeBytes: number
}

/** Well-known files: what says how to build, and what people read first. Links and folders of these names do not count. */
export const MANIFESTS = ['Procfile', 'app.json', 'package.json', 'index.html', 'Dockerfile'] as const
export const LOCKFILES = ['npm-shrinkwrap.json', 'package-lock.json'] as const

/** What a repository says it is, in a sentence: `description` of its package.json. */
export function describe({ files }: Pick<Fetched, 'files'>): string | null {
  try {
    const { description } = JSON.parse(files.get('package.json') ?? '{}') as { description?: unknown }
    if (typeof description !== 'string') return null
    return (
      description
        .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
        .trim()
        .toWellFormed()
        .slice(0, 300) || null
    )
  } catch {
    return null // The plan says what is wrong with it.
  }
}
