/** Which Python package index this machine's pip is set to use, else the one that pip itself knows. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { UpstreamSettings } from './upstream.ts'

type Settings = Readonly<Record<string, string>>

/**
 * What `pip config` says, or the environment where there is no pip in reach (`perennial up` passes PIP_* on). With no
 * index named, `defaultIndex` is asked: it reads what a pip that builds use has built in.
 */
export async function pipSettings(defaultIndex: () => Promise<string | null>): Promise<UpstreamSettings> {
  const all = (await askPip()) ?? fromEnvironment(process.env)
  const url = all['index-url'] ?? (await defaultIndex())
  if (url === null)
    throw new Error('pip names no index and none is built in where it was looked for; set one: PIP_INDEX_URL=<url>')
  const { cert, proxy } = all
  const noProxy = process.env['no_proxy'] ?? process.env['NO_PROXY']
  return {
    url,
    ...(cert !== undefined && { ca: await readFile(cert, 'utf8') }),
    ...(proxy !== undefined && { httpsProxy: proxy }),
    ...(noProxy !== undefined && { noProxy }),
  }
}

async function askPip(): Promise<Settings | null> {
  try {
    const { stdout } = await promisify(execFile)('python3', ['-m', 'pip', 'config', 'list'], {
      cwd: '/',
      maxBuffer: 2 ** 20,
    })
    return parsePipConfig(stdout)
  } catch {
    return null // No Python, or a Python without pip.
  }
}

/**
 * Lines of `pip config list`, `global.index-url='https://…'`: a command's section beats `global`, and the environment
 * (`:env:`) beats both, as in pip itself.
 */
export function parsePipConfig(text: string): Settings {
  const found: Record<string, string> = {}
  for (const section of ['global', 'download', 'install', ':env:'])
    for (const line of text.split('\n')) {
      const [, of, key, value] = /^(:env:|[a-z]+)\.([a-z-]+)='(.*)'$/.exec(line) ?? []
      if (of === section && key !== undefined && value) found[key] = value
    }
  return found
}

function fromEnvironment(environment: NodeJS.ProcessEnv): Settings {
  const set = Object.entries(environment).filter(([name, value]) => name.startsWith('PIP_') && value)
  return Object.fromEntries(
    set.map(([name, value = '']) => [name.slice('PIP_'.length).toLowerCase().replaceAll('_', '-'), value]),
  )
}

/** What prints the index that a pip has built in, run by the Python that it belongs to. */
export const PRINT_DEFAULT_INDEX = 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)'

/** The built-in index of this machine's pip; null if it has none. */
export async function builtInIndex(): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('python3', ['-c', PRINT_DEFAULT_INDEX], { cwd: '/' })
    return stdout.trim()
  } catch {
    return null
  }
}
