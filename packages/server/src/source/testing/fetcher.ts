/** For tests: fetches as a build does, from real remotes, in real sandboxes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openTestSandbox, type TestSandbox } from '@perennial/sandbox/testing'
import { gitRemote, type GitRemote } from '@perennial/testnet/git-remote'
import { isRefusal, type Refusal } from '@perennial/protocol'
import { systemClock } from '../../clock.ts'
import { readConfig } from '../../config.ts'
import { openDiagnostics } from '../../diagnostics.ts'
import { openOutbound, type Outbound } from '../../outbound/index.ts'
import { readOutput } from '../../output.ts'
import { fetchSpec, readFetch, type Fetched } from '../index.ts'

export interface Fetching {
  readonly ref?: string | null
  readonly root?: string
  /** A shell's script that sees the tree afterwards, at /app. */
  readonly look?: string
}

export interface Fetcher extends AsyncDisposable {
  readonly sandbox: TestSandbox
  readonly outbound: Outbound
  readonly remote: GitRemote
  /** The address as people give it. */
  plain(name: string): string
  fetched(name: string, options?: Fetching): Promise<Fetched & { looked: string[] }>
  refused(url: string, options?: Fetching): Promise<Refusal>
  /** git in the bare repository, for what no honest tool makes. */
  bare(name: string, argv: readonly string[], input?: string): string
}

/** `others`: remotes that may be fetched from, too. */
export async function openFetcher(others: readonly GitRemote[] = []): Promise<Fetcher> {
  const stack = new AsyncDisposableStack()
  const sandbox = stack.use(await openTestSandbox())
  const remote = stack.use(await gitRemote())
  const folder = mkdtempSync(join(tmpdir(), 'perennial-fetch-'))
  stack.defer(() => rmSync(folder, { recursive: true }))
  const { doorAddress, subnet } = await sandbox.client.probe()
  const config = readConfig({
    PERENNIAL_DATA: folder,
    PERENNIAL_DEVELOPMENT_REMOTES: [remote, ...others].map(({ hostPort }) => hostPort).join(),
  })
  const services = { config, clock: systemClock, diagnostics: openDiagnostics({ level: 'error' }) }
  const outbound = await openOutbound(services, { doorAddress, subnet })
  stack.defer(() => outbound.close())
  let made = 0

  async function fetchFrom(
    url: string,
    { ref = null, root = '', look }: Fetching,
  ): Promise<{ found: Fetched | Refusal; looked: string[] }> {
    const { client } = sandbox
    const id = `fetch${++made}`
    await client.scratch({ id, sizeBytes: 256 * 2 ** 20 })
    const spec = fetchSpec({ id, scratch: id, repository: { url }, ref, root, gitProxy: outbound.gitProxy })
    const { address } = await client.start(spec)
    const exit = await client.wait({ id, timeoutMs: 60_000 })
    const lines = await readOutput(client.logPath(id))
    const of = (stream: 'out' | 'err') =>
      lines.filter((line) => line.stream === stream).map(({ bytes }) => bytes.toString())
    const refused = outbound.refusal(address)
    const found = readFetch({ out: of('out'), err: of('err'), exit, refused, url, ref, root })
    outbound.forget(address)
    await client.remove({ id })
    const looked: string[] = []
    if (look !== undefined) {
      await client.start({ ...spec, id: `${id}-look`, argv: ['sh', '-c', look], env: {}, network: 'none' })
      await client.wait({ id: `${id}-look`, timeoutMs: 10_000 })
      looked.push(...(await readOutput(client.logPath(`${id}-look`))).map(({ bytes }) => bytes.toString()))
      await client.remove({ id: `${id}-look` })
    }
    await client.removeScratch({ id })
    return { found, looked }
  }

  const plain = (name: string) => remote.url(name).replace(/\.git$/, '')
  return {
    sandbox,
    outbound,
    remote,
    plain,
    async fetched(name, options = {}) {
      const { found, looked } = await fetchFrom(plain(name), options)
      assert.ok(!isRefusal(found), isRefusal(found) ? found.sentence : '')
      return { ...found, looked }
    },
    async refused(url, options = {}) {
      const { found } = await fetchFrom(url, options)
      assert.ok(isRefusal(found), JSON.stringify(found))
      return found
    },
    bare(name, argv, input = '') {
      const who = { NAME: 'a', EMAIL: 'a@b' }
      const people = ['AUTHOR', 'COMMITTER'].flatMap((role) =>
        Object.entries(who).map(([key, value]) => [`GIT_${role}_${key}`, value]),
      )
      const env = { PATH: process.env['PATH'], ...Object.fromEntries(people) }
      const own = ['-c', 'safe.directory=*', '--git-dir', remote.folder(name)]
      return execFileSync('git', [...own, ...argv], { input, env })
        .toString()
        .trim()
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
