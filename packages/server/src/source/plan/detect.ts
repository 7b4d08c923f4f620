/**
 * How a repository is built and run, from its manifests alone; the first that applies decides:
 *
 *   perennial.json     our own; what it says wins over everything below
 *   Procfile           every process; app.json has settings, formation, cron, add-ons, health
 *   package.json       Node: an app that starts, or a site that is built
 *   requirements.txt … Python
 *   index.html         a site, served as it is
 *
 * Another folder than the top is planned as if it were the top, unless it is a member of a workspace.
 */
import type { Fetched } from '../fetched.ts'
import { parseAppJson, type AppJson, MOST_INSTANCES } from './app-json.ts'
import type { Draft, Ground, Wanted } from './draft.ts'
import { openLook } from './look.ts'
import { planNode, servedAsItIs } from './node.ts'
import { parseManifest, type Manifest } from './perennial-json.ts'
import { ADDITIONS, DEFAULT_HEALTH, planRefusal, type Cron, type Plan, type PlanRefusal, type Step } from './plan.ts'
import { parseProcfile } from './procfile.ts'
import { isPython, planPython, prefersPython, startsPython } from './python.ts'
import { unknown } from './unknown.ts'

export type Planned = Pick<Fetched, 'files' | 'paths' | 'lockfiles'> &
  Partial<Pick<Fetched, 'root' | 'top' | 'elsewhere' | 'lfs' | 'submodules'>>

const MOST_PROCESSES = 16
const NOTHING: AppJson = {
  env: {},
  needs: [],
  generates: [],
  formation: new Map(),
  cron: [],
  postdeploy: null,
  database: null,
  health: null,
  notes: [],
}

export function planBuild(fetched: Planned): Plan | PlanRefusal {
  const { root = '' } = fetched
  const top = openLook(fetched.top ?? fetched)
  const look = root === '' ? top : openLook(fetched)
  const manifest = parseManifest(look.file('perennial.json'))
  if ('refusal' in manifest) return manifest
  if (root === '' && manifest.root !== undefined) return notFollowed(manifest.root)
  const appJson = look.file('app.json')
  const app = appJson === undefined ? NOTHING : parseAppJson(appJson)
  if ('refusal' in app) return app
  const procfile = parseProcfile(look.file('Procfile') ?? '')
  const processes = new Map([
    ...procfile,
    ...Object.entries(manifest.processes ?? {}),
    ...(manifest.start === undefined ? [] : [['web', manifest.start] as const]),
  ])
  if (processes.size > MOST_PROCESSES)
    return planRefusal(
      `It names ${processes.size} processes; at most ${MOST_PROCESSES} are run.`,
      'Remove some from its Procfile.',
    )
  const crons = [...manifest.cron, ...app.cron]
  const own = manifest.start !== undefined || manifest.processes?.['web'] !== undefined
  const wanted: Wanted = {
    processes,
    webFrom: own ? 'perennial.json' : 'Procfile',
    others: [...crons.map(({ command }) => command), ...(app.postdeploy === null ? [] : [app.postdeploy])],
    build: manifest.build ?? null,
    site: manifest.static ?? null,
    node: manifest.node ?? null,
  }
  const ground: Ground = { look, top, root, wanted }
  const draft = planKind(ground, fetched.elsewhere ?? [])
  if ('refusal' in draft) return draft
  const plan = complete({ draft, ground, manifest, app, fetched })
  return isSound(plan)
    ? plan
    : planRefusal('One of its commands or settings holds a character that is none.', 'Remove it and deploy again.')
}

/** No program can be given a NUL, and no row of ours half a letter. */
function isSound(value: unknown): boolean {
  if (typeof value === 'string') return !value.includes('\0') && value.isWellFormed()
  return typeof value !== 'object' || value === null || Object.entries(value).flat().every(isSound)
}

function planKind(ground: Ground, elsewhere: readonly string[]): Draft | PlanRefusal {
  const { look, wanted } = ground
  const web = wanted.processes.get('web')
  if (web !== undefined && startsPython(web)) return planPython(ground)
  const node = look.has('package.json')
  // What a Node app lacks of Python is no news.
  const python = isPython(node ? openLook(look.listing) : look)
  if (node && (!python || !prefersPython(look))) return planNode(ground)
  if (python) return planPython(ground)
  if (web !== undefined || wanted.site !== null) return planNode(ground)
  if (look.has('index.html')) return servedAsItIs('index.html')
  if (wanted.processes.size > 0)
    return planRefusal('The Procfile names no web process.', 'Add a line such as: web: node server.js', look.missed)
  return unknown(ground, elsewhere)
}

interface Parts {
  readonly draft: Draft
  readonly ground: Ground
  readonly manifest: Manifest
  readonly app: AppJson
  readonly fetched: Planned
}

/** What every kind has: its settings, processes and data. */
function complete({ draft, ground, manifest, app, fetched }: Parts): Plan {
  const { run, ...plan } = draft
  const { root, wanted, look } = ground
  const settings = { ...app.env, ...manifest.env }
  const served = plan.kind === 'static'
  const processes: Record<string, readonly string[]> = { web: plan.web }
  const formation: Record<string, number> = { web: clamp(app.formation.get('web')) }
  if (!served)
    for (const [name, line] of wanted.processes) {
      if (name !== 'web') processes[name] = run(line)
      if (name !== 'release') formation[name] = clamp(app.formation.get(name))
    }
  const cron = [...manifest.cron, ...app.cron].map(({ schedule, command }, at): Cron => ({
    name: `cron-${at + 1}`,
    schedule,
    argv: run(command),
  }))
  const health = manifest.health && {
    path: manifest.health.path ?? DEFAULT_HEALTH.path,
    timeoutMs: manifest.health.seconds === undefined ? DEFAULT_HEALTH.timeoutMs : manifest.health.seconds * 1000,
  }
  const ignored = served && (wanted.processes.size > 0 || cron.length > 0)
  return {
    ...ADDITIONS,
    ...plan,
    ...isolated(plan, root),
    processes,
    formation,
    cron: served ? [] : cron,
    postdeploy: served || app.postdeploy === null ? null : run(app.postdeploy),
    volumes: manifest.volumes,
    database: manifest.database ?? app.database,
    health: health ?? app.health ?? DEFAULT_HEALTH,
    needs: app.needs.filter((name) => !(name in settings)),
    generates: app.generates.filter((name) => !(name in settings)),
    env: { ...app.env, ...plan.env, ...manifest.env },
    settings,
    lookedFor: look.missed,
    notes: [
      ...(ignored ? ['It is a site: its other processes and its cron are not run.'] : []),
      ...plan.notes,
      ...app.notes,
      ...unfetched(fetched),
    ],
  }
}

function clamp(quantity = 1): number {
  return Math.min(MOST_INSTANCES, quantity)
}

/**
 * A folder that stands alone becomes the top of the build's disk, so that its build and its release are the same as if
 * it had a repository of its own. A member of a workspace needs the rest of it.
 */
function isolated(plan: Pick<Plan, 'cwd' | 'packPath' | 'steps'>, root: string): Pick<Plan, 'packPath' | 'steps'> {
  const member = root !== '' && (plan.cwd === root || (plan.packPath ?? '').startsWith(`${root}/`))
  if (root === '' || member) return plan
  if (plan.steps.length === 0) return { steps: [], packPath: root }
  const script = `
set -e
rm -rf .perennial-root
mv -- "$1" .perennial-root
find . -mindepth 1 -maxdepth 1 ! -name .perennial-root ! -name lost+found -exec rm -rf {} +
find .perennial-root -mindepth 1 -maxdepth 1 -exec mv {} . ';'
rmdir .perennial-root`.trim()
  const step: Step = {
    name: 'isolate',
    title: `take ${root} alone`,
    argv: ['sh', '-c', script, 'sh', root],
    env: {},
    cwd: '',
  }
  return { steps: [step, ...plan.steps], packPath: plan.packPath }
}

function unfetched({ lfs = [], submodules = [] }: Planned): readonly string[] {
  const list = (names: readonly string[]) => `${names.slice(0, 5).join(', ')}${names.length > 5 ? ' and others' : ''}`
  return [
    ...(lfs.length > 0 ? [`Git LFS keeps the contents of ${list(lfs)} elsewhere; the app gets pointers to them.`] : []),
    ...(submodules.length > 0 ? [`Submodules are not fetched: ${list(submodules)} is empty.`] : []),
  ]
}

function notFollowed(root: string): PlanRefusal {
  return planRefusal(
    `perennial.json names the folder ${root}, which could not be read from it.`,
    `Deploy it with root ${root}.`,
  )
}
