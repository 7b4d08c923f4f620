/**
 * Python apps, and the sites that MkDocs builds. Packages lie in a virtual environment in the release, /app/.venv; its
 * Python is the image's own.
 *
 *   uv.lock, poetry.lock or requirements.txt say what is installed, else the dependencies of pyproject.toml
 */
import { resolveCommand } from '../command.ts'
import { cacheKey } from './cache-key.ts'
import type { Draft, Ground } from './draft.ts'
import type { Look } from './look.ts'
import { parsePackage } from './package-json.ts'
import { planRefusal, type PlanRefusal, type Step } from './plan.ts'
import { importedNames, projectNames, requirementNames } from './python-names.ts'
import { LOCKED_REQUIREMENTS } from './python-locked.ts'
import { pythonStart } from './python-start.ts'
import { collectSite, SERVE_SITE, SITE } from './static-site.ts'

/** Programs that only a Python app starts with. */
const PROGRAM =
  /^(?:\w+=\S* )*(?:python3?|gunicorn|uvicorn|hypercorn|flask|streamlit|waitress-serve|daphne|celery|uv run|poetry run|fastapi)\b/
const LOCKS = ['uv.lock', 'poetry.lock'] as const
/** As Heroku does, unless the app says otherwise. */
const COLLECT_STATIC = '[ -n "$DISABLE_COLLECTSTATIC" ] || exec python manage.py collectstatic --noinput'

const PATH = '/app/.venv/bin:/usr/local/bin:/usr/bin:/bin'
const ENVIRONMENT = {
  PATH,
  VIRTUAL_ENV: '/app/.venv',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  PIP_NO_INPUT: '1',
  PYTHONDONTWRITEBYTECODE: '1',
}

export function startsPython(line: string): boolean {
  return PROGRAM.test(line.slice(0, 500))
}

/** Its manifests say so, or a program of a usual name that serves something. */
export function isPython(look: Look): boolean {
  const manifest = ['requirements.txt', 'pyproject.toml', 'uv.lock', 'poetry.lock', 'mkdocs.yml'].filter(look.has)
  return manifest.length > 0 || pythonStart(look, new Set()) !== null
}

/** Where there is a package.json too, which may be there for styles and scripts alone. */
export function prefersPython(look: Look): boolean {
  if (look.listing.paths.has('manage.py')) return true
  const npm = parsePackage(look.listing.files.get('package.json') ?? '{}')
  const starts = !('refusal' in npm) && ['start', 'build'].some((name) => npm.scripts[name] !== undefined)
  return !starts && pythonStart(look, namesOf(look)) !== null
}

interface Source {
  /** For people. */
  readonly name: string
  readonly script: string
  readonly sha256: string | null
}

export function planPython({ look, wanted }: Ground): Draft | PlanRefusal {
  const source = sourceOf(look)
  const installed = namesOf(look)
  const notes = versionNote(look)
  const own = wanted.processes.get('web')
  if (wanted.site !== null) return planSite({ source, build: wanted.build, folder: wanted.site, notes })
  if (own === undefined && look.has('mkdocs.yml')) {
    const listed = installed.has('mkdocs') || installed.has('mkdocs-material')
    return planSite({ source: listed ? source : MKDOCS, build: 'mkdocs build --site-dir site', folder: 'site', notes })
  }
  const start = own === undefined ? pythonStart(look, installed) : { line: own, from: wanted.webFrom, note: null }
  if (start === null)
    return planRefusal(
      'It is written in Python and nothing says how to start it.',
      'Add a Procfile with a line such as: web: gunicorn app:app',
      look.missed,
    )
  const run = (line: string) => resolveCommand(withoutRunner(line), NO_SCRIPTS).argv
  const collects = look.listing.paths.has('manage.py') && installed.has('whitenoise')
  const steps = [
    ...installSteps(source),
    ...(wanted.build === null ? [] : [step('build', wanted.build, wanted.build)]),
    ...(collects ? [step('build', COLLECT_STATIC, 'python manage.py collectstatic --noinput')] : []),
  ]
  return {
    kind: 'python',
    buildImage: 'build-python',
    runImage: 'python',
    steps,
    web: run(start.line),
    packPath: null,
    cwd: '',
    env: { PATH, VIRTUAL_ENV: '/app/.venv', PYTHONPATH: '/app', PYTHONUNBUFFERED: '1' },
    sentence: `A Python app (${start.from}); ${said(source)}.`,
    notes: [...notes, ...(start.note === null ? [] : [start.note])],
    cache: keyOf(source),
    run,
  }
}

/** For documents whose generator nothing installs. */
const MKDOCS: Source = { name: 'mkdocs==1.6.1', script: 'pip_install mkdocs==1.6.1', sha256: null }

function planSite(site: {
  readonly source: Source | null
  readonly build: string | null
  readonly folder: string
  readonly notes: readonly string[]
}): Draft {
  const { source, build, folder, notes } = site
  const collect = collectSite({ folders: [folder], only: true })
  return {
    kind: 'static',
    buildImage: 'build-python',
    runImage: 'static',
    steps: [
      ...installSteps(source),
      ...(build === null ? [] : [step('build', build, build)]),
      { name: 'collect', title: 'collect the site', argv: collect, env: {}, cwd: '' },
    ],
    web: SERVE_SITE,
    packPath: SITE,
    cwd: '',
    env: {},
    sentence: `A static site, made with Python; ${said(source)}. It is looked for in ${folder}.`,
    notes,
    cache: keyOf(source),
    run: () => SERVE_SITE,
  }
}

function said(source: Source | null): string {
  return source === null ? 'nothing to install' : `pip installs what ${source.name} names`
}

function sourceOf(look: Look): Source | null {
  const { lockfiles, files } = look.listing
  // A project that says how it is packed is a package itself, and its own programs are installed too.
  const packed = (files.get('pyproject.toml') ?? '').includes('[build-system]') ? '\npip_install --no-deps .' : ''
  for (const lock of LOCKS)
    if (lockfiles.has(lock))
      return {
        name: lock,
        script: `python3 -c "$LOCKED" ${lock} > /tmp/requirements.txt\npip_install --no-deps -r /tmp/requirements.txt${packed}`,
        sha256: lockfiles.get(lock)?.sha256 ?? null,
      }
  if (look.has('requirements.txt'))
    return {
      name: 'requirements.txt',
      script: 'pip_install -r requirements.txt',
      sha256: lockfiles.get('requirements.txt')?.sha256 ?? null,
    }
  if (!look.has('pyproject.toml')) return null
  return {
    name: 'pyproject.toml',
    script: `python3 -c "$LOCKED" pyproject.toml > /tmp/requirements.txt\npip_install -r /tmp/requirements.txt${packed}`,
    sha256: null,
  }
}

/** A virtual environment without pip of its own, as nothing is installed later. */
function installSteps(source: Source | null): readonly Step[] {
  const make = 'python3 -m venv --without-pip .venv'
  if (source === null) return [step('install', `set -e\n${make}`, make)]
  const script = `
set -e
${make}
pip_install() { python3 -m pip --python .venv/bin/python install --no-compile "$@"; }
${source.script}
# Checked by their content, and so the same in every build of the same packages.
.venv/bin/python -m compileall -q --invalidation-mode unchecked-hash .venv/lib || true`.trim()
  return [
    {
      ...step('install', script, `pip install, by ${source.name}`),
      env: { ...ENVIRONMENT, LOCKED: LOCKED_REQUIREMENTS },
    },
  ]
}

function step(name: string, script: string, title: string): Step {
  return { name, title, argv: ['sh', '-c', script], env: ENVIRONMENT, cwd: '' }
}

const NO_SCRIPTS = { scripts: Object.create(null) as Record<string, string>, dependencies: new Set<string>() }

/** What the runner would set up is there: the environment's programs come first on the path. */
function withoutRunner(line: string): string {
  return line.replace(/^((?:\w+=\S* )*)(?:uv|poetry|pipenv) run (?!-)/, '$1')
}

function namesOf(look: Look): ReadonlySet<string> {
  const { files } = look.listing
  return new Set([
    ...requirementNames(files.get('requirements.txt') ?? ''),
    ...projectNames(files.get('pyproject.toml') ?? ''),
    ...(files.has('requirements.txt') || files.has('pyproject.toml')
      ? []
      : importedNames(files.get('manage.py') ?? '')),
  ])
}

/** The image has one Python, Debian's. */
function versionNote({ listing: { files } }: Look): readonly string[] {
  const asked = /\d+\.\d+/.exec((files.get('runtime.txt') ?? files.get('.python-version') ?? '').slice(0, 100))?.[0]
  return asked === undefined || asked === '3.11' ? [] : [`It asks for Python ${asked}; it gets Debian's own Python 3.`]
}

function keyOf(source: Source | null): Draft['cache'] {
  return source?.sha256 == null ? null : { key: cacheKey(['build-python', 'pip', source.name, source.sha256]) }
}
