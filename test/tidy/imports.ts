/**
 * Who may import whom (DESIGN, "Folders"): between packages, and inside the server from folder to folder.
 *
 * The compiler does not hold this: with npm workspaces every package finds every other.
 */
import { dirname, join } from 'node:path/posix'
import { isTest, type Problems, type Tree } from './tree.ts'

/** Packages by what they may import. `test`, `bench` and testnet's own tests may import everything. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  sandbox: [],
  protocol: [],
  ledger: ['protocol'],
  client: ['protocol'],
  server: ['protocol', 'ledger', 'client', 'sandbox/client'],
  cli: ['protocol', 'client'],
  testnet: ['server', 'client', 'protocol'],
  apps: ['client', 'protocol'],
}

/** The server's folders: each may import those before it. */
const SERVER_ORDER =
  'outbound identity source apps peers compensation metering funding builds provider market hosting gateway vault data continuity rpc web'.split(
    ' ',
  )

/** Fixtures that import nothing of other packages of ours, so that every package's tests may use them. */
const FIXTURE = /^packages\/(testnet\/src\/(postgres|git-remote|free-port)|sandbox\/src\/testing)(\/index)?\.ts$/

/** Fills the interfaces that folders declare, so it alone knows everyone. */
const WIRING = 'packages/server/src/node.ts'
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g

export function importRules(tree: Tree): Problems {
  const problems: Problems = []
  for (const [path, text] of tree) {
    if (!/\.(ts|js)$/.test(path) || !/^(packages|apps|test|bench)\//.test(path)) continue
    for (const found of text.matchAll(IMPORT)) {
      const target = resolve(path, found[1] ?? found[2] ?? found[3] ?? '')
      const problem = target && forbidden(path, target)
      if (problem) problems.push(`${path} imports ${target}: ${problem}`)
    }
  }
  return problems
}

/** A path in this tree, or undefined for Node and other people's packages. */
function resolve(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return join(dirname(from), specifier)
  const [, name, rest] = /^@perennial\/([a-z]+)(?:\/(.+))?$/.exec(specifier) ?? []
  return name && (rest ? `packages/${name}/src/${rest}/index.ts` : `packages/${name}/src/index.ts`)
}

function forbidden(from: string, to: string): string | undefined {
  const [mine, theirs] = [areaOf(from), areaOf(to)]
  if (to.endsWith('/testing.ts') && !isTest(from)) return 'testing.ts is for tests'
  if (mine === 'test' || mine === 'bench') return undefined
  if (FIXTURE.test(from) && mine !== theirs) return 'every test imports this file, so it imports nothing of ours'
  if (mine === theirs) return mine === 'server' ? forbiddenInServer(from, to) : undefined
  if (isTest(from) && FIXTURE.test(to)) return undefined
  const allowed = (MAY[mine] ?? []).some((area) => {
    const [name, only] = area.split('/')
    return name === theirs && (only === undefined || to.startsWith(`packages/${name}/src/${only}/`))
  })
  return allowed ? undefined : `${mine} may import only ${(MAY[mine] ?? []).join(', ') || 'nothing of ours'}`
}

function areaOf(path: string): string {
  const [top = '', second = ''] = path.split('/')
  return top === 'packages' ? second : top
}

function forbiddenInServer(from: string, to: string): string | undefined {
  const [mine, theirs] = [folderOf(from), folderOf(to)]
  if (theirs === undefined || mine === theirs || from === WIRING) return undefined
  if (mine === undefined) return isTest(from) ? undefined : 'only node.ts knows the folders'
  if (isTest(from) && to.endsWith(`/${theirs}/testing.ts`)) return undefined
  if (!to.endsWith(`/${theirs}/index.ts`)) return `a folder is imported through its index.ts`
  // A test may drive what comes later to show the whole; what ships may not.
  if (isTest(from)) return undefined
  return SERVER_ORDER.indexOf(theirs) < SERVER_ORDER.indexOf(mine) ? undefined : `${theirs} comes after ${mine}`
}

function folderOf(path: string): string | undefined {
  const parts = path.split('/')
  return parts.length > 4 ? parts[3] : undefined
}
