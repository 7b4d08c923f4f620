/**
 * package.json: what is installed, built and started. Of a hostile file no more than strings is taken.
 *
 *   { "engines": { "node": ">=20" }, "packageManager": "pnpm@10.1.0", "workspaces": ["packages/*"],
 *     "scripts": { "build": "vite build", "start": "node server.js" }, "dependencies": { "express": "5" } }
 */
import { z } from 'zod'
import { parseObject } from './json.ts'
import { nodeMajor, type NodeChoice } from './node-version.ts'
import type { PlanRefusal } from './plan.ts'

export interface PackageJson {
  /** Without a prototype: scripts may have any name. */
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: ReadonlySet<string>
  readonly devDependencies: ReadonlySet<string>
  /** Anything to install at all. */
  readonly installs: boolean
  /** Something that only building needs. */
  readonly develops: boolean
  readonly node: NodeChoice
  /** `packageManager`, as it stands there. */
  readonly packageManager: string | null
  /** Globs; null: it has none. */
  readonly workspaces: readonly string[] | null
}

const MAX_SCRIPT_LENGTH = 4000
const MOST_NAMES = 5000
/** Scripts that npm runs by itself while it installs. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare']
const record = z.record(z.string(), z.unknown()).optional().catch(undefined)
const globs = z.array(z.string().max(200)).max(200)
const shape = z.object({
  scripts: record,
  dependencies: record,
  devDependencies: record,
  optionalDependencies: record,
  workspaces: z
    .union([globs, z.object({ packages: globs }).transform(({ packages }) => packages)])
    .optional()
    .catch([]),
  packageManager: z.string().max(300).optional().catch(undefined),
  engines: z
    .object({ node: z.string().max(200) })
    .partial()
    .optional()
    .catch(undefined),
})

export function parsePackage(text: string): PackageJson | PlanRefusal {
  const parsed = parseObject(text, 'package.json')
  if ('refusal' in parsed) return parsed
  const read = shape.parse(parsed.document)
  const scripts: Record<string, string> = Object.create(null)
  for (const [name, script] of Object.entries(read.scripts ?? {}))
    if (typeof script === 'string' && script.trim() !== '' && script.length <= MAX_SCRIPT_LENGTH) scripts[name] = script
  const names = (of: Record<string, unknown> = {}) => Object.keys(of).slice(0, MOST_NAMES)
  const dependencies = new Set([...names(read.dependencies), ...names(read.optionalDependencies)])
  const devDependencies = new Set(names(read.devDependencies))
  const { workspaces } = read
  return {
    scripts,
    dependencies,
    devDependencies,
    installs:
      dependencies.size > 0 ||
      devDependencies.size > 0 ||
      workspaces !== undefined ||
      INSTALL_SCRIPTS.some((name) => name in scripts),
    develops: devDependencies.size > 0 || workspaces !== undefined,
    node: nodeMajor(read.engines?.node),
    packageManager: read.packageManager ?? null,
    workspaces: workspaces ?? null,
  }
}

export const NO_PACKAGE: PackageJson = {
  scripts: Object.create(null) as Record<string, string>,
  dependencies: new Set(),
  devDependencies: new Set(),
  installs: false,
  develops: false,
  node: nodeMajor(undefined),
  packageManager: null,
  workspaces: null,
}
