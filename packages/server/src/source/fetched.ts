/** What is known of a repository at a commit without running anything of it. */
import type { CommitSignature } from './signature/index.ts'

/** One folder, read from git's objects: links are not followed, long files are cut. */
export interface Listing {
  /** Text of well-known files. */
  readonly files: ReadonlyMap<string, string>
  /** Names; folders end with a slash. */
  readonly paths: ReadonlySet<string>
  /** By name: what they lock is decided by all of them, what wrote them by their beginning. */
  readonly lockfiles: ReadonlyMap<string, Lockfile>
}

export interface Lockfile {
  readonly sha256: string
  readonly head: string
}

/** The listing is of the folder that is wanted. */
export interface Fetched extends Listing {
  readonly commit: string
  readonly tree: string
  /** What led to the commit: `refs/heads/main`; null: the commit itself was asked for. */
  readonly ref: string | null
  /** First line of the commit's message. */
  readonly subject: string
  readonly committedAt: Date
  readonly signature: CommitSignature
  /** Below the top; empty: the top itself. */
  readonly root: string
  /** The repository's top. */
  readonly top: Listing
  /** Other folders that hold a manifest. */
  readonly elsewhere: readonly string[]
  /** Files whose contents Git LFS keeps elsewhere, and submodules: neither is fetched. At most a few of each. */
  readonly lfs: readonly string[]
  readonly submodules: readonly string[]
  /** Of the lockfile that decides what is installed. */
  readonly lockfileSha256: string | null
  readonly fileCount: number
  readonly sizeBytes: number
}

/** Well-known files: what says how to build, and what people read first. Links and folders of these names do not count. */
export const MANIFESTS = [
  'perennial.json',
  'Procfile',
  'app.json',
  'package.json',
  'pnpm-workspace.yaml',
  '.yarnrc.yml',
  'index.html',
  'Dockerfile',
  'requirements.txt',
  'pyproject.toml',
  'runtime.txt',
  '.python-version',
  'mkdocs.yml',
  'manage.py',
  'app.py',
  'main.py',
  'wsgi.py',
  'asgi.py',
  'server.py',
  'next.config.js',
  'next.config.mjs',
  'next.config.ts',
  'next.config.cjs',
  'react-router.config.ts',
] as const
/** The first that is there is the one that counts for a receipt. */
export const LOCKFILES = [
  'npm-shrinkwrap.json',
  'package-lock.json',
  'pnpm-lock.yaml',
  'yarn.lock',
  'bun.lock',
  'uv.lock',
  'poetry.lock',
  'requirements.txt',
] as const

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
