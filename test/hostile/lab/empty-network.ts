/**
 * Importing this first runs the test file in a network of its own that is joined to nothing: what the test makes there
 * is all that an attack can reach, whatever else fails. Databases and sandboxd are reached through files, as ever.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { withUs } from './island.ts'

const mark = 'PERENNIAL_HOSTILE_NETWORK'

if (process.env[mark] === undefined) {
  const [tool, ...argv] = [...withUs, 'unshare', '--net', process.execPath, ...process.execArgv, process.argv[1] ?? '']
  const { status } = spawnSync(tool, argv, { stdio: 'inherit', env: { ...process.env, [mark]: 'empty' } })
  process.exit(status ?? 1)
}
execFileSync('ip', ['link', 'set', 'lo', 'up'])

/** Gives this network an address that is not loopback. */
export function addAddress(address: string): void {
  execFileSync('ip', ['addr', 'add', address, 'dev', 'lo'])
}
