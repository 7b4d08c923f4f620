/**
 * How a Python app without a Procfile is started, by the conventions of its framework.
 *
 *   manage.py                        gunicorn site.wsgi (Django)
 *   app.py, main.py, wsgi.py …       gunicorn app:app, uvicorn main:app, flask, streamlit: whichever it installs
 *   the same with no such package    python app.py, if the file serves anything
 */
import type { Look } from './look.ts'
import { importedNames } from './python-names.ts'

export interface PythonStart {
  readonly line: string
  readonly from: string
  readonly note: string | null
}

const FILES = ['app.py', 'main.py', 'wsgi.py', 'asgi.py', 'server.py'] as const
/** Modules that answer requests, of the standard library and of others. */
const SERVES = [
  'http',
  'socketserver',
  'wsgiref',
  'asyncio',
  'xmlrpc',
  'aiohttp',
  'tornado',
  'bottle',
  'cherrypy',
  'waitress',
  'websockets',
  'sanic',
  'twisted',
  'gradio',
  'nicegui',
]

export function pythonStart(look: Look, installed: ReadonlySet<string>): PythonStart | null {
  return django(look, installed) ?? byFile(look, installed)
}

function django(look: Look, installed: ReadonlySet<string>): PythonStart | null {
  const text = look.file('manage.py')
  if (text === undefined) return null
  const site = /DJANGO_SETTINGS_MODULE['"]\s*,\s*['"]([A-Za-z_][A-Za-z0-9_.]{0,99})['"]/.exec(text)?.[1]
  const from = 'manage.py'
  // settings.py, settings/production.py: the servers' module lies beside them.
  const module = site?.replace(/\.settings(?:\..*)?$/, '')
  if (module !== undefined && installed.has('gunicorn')) return { line: `gunicorn ${module}.wsgi`, from, note: null }
  if (module !== undefined && installed.has('uvicorn'))
    return { line: `uvicorn ${module}.asgi:application --host 0.0.0.0 --port $PORT`, from, note: null }
  return {
    line: 'python manage.py runserver --noreload 0.0.0.0:$PORT',
    from,
    note: "Django's server for developing runs it; add gunicorn to its requirements.",
  }
}

function byFile(look: Look, installed: ReadonlySet<string>): PythonStart | null {
  for (const file of FILES) {
    const text = look.file(file)
    if (text === undefined) continue
    const start = startOf(file, text, installed)
    if (start !== null) return { ...start, from: file }
  }
  return null
}

function startOf(file: string, text: string, installed: ReadonlySet<string>): Omit<PythonStart, 'from'> | null {
  const module = file.replace(/\.py$/, '')
  const imported = importedNames(text)
  const has = (name: string) => installed.has(name) || imported.has(name)
  const [, variable] =
    /^([A-Za-z_][A-Za-z0-9_]{0,99})(?:\s*:\s*[\w.]{1,99})?\s*=\s*(?:\w{1,99}\.)?(?:Flask|FastAPI|Starlette|Quart|Litestar|Bottle|Sanic|create_app|make_app|get_wsgi_application|get_asgi_application)\s*\(/m.exec(
      text,
    ) ?? []
  if (has('streamlit'))
    return {
      line: `streamlit run ${file} --server.port $PORT --server.address 0.0.0.0 --server.headless true`,
      note: null,
    }
  if (variable !== undefined) {
    const asynchronous = has('fastapi') || has('starlette') || has('quart') || has('litestar') || module === 'asgi'
    if (asynchronous && installed.has('uvicorn'))
      return { line: `uvicorn ${module}:${variable} --host 0.0.0.0 --port $PORT`, note: null }
    if (asynchronous && installed.has('hypercorn'))
      return { line: `hypercorn ${module}:${variable} --bind 0.0.0.0:$PORT`, note: null }
    if (installed.has('fastapi') && installed.has('fastapi-cli'))
      return { line: `fastapi run ${file} --host 0.0.0.0 --port $PORT`, note: null }
    if (installed.has('gunicorn')) return { line: `gunicorn ${module}:${variable}`, note: null }
    if (installed.has('waitress')) return { line: `waitress-serve --port=$PORT ${module}:${variable}`, note: null }
    if (has('flask'))
      return {
        line: `flask --app ${module} run --host 0.0.0.0 --port $PORT`,
        note: "Flask's server for developing runs it; add gunicorn to its requirements.",
      }
  }
  const serves = /\bPORT\b/.test(text) || SERVES.some((name) => imported.has(name))
  return serves ? { line: `python ${file}`, note: null } : null
}
