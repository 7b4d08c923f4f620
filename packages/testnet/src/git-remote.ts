/**
 * Public git repositories on 127.0.0.1, served over real git-over-HTTP by Debian's own `git http-backend`.
 *
 *     await using remote = await gitRemote({ repositories: { 'octo/hello': { 'index.html': '<h1>Hello</h1>' } } })
 *     remote.url('octo/hello')          // http://127.0.0.1:40123/octo/hello.git
 *     remote.hostPort                   // for PERENNIAL_DEVELOPMENT_REMOTES
 *     await remote.commit('octo/hello', { 'index.html': '<h1>Bye</h1>' }, 'say bye')
 *
 * Commits have fixed authors and dates, so the same files give the same commit ids. Imports nothing of ours.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** By path: text or bytes; `{ link }` is a symbolic link, `{ run }` an executable, null removes the file. */
export type Files = Readonly<
  Record<string, string | Uint8Array | { readonly link: string } | { readonly run: string } | null>
>

export interface GitRemote {
  url(name: string): string
  /** `127.0.0.1:port`. */
  readonly hostPort: string
  /** Adds a commit to the branch `main` (or another) and answers its id. Makes the repository if there is none. */
  commit(name: string, files: Files, message: string, branch?: string): Promise<string>
  /** Where the bare repository lies, for tests that damage it. */
  folder(name: string): string
  /** Requests so far, as `GET /octo/hello.git/info/refs?…`. */
  readonly requests: readonly string[]
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface GitRemoteOptions {
  /** By name (`octo/hello`): what the first commit holds; a string is a folder whose content is taken. */
  readonly repositories?: Readonly<Record<string, Files | string>>
  /** Keeps the bare repositories here, for a remote that comes again. Absent: a temporary folder. */
  readonly folder?: string
  /** 0 or absent: any free one. */
  readonly port?: number
  /** Tests answer some requests themselves (redirects, endless bodies): true if it did. */
  readonly intercept?: (req: IncomingMessage, res: ServerResponse) => boolean
}

export async function gitRemote(options: GitRemoteOptions = {}): Promise<GitRemote> {
  const root = options.folder ?? mkdtempSync(join(tmpdir(), 'perennial-git-'))
  const requests: string[] = []
  const server = createServer((req, res) => {
    requests.push(`${req.method} ${req.url}`)
    if (!options.intercept?.(req, res)) serve(root, req, res)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: options.port ?? 0 }, resolve)
  })
  const hostPort = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const folder = (name: string) => join(root, `${name}.git`)

  async function commit(name: string, files: Files, message: string, branch = 'main'): Promise<string> {
    const gitDir = folder(name)
    if (!existsSync(gitDir)) {
      mkdirSync(gitDir, { recursive: true })
      await git(['init', '--quiet', '--bare', '--initial-branch=main', gitDir])
    }
    const parent = await git(['--git-dir', gitDir, 'rev-parse', '--verify', '--quiet', `refs/heads/${branch}`]).catch(
      () => '',
    )
    await git(
      ['--git-dir', gitDir, 'fast-import', '--quiet'],
      fastImport({ files, message, branch, parent: parent.trim() }),
    )
    return (await git(['--git-dir', gitDir, 'rev-parse', `refs/heads/${branch}`])).trim()
  }

  async function close(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
    if (options.folder === undefined) rmSync(root, { recursive: true, force: true })
  }

  for (const [name, files] of Object.entries(options.repositories ?? {}))
    await commit(name, typeof files === 'string' ? filesOf(files) : files, 'first')
  return {
    url: (name) => `http://${hostPort}/${name}.git`,
    hostPort,
    commit,
    folder,
    requests,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** The content of a folder as `Files`; `node_modules` and `.git` stay out. */
export function filesOf(folder: string, below = ''): Files {
  const files: Record<string, Files[string]> = {}
  for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.name === 'node_modules' || entry.name === '.git') continue
    if (entry.isDirectory()) Object.assign(files, filesOf(folder, path))
    else if (entry.isSymbolicLink()) files[path] = { link: readlinkSync(join(folder, path)) }
    else if (statSync(join(folder, path)).mode & 0o100) files[path] = { run: readFileSync(join(folder, path), 'utf8') }
    else files[path] = readFileSync(join(folder, path))
  }
  return files
}

/** One CGI exchange (RFC 3875) with `git http-backend`. */
function serve(root: string, req: IncomingMessage, res: ServerResponse): void {
  const url = new URL(req.url ?? '/', 'http://localhost')
  const backend = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      ...QUIET_GIT,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: req.method,
      CONTENT_TYPE: req.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: req.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(req.headers['git-protocol'] ?? ''),
      REMOTE_ADDR: req.socket.remoteAddress,
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  req.pipe(backend.stdin)
  backend.stdin.on('error', () => {}) // It may answer before it has read everything.
  res.on('close', () => backend.kill())
  let head = Buffer.alloc(0)
  const readHead = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    backend.stdout.off('data', readHead)
    for (const line of head.subarray(0, end).toString('latin1').split('\r\n')) {
      const colon = line.indexOf(':')
      const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()]
      if (name.toLowerCase() === 'status') res.statusCode = Number.parseInt(value, 10)
      else res.setHeader(name, value)
    }
    res.write(head.subarray(end + 4))
    backend.stdout.pipe(res)
  }
  backend.stdout.on('data', readHead)
  backend.on('close', () => {
    if (!res.headersSent) res.writeHead(500)
    if (!res.writableEnded) res.end()
  })
}

/** Nobody's own settings: the same on each machine. */
const QUIET_GIT = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  HOME: '/nonexistent',
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'safe.directory',
  GIT_CONFIG_VALUE_0: '*',
}

function git(argv: readonly string[], input?: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', argv, {
      env: { PATH: process.env['PATH'], ...QUIET_GIT },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const [out, err]: [Buffer[], Buffer[]] = [[], []]
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString('utf8'))
      else reject(new Error(`git ${argv.join(' ')} failed: ${Buffer.concat(err).toString('utf8')}`))
    })
    child.stdin.on('error', () => {}) // A git that fails early says why on its own.
    child.stdin.end(input)
  })
}

/** The stream that `git fast-import` reads: a commit with whatever paths and modes are asked for. */
function fastImport(commit: { files: Files; message: string; branch: string; parent: string }): Buffer {
  const { files, message, branch, parent } = commit
  const parts: Buffer[] = []
  const line = (text: string) => parts.push(Buffer.from(`${text}\n`))
  const data = (content: string | Uint8Array) => {
    const bytes = Buffer.from(content as string)
    line(`data ${bytes.length}`)
    parts.push(bytes)
    line('')
  }
  line(`commit refs/heads/${branch}`)
  line('committer Perennial Test <test@example.org> 1767225600 +0000')
  data(message)
  if (parent !== '') line(`from ${parent}`)
  for (const [path, content] of Object.entries(files)) {
    const quoted = `"${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
    if (content === null) {
      line(`D ${quoted}`)
      continue
    }
    const special = typeof content === 'object' && !(content instanceof Uint8Array)
    const mode = !special ? '100644' : 'link' in content ? '120000' : '100755'
    line(`M ${mode} inline ${quoted}`)
    data(!special ? content : 'link' in content ? content.link : content.run)
  }
  return Buffer.concat(parts)
}
