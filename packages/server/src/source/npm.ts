/** package.json: which Node, what to install, what to build. Of a hostile file no more than strings is taken. */
import { z } from 'zod'
import { refuse, type Refusal } from '@perennial/protocol'
import type { Step } from './plan/plan.ts'
import { nodeMajor, type NodeChoice } from './node-version.ts'

export interface PackageJson {
  readonly scripts: Readonly<Record<string, string>>
  /** Anything to install at all. */
  readonly installs: boolean
  readonly develops: boolean
  readonly node: NodeChoice
}

const MAX_SCRIPT_LENGTH = 4000
/** Scripts that npm runs by itself while it installs. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare']
const names = z.record(z.string(), z.unknown()).optional().catch(undefined)
const shape = z.object({
  scripts: z.record(z.string(), z.unknown()).optional().catch(undefined),
  dependencies: names,
  devDependencies: names,
  optionalDependencies: names,
  workspaces: z.unknown().optional(),
  engines: z
    .object({ node: z.string().max(200) })
    .partial()
    .optional()
    .catch(undefined),
})

export function parsePackage(text: string): PackageJson | Refusal {
  let document: unknown
  try {
    document = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    return refuse(
      'client-error/invalid-arguments',
      `package.json is not JSON: ${(error as Error).message.slice(0, 200)}.`,
      'Mend package.json and deploy again.',
    )
  }
  const read = shape.safeParse(document)
  if (!read.success)
    return refuse(
      'client-error/invalid-arguments',
      'package.json is not an object.',
      'Mend package.json and deploy again.',
    )
  const { scripts: all = {}, dependencies, devDependencies, optionalDependencies, workspaces, engines } = read.data
  const scripts: Record<string, string> = Object.create(null)
  for (const [name, script] of Object.entries(all))
    if (typeof script === 'string' && script.trim() !== '' && script.length <= MAX_SCRIPT_LENGTH) scripts[name] = script
  const some = (list: Record<string, unknown> | undefined) => list !== undefined && Object.keys(list).length > 0
  return {
    scripts,
    installs:
      some(dependencies) ||
      some(devDependencies) ||
      some(optionalDependencies) ||
      workspaces !== undefined ||
      INSTALL_SCRIPTS.some((name) => name in scripts),
    develops: some(devDependencies) || workspaces !== undefined,
    node: nodeMajor(engines?.node),
  }
}

export function npmSteps(
  { scripts, installs, develops }: PackageJson,
  { lockfile }: { lockfile: boolean },
): { steps: Step[]; sentence: string } {
  const install = lockfile ? 'ci' : 'install'
  const step = (name: string, argv: string[], env: Record<string, string> = {}): Step => ({ name, argv, env, cwd: '' })
  const builds = scripts['build'] !== undefined
  const steps = [
    // Everything, whatever NODE_ENV the project's .npmrc sets: builds use what is needed for development alone.
    ...(installs ? [step('install', ['npm', install, '--include=dev', '--ignore-scripts=false'])] : []),
    ...(builds ? [step('build', ['npm', 'run', 'build'], { NODE_ENV: 'production' })] : []),
    ...(installs && develops ? [step('prune', ['npm', 'prune', '--omit=dev', '--ignore-scripts'])] : []),
  ]
  const installed = installs ? `npm ${install} installs` : 'nothing to install'
  return { steps, sentence: builds ? `${installed}, scripts.build builds` : installed }
}
