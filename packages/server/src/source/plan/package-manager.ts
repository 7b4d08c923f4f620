/**
 * Which package manager a repository was written with, and at which exact version.
 *
 *   "packageManager": "pnpm@10.1.0+sha512.…"      or by its lockfile, the version by the lockfile's own
 *
 * npm is part of the build image; the others are packages like any other and come through the package door.
 */
import type { Look } from './look.ts'
import type { PackageJson } from './package-json.ts'
import { plainWords } from './json.ts'

export interface Manager {
  /** `yarn` is classic Yarn (1), `berry` Yarn 2 and later: two programs. */
  readonly kind: 'npm' | 'pnpm' | 'yarn' | 'berry'
  /** What is installed to have it: `pnpm@10.1.0`; null: the image has it. */
  readonly package: string | null
  readonly lockfile: { readonly name: string; readonly sha256: string } | null
  readonly notes: readonly string[]
}

const BY_LOCKFILE = [
  ['npm-shrinkwrap.json', 'npm'],
  ['package-lock.json', 'npm'],
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
] as const
const DECLARED = /^(npm|pnpm|yarn)@(\d{1,4})\.(\d{1,4}\.\d{1,4}(?:-[A-Za-z0-9.]{1,40})?)(?:\+.*)?$/

/** The newest of each line; a lockfile names a format, not a version. */
const PNPM_BY_FORMAT: Readonly<Record<string, string>> = { 5: '7.33.7', 6: '8.15.9', 9: '10.34.9' }
const PNPM_OTHERWISE = '10.34.9'
const YARN_CLASSIC = '1.22.22'
/** By `__metadata: version`: a newer Yarn would have to rewrite the lockfile, which `--immutable` forbids. */
const BERRY_BY_FORMAT: Readonly<Record<string, string>> = {
  4: '2.4.2',
  5: '3.1.1',
  6: '3.8.7',
  7: '3.8.7',
  8: '4.13.0',
  9: '4.14.1',
}
const BERRY_OTHERWISE = '4.18.1'

export function chooseManager(look: Look, { packageManager }: Pick<PackageJson, 'packageManager'>): Manager {
  const { listing } = look
  const notes: string[] = []
  const found = BY_LOCKFILE.filter(([name]) => listing.lockfiles.has(name))
  if (found.length === 0) look.miss('package-lock.json, pnpm-lock.yaml or yarn.lock')
  const [, declared, major = '', rest = ''] = DECLARED.exec(packageManager ?? '') ?? []
  if (packageManager !== null && declared === undefined)
    notes.push(`package.json: "packageManager" ${plainWords(packageManager, 60)} names no exact version.`)
  const lock = found.find(([, name]) => name === declared) ?? found[0]
  const name = lock?.[1] ?? declared ?? 'npm'
  if (found.length > 1) notes.push(`It has ${found.map(([file]) => file).join(' and ')}; ${name} was taken.`)
  if (listing.lockfiles.has('bun.lock') && lock === undefined)
    notes.push('bun.lock is not read: npm installs the newest versions that package.json allows.')
  const head = lock === undefined ? '' : (listing.lockfiles.get(lock[0])?.head ?? '')
  const version = declared === name ? { major: Number(major), text: `${major}.${rest}` } : null
  const lockfile = lock === undefined ? null : { name: lock[0], sha256: listing.lockfiles.get(lock[0])?.sha256 ?? '' }
  if (name === 'npm') return { kind: 'npm', package: null, lockfile, notes }
  if (name === 'pnpm') return { kind: 'pnpm', package: `pnpm@${version?.text ?? pnpmOf(head)}`, lockfile, notes }
  const berry = version ? version.major >= 2 : head.includes('__metadata:')
  if (!berry) return { kind: 'yarn', package: `yarn@${version?.text ?? YARN_CLASSIC}`, lockfile, notes }
  return { kind: 'berry', package: `@yarnpkg/cli-dist@${version?.text ?? berryOf(head, look)}`, lockfile, notes }
}

function pnpmOf(head: string): string {
  const format = /^lockfileVersion: *'?(\d{1,3})/m.exec(head)?.[1]
  return (format === undefined ? undefined : PNPM_BY_FORMAT[format]) ?? PNPM_OTHERWISE
}

/** A repository may carry its own Yarn; the same version is installed instead. */
function berryOf(head: string, { listing }: Look): string {
  const carried = /^yarnPath: *["']?[\w./-]*yarn-(\d{1,4}\.\d{1,4}\.\d{1,4}(?:-[A-Za-z0-9.]{1,40})?)\.cjs/m
  const own = carried.exec(listing.files.get('.yarnrc.yml') ?? '')?.[1]
  if (own !== undefined) return own
  const format = /^ +version: *(\d{1,4})/m.exec(head)?.[1]
  return (format === undefined ? undefined : BERRY_BY_FORMAT[format]) ?? BERRY_OTHERWISE
}
