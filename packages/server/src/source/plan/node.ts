/**
 * Node apps, and the sites that Node builds.
 *
 *   a web process in Procfile or perennial.json, scripts.start, what a framework's server is, server.js: an app
 *   nothing that starts, but something that builds: a site
 */
import { resolveCommand } from '../command.ts'
import { cacheKey } from './cache-key.ts'
import type { Draft, Ground } from './draft.ts'
import { frameworkOf, isDeveloping, type Framework, type Outcome } from './frameworks.ts'
import { installSteps, pathOf, type Install } from './install.ts'
import { nodeMajor, type NodeChoice } from './node-version.ts'
import { chooseManager, type Manager } from './package-manager.ts'
import { NO_PACKAGE, parsePackage, type PackageJson } from './package-json.ts'
import { planRefusal, type PlanRefusal, type Step } from './plan.ts'
import { collectSite, SERVE_SITE, SITE, SITE_FOLDERS } from './static-site.ts'
import { isMember, parsePnpmWorkspace } from './workspaces.ts'

/** Instead of `start`, where that is a server for developing. */
const PRODUCTION_SCRIPTS = ['start:prod', 'start:production', 'serve:prod', 'prod']
/** With one of these, a file of a usual name is taken for the server. */
const SERVERS = ['express', 'fastify', 'koa', '@hapi/hapi', 'hono', '@hono/node-server', 'ws', 'socket.io', 'restify']
const SERVER_FILES = ['index.js', 'app.js', 'main.js', 'index.mjs', 'app.mjs']

interface Project extends Ground {
  readonly npm: PackageJson
  readonly manager: Manager
  readonly framework: Framework | null
  readonly outcome: Outcome | null
  readonly node: NodeChoice
  readonly member: string | null
}

export function planNode(ground: Ground): Draft | PlanRefusal {
  const { look, top, root, wanted } = ground
  const text = look.file('package.json')
  const npm = text === undefined ? NO_PACKAGE : parsePackage(text)
  if ('refusal' in npm) return npm
  const member = root !== '' && belongs(ground) ? root : null
  const manager = chooseManager(member === null ? look : top, packageManagerOf(npm, ground, member))
  const framework = frameworkOf({ look, npm })
  const outcome = framework?.outcome({ look, npm }) ?? null
  const node = wanted.node === null ? npm.node : nodeMajor(wanted.node)
  const project = { ...ground, npm, manager, framework, outcome, node, member }
  if (wanted.site !== null) return planSite(project, { folders: [wanted.site], only: true })
  const start = startOf(project)
  if (start !== null) return planServer(project, start)
  if (outcome?.kind === 'unserved') return planRefusal(outcome.sentence, outcome.nextStep, look.missed)
  if (outcome?.kind === 'site')
    return planSite(project, { ...outcome, folders: [...outcome.folders, ...SITE_FOLDERS], only: true })
  if (buildOf(project) !== null) return planSite(project, { folders: SITE_FOLDERS })
  if (look.has('index.html')) return servedAsItIs('index.html; package.json has nothing that starts or builds')
  return planRefusal(
    'package.json says neither how to start the app nor how to build a site.',
    'Add scripts.start (for a server) or scripts.build (for a site) to package.json.',
    look.missed,
  )
}

/** Whether the folder is installed from the top: it is named there as a member, or only the top has a lockfile. */
function belongs({ look, top, root }: Ground): boolean {
  const locked = ({ listing }: typeof top) => listing.lockfiles.size > 0
  if (locked(look)) return false
  const manifest = top.listing.files.get('package.json')
  const read = manifest === undefined ? null : parsePackage(manifest)
  const globs = [
    ...(read !== null && !('refusal' in read) ? (read.workspaces ?? []) : []),
    ...parsePnpmWorkspace(top.listing.files.get('pnpm-workspace.yaml') ?? ''),
  ]
  return isMember(root, globs)
}

function packageManagerOf(npm: PackageJson, { top }: Ground, member: string | null): PackageJson {
  if (member === null) return npm
  const read = parsePackage(top.listing.files.get('package.json') ?? '{}')
  return 'refusal' in read ? npm : read
}

interface Start {
  readonly line: string
  /** For people: where it is said. */
  readonly from: string
}

/** What the web process is; null: nothing says so. */
function startOf({ look, npm, framework, outcome, wanted }: Project): Start | null {
  const own = wanted.processes.get('web')
  if (own !== undefined) return { line: own, from: wanted.webFrom }
  const { scripts } = npm
  for (const name of ['start', ...PRODUCTION_SCRIPTS]) {
    if (scripts[name] === undefined) continue
    const { line } = resolveCommand(`npm run ${name}`, npm)
    if (!isDeveloping(line)) return { line: `npm run ${name}`, from: `scripts.${name} of package.json` }
  }
  if (scripts['start'] === undefined) look.miss('scripts.start in package.json')
  if (outcome?.kind === 'server') return { line: outcome.start, from: `${framework?.name ?? ''}'s own server` }
  if (outcome !== null) return null
  if (look.has('server.js')) return { line: 'node server.js', from: 'server.js' }
  if (SERVERS.some((name) => npm.dependencies.has(name))) {
    const file = look.first(...SERVER_FILES)
    if (file !== undefined) return { line: `node ${file}`, from: file }
  }
  // A server for developing is better than none, where nothing builds.
  if (scripts['start'] !== undefined && scripts['build'] === undefined)
    return { line: 'npm run start', from: 'scripts.start of package.json' }
  return null
}

function buildOf({ look, npm, framework, wanted }: Project): Install['build'] {
  if (wanted.build !== null) return { command: wanted.build }
  for (const script of ['heroku-postbuild', 'build', framework?.script])
    if (script !== undefined && npm.scripts[script] !== undefined) return { script }
  if (npm !== NO_PACKAGE) look.miss('scripts.build in package.json')
  return framework === null ? null : { command: framework.build }
}

function planServer(project: Project, start: Start): Draft {
  const { npm, manager, node, member, wanted } = project
  const lines = [...wanted.processes.values(), ...wanted.others, start.line]
  const needs = new Set(lines.flatMap((line) => [...resolveCommand(line, npm).needs]))
  const keepsManager = needs.has(manager.kind === 'pnpm' ? 'pnpm' : 'yarn') && manager.package !== null
  const used = lines.map((line) => resolveCommand(line, npm).line).join(' ')
  // It would not start without: Heroku removes it and fails.
  const tool = developerTool(used, npm)
  const install: Install = {
    manager,
    member,
    build: buildOf(project),
    installs: npm.installs || manager.package !== null || member !== null,
    prunes: (npm.develops || member !== null) && tool === null,
    keepsManager,
  }
  const { steps: made, sentence } = installSteps(install)
  const steps = [...made, ...tidySteps(project)]
  const scripts = Object.assign(Object.create(null), mapValues(npm.scripts, atPort)) as PackageJson['scripts']
  const run = (line: string) => resolveCommand(atPort(line), { ...npm, scripts }).argv
  const port = /\s(?:-p|--port)[ =]?(\d{2,5})\b|\bPORT=(\d{2,5})\b/.exec(run(start.line).join(' '))
  return {
    kind: 'node',
    buildImage: steps.length === 0 ? null : `build-${node.major}`,
    runImage: needs.has('npm') ? `build-${node.major}` : `node-${node.major}`,
    steps,
    web: run(start.line),
    packPath: null,
    cwd: member ?? '',
    env: {
      NODE_ENV: 'production',
      PATH: pathOf({ manager: keepsManager ? manager : { ...manager, package: null }, member }),
    },
    sentence: `A Node ${node.major} app (${start.from}); ${sentence}.${node.note}`,
    notes: [
      ...manager.notes,
      ...(tool === null ? [] : [`devDependencies stay: the app is started with ${tool.slice(0, 80)}.`]),
      ...(port ? [`It names port ${port[1] ?? port[2]}; visitors come to $PORT.`] : []),
    ],
    cache: keyOf(project),
    run,
  }
}

function tidySteps({ framework, member }: Project): readonly Step[] {
  if (framework?.caches === undefined) return []
  const argv = ['rm', '-rf', ...framework.caches]
  return [{ name: 'tidy', title: `remove the caches of ${framework.name}`, argv, env: {}, cwd: member ?? '' }]
}

/** Servers of files and frameworks that are told a port of their own get the app's instead. */
function atPort(line: string): string {
  return /^(?:next start|serve|http-server)\b/.test(line)
    ? line.replace(/(\s(?:-p|-l|--port|--listen))[ =]?\d{2,5}\b/, '$1 $PORT')
    : line
}

/** Programs that are not called as their package is. */
const CALLED = new Map([
  ['tsc', 'typescript'],
  ['nest', '@nestjs/cli'],
  ['babel-node', '@babel/node'],
])

/** What is only there for developing and yet starts the app. */
function developerTool(lines: string, { devDependencies }: PackageJson): string | null {
  const words = lines.split(/[\s;&|'"()]+/).map((word) => CALLED.get(word) ?? word)
  return words.find((word) => devDependencies.has(word)) ?? null
}

function planSite(project: Project, collect: Parameters<typeof collectSite>[0]): Draft {
  const { npm, manager, node, member, framework } = project
  const build = buildOf(project)
  const install: Install = {
    manager,
    member,
    build,
    installs: npm.installs || manager.package !== null || member !== null,
    prunes: false,
    keepsManager: false,
  }
  const { steps, sentence } = installSteps(install)
  const prefix = member === null ? '' : `${member}/`
  const last = {
    name: 'collect',
    title: 'collect the site',
    argv: collectSite(collect),
    env: {},
    cwd: member ?? '',
  }
  const what = framework === null ? '' : ` of ${framework.name}`
  return {
    kind: 'static',
    buildImage: `build-${node.major}`,
    runImage: 'static',
    // Pruning serves nobody: only the site is kept.
    steps: [...steps.filter(({ name }) => name !== 'prune'), last],
    web: SERVE_SITE,
    packPath: prefix + SITE,
    cwd: '',
    env: {},
    sentence: `A static site${what}, made with Node ${node.major}; ${sentence}. It is looked for in ${collect.folders.slice(0, 5).join(', ')}.${node.note}`,
    notes: manager.notes,
    cache: keyOf(project),
    run: (line) => resolveCommand(line, npm).argv,
  }
}

export function servedAsItIs(from: string): Draft {
  return {
    kind: 'static',
    buildImage: null,
    runImage: 'static',
    steps: [],
    web: SERVE_SITE,
    packPath: null,
    cwd: '',
    env: {},
    sentence: `A static site, served as it is (${from}).`,
    notes: [],
    cache: null,
    run: () => SERVE_SITE,
  }
}

function keyOf({ manager, node, member }: Project): Draft['cache'] {
  if (manager.lockfile === null) return null
  const { name, sha256 } = manager.lockfile
  return { key: cacheKey([`build-${node.major}`, manager.kind, manager.package, name, sha256, member]) }
}

function mapValues(
  record: Readonly<Record<string, string>>,
  change: (value: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]))
}
