/**
 * Which Debian packages this tree needs and why, read where they are needed.
 *
 * Each list stays beside the code that calls those programs. The CLI may import neither the server nor the
 * sandbox, so a short-lived child process reads the lists: they cannot drift apart from a copy kept here.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { mustRun } from './command.ts'
import { clone } from './places.ts'

export interface DebianPackage {
  readonly name: string
  readonly why: string
}

const LISTS = [
  'packages/sandbox/src/packages.ts',
  'packages/server/src/gateway/packages.ts',
  'packages/server/src/packages.ts',
]

const READ = `
  const lists = await Promise.all(process.argv.slice(1).map((url) => import(url)))
  console.log(JSON.stringify(lists.flatMap((list) => list.debianPackages)))`

export async function neededPackages(): Promise<DebianPackage[]> {
  const urls = LISTS.map((path) => pathToFileURL(join(clone, path)).href)
  const printed = await mustRun([process.execPath, '--input-type=module', '--eval', READ, ...urls])
  return JSON.parse(printed) as DebianPackage[]
}
