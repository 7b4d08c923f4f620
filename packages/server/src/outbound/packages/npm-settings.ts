/** Which registry this machine's npm is set to use, and how it is reached. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { UpstreamSettings } from './upstream.ts'

/** What `npm config` says: user, global and environment settings, as npm itself merges them. */
export async function npmSettings(): Promise<UpstreamSettings> {
  const all = (await askNpm()) ?? fromEnvironment(process.env)
  const text = (key: string) => (typeof all[key] === 'string' && all[key] !== '' ? all[key] : undefined)
  const url = text('registry')
  if (url === undefined) throw new Error('npm names no registry; set one: npm config set registry <url>')
  const cafile = text('cafile')
  const httpsProxy = text('https-proxy')
  const noProxy = text('noproxy')
  return {
    url,
    ...(cafile === undefined ? {} : { ca: await readFile(cafile, 'utf8') }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    ...(noProxy === undefined ? {} : { noProxy }),
  }
}

/** Undefined where there is no npm in reach: root's may lie in root's home. */
async function askNpm(): Promise<Record<string, unknown> | undefined> {
  try {
    const { stdout } = await promisify(execFile)('npm', ['config', 'list', '--json'], { cwd: '/', maxBuffer: 2 ** 20 })
    return JSON.parse(stdout) as Record<string, unknown>
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** What `perennial up` asked root's npm for and passed on: npm_config_registry, npm_config_https_proxy, … */
function fromEnvironment(environment: NodeJS.ProcessEnv): Record<string, unknown> {
  const set = Object.entries(environment).filter(([name]) => name.startsWith('npm_config_'))
  return Object.fromEntries(set.map(([name, value]) => [name.slice('npm_config_'.length).replaceAll('_', '-'), value]))
}
