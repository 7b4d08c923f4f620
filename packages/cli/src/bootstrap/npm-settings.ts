/**
 * The registry that root's npm is set to use, as environment for the node.
 *
 * The node fetches packages for builds through a mirror of its own and runs as a user without a home: root's .npmrc
 * is not its to read. A registry's token is never passed on.
 */
import { command } from './command.ts'

const PASSED = ['registry', 'https-proxy', 'noproxy', 'cafile']

export async function npmSettings(): Promise<Record<string, string>> {
  const { stdout, code } = await command(['npm', 'config', 'list', '--json'], { cwd: '/' })
  if (code !== 0) return {}
  const all = JSON.parse(stdout) as Record<string, unknown>
  return Object.fromEntries(
    PASSED.flatMap((key) => {
      const value = all[key]
      return typeof value === 'string' && value !== '' ? [[`npm_config_${key.replaceAll('-', '_')}`, value]] : []
    }),
  )
}
