/**
 * How a repository is built and run, from its manifests alone:
 *
 *   Procfile      `web: command` says what runs
 *   package.json  npm installs, `scripts.build` builds, `scripts.start` runs (or server.js, as npm has it)
 *   index.html    a static site; so is what `scripts.build` makes when nothing starts
 *
 * The same files give the same plan, so that anyone can build it again.
 */
import { parseAppJson } from './app-json.ts'
import type { Fetched } from './fetched.ts'
import { npmSteps, parsePackage, type PackageJson } from './npm.ts'
import { parseProcfile } from './procfile.ts'
import { resolveCommand } from './command.ts'
import { ADDITIONS, planRefusal, type Plan, type PlanRefusal } from './plan/plan.ts'
import { COLLECT_SITE, SERVE_SITE, SITE_FOLDERS } from './static-site.ts'

/** Programs of dependencies first, as in npm's scripts. */
const RUN_PATH = '/app/node_modules/.bin:/usr/local/bin:/usr/bin:/bin'

export function planBuild(fetched: Pick<Fetched, 'files' | 'paths'>): Plan | PlanRefusal {
  const { files } = fetched
  const settings = parseAppJson(files.get('app.json'))
  if ('refusal' in settings) return { ...settings, lookedFor: [] }
  const procfile = files.get('Procfile')
  const web = procfile === undefined ? null : (parseProcfile(procfile).get('web') ?? null)
  if (procfile !== undefined && web === null)
    return planRefusal('The Procfile names no web process.', 'Add a line such as: web: node server.js', [
      'a line `web: …` in Procfile',
    ])
  const manifest = files.get('package.json')
  const npm = manifest === undefined ? null : parsePackage(manifest)
  if (npm !== null && 'refusal' in npm) return { ...npm, lookedFor: [] }
  const planned = npm ? planNpm({ npm, web, fetched }) : planBare({ web, fetched })
  if ('refusal' in planned) return planned
  return {
    ...ADDITIONS,
    ...planned,
    processes: { web: planned.web },
    formation: { web: 1 },
    env: { ...settings.env, ...planned.env },
    settings: settings.env,
  }
}

/** All but what other manifests add. */
type Draft = Pick<Plan, 'kind' | 'buildImage' | 'runImage' | 'steps' | 'web' | 'packPath' | 'env' | 'sentence'>

interface Parts {
  readonly web: string | null
  readonly fetched: Pick<Fetched, 'files' | 'paths'>
}

function planNpm({ npm, web, fetched }: Parts & { npm: PackageJson }): Draft | PlanRefusal {
  const { paths } = fetched
  const { major } = npm.node
  const start = web ?? npm.scripts['start'] ?? (paths.has('server.js') ? 'node server.js' : null)
  const build = npmSteps(npm, { lockfile: paths.has('package-lock.json') || paths.has('npm-shrinkwrap.json') })
  if (start === null) return planSite({ npm, fetched, build })
  const command = resolveCommand(web === null && npm.scripts['start'] !== undefined ? 'npm start' : start, npm.scripts)
  const from =
    web !== null ? 'Procfile' : npm.scripts['start'] === undefined ? 'server.js' : 'scripts.start of package.json'
  return {
    kind: 'node',
    buildImage: build.steps.length === 0 ? null : `build-${major}`,
    runImage: command.needsNpm ? `build-${major}` : `node-${major}`,
    steps: build.steps,
    web: command.argv,
    packPath: null,
    env: { NODE_ENV: 'production', PATH: RUN_PATH },
    sentence: `A Node ${major} app (${from}); ${build.sentence}.${npm.node.note}`,
  }
}

function planSite({
  npm,
  fetched,
  build,
}: {
  npm: PackageJson
  fetched: Parts['fetched']
  build: ReturnType<typeof npmSteps>
}): Draft | PlanRefusal {
  if (npm.scripts['build'] === undefined) {
    if (fetched.paths.has('index.html'))
      return servedAsItIs('index.html; package.json has neither scripts.start nor scripts.build')
    const lookedFor = [
      'scripts.start in package.json',
      'server.js',
      'scripts.build in package.json',
      'index.html',
      'Procfile',
    ]
    return planRefusal(
      'package.json says neither how to start the app nor how to build a site.',
      'Add scripts.start (for a server) or scripts.build (for a site) to package.json.',
      lookedFor,
    )
  }
  return {
    kind: 'static',
    buildImage: `build-${npm.node.major}`,
    runImage: 'static',
    // Pruning serves nobody: only the site is kept.
    steps: [
      ...build.steps.filter(({ name }) => name !== 'prune'),
      { name: 'collect', argv: COLLECT_SITE.argv, env: {}, cwd: '' },
    ],
    web: SERVE_SITE,
    packPath: COLLECT_SITE.folder,
    env: {},
    sentence: `A static site that scripts.build makes with Node ${npm.node.major}; ${build.sentence}. It is looked for in ${SITE_FOLDERS.slice(0, 5).join(', ')}.${npm.node.note}`,
  }
}

/** Without package.json. */
function planBare({ web, fetched: { paths } }: Parts): Draft | PlanRefusal {
  if (web !== null) {
    const command = resolveCommand(web, Object.create(null))
    const runImage = command.needsNpm ? 'build-24' : 'node-24'
    return {
      kind: 'node',
      buildImage: null,
      runImage,
      steps: [],
      web: command.argv,
      packPath: null,
      env: { NODE_ENV: 'production' },
      sentence: 'A Node 24 app (Procfile) without package.json; nothing to install.',
    }
  }
  if (paths.has('index.html')) return servedAsItIs('index.html')
  const others = [
    'Dockerfile',
    'requirements.txt',
    'Gemfile',
    'go.mod',
    'Cargo.toml',
    'composer.json',
    'pyproject.toml',
  ].filter((name) => paths.has(name))
  const found = others.length === 0 ? '' : ` It has ${others.join(' and ')}, which this node does not build yet.`
  return planRefusal(
    `This is no app that can be run here: the top of the repository has none of Procfile, package.json and index.html.${found}`,
    'Add one of the three and deploy again.',
    ['Procfile', 'package.json', 'index.html'],
  )
}

function servedAsItIs(from: string): Draft {
  return {
    kind: 'static',
    buildImage: null,
    runImage: 'static',
    steps: [],
    web: SERVE_SITE,
    packPath: null,
    env: {},
    sentence: `A static site, served as it is (${from}).`,
  }
}
