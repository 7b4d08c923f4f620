/** Where things lie in this clone. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder that holds package.json of the whole tree. */
export const clone = dirname(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))))

/** The launcher that finds the pinned Node by itself: what a person is told to run. */
export const launcher = join(clone, 'packages/cli/bin/perennial')

/** The pinned Node, relative to the clone; it is the lockfile's, whatever `node` the machine has. */
export function pinnedNode(): string {
  const path = `node_modules/node-linux-${process.arch}/bin/node`
  if (existsSync(join(clone, path))) return path
  throw new Error(`${join(clone, path)} is missing: run npm ci in ${clone}`)
}

export const entry = {
  server: 'packages/server/src/main.ts',
  sandboxd: 'packages/sandbox/src/daemon/main.ts',
  sampleRemote: 'packages/testnet/src/sample-remote.ts',
} as const

/** The one command that root would type: as it is for root, by sudo or su for anybody else. */
export function asRoot(words: string): string {
  if (process.getuid?.() === 0) return words
  const sudo = (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, 'sudo')))
  return sudo ? `sudo ${words}` : `su -c '${words}'`
}
