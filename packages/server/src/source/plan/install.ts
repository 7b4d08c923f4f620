/**
 * The steps by which a package manager installs, builds, and leaves only what runs.
 *
 * Whatever a manager keeps for itself lies in `.perennial`, on the build's own disk, and is removed at the end. The
 * package door's address is known only in the build: scripts find it as `$npm_config_registry`.
 */
import type { Manager } from './package-manager.ts'
import type { Step } from './plan.ts'
import { WORKSPACE_BUILD } from './workspace-build.ts'

export interface Install {
  readonly manager: Manager
  /** The member of a workspace that is wanted; null: the repository is one project. */
  readonly member: string | null
  /** What builds: a script of package.json, a command, or nothing. */
  readonly build: { readonly script: string } | { readonly command: string } | null
  readonly installs: boolean
  /** What only building needs is removed afterwards. */
  readonly prunes: boolean
  /** It is called while the app runs. */
  readonly keepsManager: boolean
}

const TOOLS = '.perennial/tools'
const CACHE = '.perennial/cache'
export const TOOLS_PATH = `/app/${TOOLS}/node_modules/.bin`
const SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin'

const PROGRAM = { npm: 'npm', pnpm: 'pnpm', yarn: 'yarn', berry: 'yarn' } as const
/** For every step of a manager, since scripts call it again. */
const ENVIRONMENT: Readonly<Record<Manager['kind'], Readonly<Record<string, string>>>> = {
  npm: {},
  pnpm: {},
  yarn: { yarn_cache_folder: `/app/${CACHE}`, YARN_IGNORE_PATH: '1' },
  berry: {
    YARN_GLOBAL_FOLDER: `/app/${CACHE}`,
    YARN_ENABLE_GLOBAL_CACHE: '1',
    YARN_ENABLE_TELEMETRY: '0',
    YARN_IGNORE_PATH: '1',
    // A release holds files, and no archives that only Yarn's own loader reads.
    YARN_NODE_LINKER: 'node-modules',
  },
}

export function pathOf({ manager, member }: Pick<Install, 'manager' | 'member'>): string {
  const programs = member === null ? [] : [`/app/${member}/node_modules/.bin`]
  const tools = manager.package === null ? [] : [TOOLS_PATH]
  return [...programs, '/app/node_modules/.bin', ...tools, SYSTEM_PATH].join(':')
}

export function installSteps(install: Install): { steps: readonly Step[]; sentence: string } {
  const { manager, member, build, installs, keepsManager } = install
  const env = { ...ENVIRONMENT[manager.kind], ...(manager.package !== null && { PATH: pathOf(install) }) }
  const own = installs && manager.package !== null
  const steps = [
    ...(own ? [step('tools', toolsArgv(manager), { title: `npm install ${manager.package}` })] : []),
    ...(installs ? [step('install', installArgv(install), { env, title: installTitle(install) })] : []),
    ...(build === null ? [] : [buildStep(install, env)]),
    ...(installs && (prunes(install) || own)
      ? [step('prune', pruneArgv(install), { env, title: pruneTitle(install) })]
      : []),
  ]
  const installed = installs ? `${installTitle(install)} installs` : 'nothing to install'
  if (build === null) return { steps, sentence: installed }
  const builds = 'script' in build ? `scripts.${build.script} builds` : `${build.command} builds`
  const kept = keepsManager && own ? `; ${manager.package} stays, as the app calls it` : ''
  return { steps, sentence: `${installed}, ${builds}${member === null ? '' : ` ${member}`}${kept}` }
}

function step(
  name: string,
  argv: readonly string[],
  { env = {}, title = argv.join(' ') }: { env?: Readonly<Record<string, string>>; title?: string } = {},
): Step {
  return { name, title, argv, env, cwd: '' }
}

function toolsArgv(manager: Manager): readonly string[] {
  return [
    'npm',
    'install',
    `--prefix=${TOOLS}`,
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts=false',
    String(manager.package),
  ]
}

function installTitle({ manager: { kind, lockfile } }: Install): string {
  if (kind === 'npm') return `npm ${lockfile ? 'ci' : 'install'}`
  const frozen = kind === 'berry' ? '--immutable' : '--frozen-lockfile'
  return `${PROGRAM[kind]} install${lockfile ? ` ${frozen}` : ''}`
}

function installArgv(install: Install): readonly string[] {
  const { manager } = install
  // Everything, whatever NODE_ENV the project's .npmrc sets: builds use what is needed for development alone.
  if (manager.kind === 'npm')
    return ['npm', manager.lockfile ? 'ci' : 'install', '--include=dev', '--ignore-scripts=false']
  if (manager.kind === 'pnpm') return pnpm(install)
  if (manager.kind === 'berry') return ['yarn', 'install', manager.lockfile ? '--immutable' : '--no-immutable']
  return ['sh', '-c', classic(manager, '--production=false')]
}

function pnpm({ manager, member }: Install): readonly string[] {
  return [
    'pnpm',
    'install',
    `--store-dir=/app/${CACHE}`,
    '--config.confirm-modules-purge=false',
    manager.lockfile ? '--frozen-lockfile' : '--no-frozen-lockfile',
    // The member and what it needs of the others.
    ...(member === null ? [] : [`--filter={./${member}}...`]),
  ]
}

/** A lockfile of classic Yarn names where each package lies; the door is the only place there is, whatever the host. */
const CLASSIC_DOOR = `
set -e
cp yarn.lock .perennial/yarn.lock
door=\${npm_config_registry%/}
sed -i -E \\
  -e "s#^( +resolved \\")https://[^\\"]*/(@[^/\\"]+/[^/\\"]+/-/[^/\\"]+\\")#\\1$door/\\2#" \\
  -e "s#^( +resolved \\")https://[^\\"]*/([^/\\"]+/-/[^/\\"]+\\")#\\1$door/\\2#" yarn.lock
failed=0`.trim()

function classic({ lockfile }: Manager, options: string): string {
  const yarn = `yarn install --non-interactive ${options}`
  if (!lockfile) return `${yarn} --no-lockfile`
  return `${CLASSIC_DOOR}\n${yarn} --frozen-lockfile || failed=$?\nmv .perennial/yarn.lock yarn.lock\n(exit $failed)`
}

function buildStep({ manager, member, build }: Install, env: Readonly<Record<string, string>>): Step {
  const production = { ...env, NODE_ENV: 'production' }
  const program = PROGRAM[manager.kind]
  if (build !== null && 'command' in build)
    return step('build', ['sh', '-c', build.command], {
      env: { ...production, PATH: pathOf({ manager, member }) },
      title: build.command,
    })
  const script = build?.script ?? 'build'
  if (member !== null)
    return step('build', ['node', '-e', WORKSPACE_BUILD, member, script, program], {
      env: production,
      title: `${program} run ${script} in ${member} and in what it needs`,
    })
  return step('build', [program, 'run', script], { env: production })
}

/** Yarn 2 and 3 do that only with a plugin, which a repository may have or not. */
function prunes({ manager, prunes: wanted }: Install): boolean {
  return wanted && !/@yarnpkg\/cli-dist@[23]\./.test(manager.package ?? '')
}

function pruneTitle(install: Install): string {
  if (install.manager.kind === 'npm') return 'npm prune --omit=dev'
  return prunes(install) ? 'remove what only the build needed' : 'remove what the package manager kept for itself'
}

function pruneArgv(install: Install): readonly string[] {
  const { manager, keepsManager } = install
  if (manager.kind === 'npm') return ['npm', 'prune', '--omit=dev', '--ignore-scripts']
  const prune = {
    pnpm: `${pnpm(install).join(' ')} --prod --offline --ignore-scripts`,
    yarn: classic(manager, '--production=true --ignore-scripts --prefer-offline'),
    berry: `yarn workspaces focus --production${install.member === null ? '' : ' --all'}`,
  }[manager.kind]
  // Times and places of this build, which a second one would not repeat; nothing reads them at run time.
  const traces =
    'node_modules/.modules.yaml node_modules/.pnpm-workspace-state*.json node_modules/.yarn-integrity node_modules/.yarn-state.yml node_modules/.cache .yarn/install-state.gz'
  const kept = keepsManager ? CACHE : '.perennial'
  return ['sh', '-c', `set -e\n${prunes(install) ? `${prune}\n` : ''}rm -rf ${kept} ${traces}`]
}
