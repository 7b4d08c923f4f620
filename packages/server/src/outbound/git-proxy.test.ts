import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { gitRemote } from '@perennial/testnet/git-remote'
import { check, type Resolve } from './check.ts'
import { openGitProxy, parseAuthority } from './git-proxy.ts'
import { TrafficTable, type TrafficLimits } from './traffic.ts'

const runs = 300 * Number(process.env['TEST_SCALE'] ?? 1)
const generous: TrafficLimits = { bytes: 10 * 2 ** 20, connections: 8, connectionMs: 20_000 }
const loopback = { address: '127.0.0.1', peers: '127.0.0.0/8' }

async function proxyFor(options: {
  developmentRemotes?: string[]
  resolve?: Resolve
  limits?: TrafficLimits
  peers?: string
}) {
  const developmentRemotes = options.developmentRemotes ?? []
  const resolve = options.resolve ?? (async () => [])
  const traffic = new TrafficTable(options.limits ?? generous)
  const proxy = await openGitProxy({
    listen: { ...loopback, peers: options.peers ?? loopback.peers },
    traffic,
    check: (destination) => check(destination, { resolve, developmentRemotes }),
    isDevelopment: ({ host, port }) => developmentRemotes.includes(`${host}:${port}`),
  })
  return { proxy, traffic, url: `http://127.0.0.1:${proxy.port}`, [Symbol.asyncDispose]: () => proxy.close() }
}

async function clone(url: string, proxy: string, ...config: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'perennial-clone-'))
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    no_proxy: '',
  }
  try {
    const argv = ['-c', `http.proxy=${proxy}`, ...config, 'clone', '--quiet', url, 'clone']
    await promisify(execFile)('git', argv, { cwd: folder, env })
    return readFileSync(join(folder, 'clone/README.md'), 'utf8')
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const repositories = { 'octo/hello': { 'README.md': 'hello' } }

test('git clones a development remote through the proxy, and every byte is counted', async () => {
  await using remote = await gitRemote({ repositories })
  await using open = await proxyFor({ developmentRemotes: [remote.hostPort] })
  assert.equal(await clone(remote.url('octo/hello'), open.url), 'hello')
  assert.ok(open.traffic.of('127.0.0.1').bytes > 500n)
})

test('the same remote is refused when it is not named as a development remote', async () => {
  await using remote = await gitRemote({ repositories })
  await using open = await proxyFor({})
  await assert.rejects(clone(remote.url('octo/hello'), open.url))
  assert.equal(remote.requests.length, 0)
  assert.match(open.traffic.of('127.0.0.1').refusal?.sentence ?? '', /without encryption/)
})

test('a redirect to a private address is followed by nobody; allowed, the same redirect leads there', async () => {
  await using inside = await gitRemote({ repositories })
  await using outside = await gitRemote({
    intercept(req, res) {
      res.writeHead(302, { location: `http://${inside.hostPort}${req.url}` }).end()
      return true
    },
  })
  await using closed = await proxyFor({ developmentRemotes: [outside.hostPort] })
  await assert.rejects(clone(outside.url('octo/hello'), closed.url))
  assert.equal(outside.requests.length, 1)
  assert.equal(inside.requests.length, 0, 'the private remote was never asked')
  await using control = await proxyFor({ developmentRemotes: [outside.hostPort, inside.hostPort] })
  assert.equal(await clone(outside.url('octo/hello'), control.url), 'hello')
})

test('a tunnel to a name that leads to this machine is refused; judged otherwise, it would have led there', async () => {
  await using secret = await listener((socket) => socket.end('secret'))
  const inside = { resolve: async () => ['127.0.0.1'] }
  await using open = await proxyFor(inside)
  assert.match(
    await raw(open.proxy.port, `CONNECT rebind.example:443 HTTP/1.1\r\nhost: rebind.example\r\n\r\n`),
    /^HTTP\/1.1 403 /,
  )
  assert.match(open.traffic.of('127.0.0.1').refusal?.sentence ?? '', / leads to /)
  await using control = await proxyFor({ ...inside, developmentRemotes: [`rebind.example:${secret.port}`] })
  assert.match(
    await raw(control.proxy.port, `CONNECT rebind.example:${secret.port} HTTP/1.1\r\n\r\n`),
    /200 [^]*secret/,
  )
})

test('a name that changes between the check and the connection gains nothing: it is resolved once', async () => {
  await using secret = await listener((socket) => socket.end('secret'))
  let asked = 0
  // First a dead address (nobody listens on 127.0.0.2 at this port), then, for who asks again, the secret's.
  const resolve: Resolve = async () => [asked++ === 0 ? '127.0.0.2' : '127.0.0.1']
  await using open = await proxyFor({ resolve, developmentRemotes: [`rebind.example:${secret.port}`] })
  const connectOnce = `CONNECT rebind.example:${secret.port} HTTP/1.1\r\n\r\n`
  assert.doesNotMatch(await raw(open.proxy.port, connectOnce), /secret/)
  assert.equal(asked, 1)
  assert.match(await raw(open.proxy.port, connectOnce), /secret/, 'control: the second name lookup does lead to it')
})

test('requests that are no destination get a refusal and the proxy lives on', async () => {
  await using remote = await gitRemote({ repositories })
  await using open = await proxyFor({ developmentRemotes: [remote.hostPort] })
  for (const head of [
    'GET / HTTP/1.1\r\nhost: x\r\n\r\n',
    `DELETE http://${remote.hostPort}/octo/hello.git HTTP/1.1\r\nhost: x\r\n\r\n`,
    `GET http://user:word@${remote.hostPort}/ HTTP/1.1\r\nhost: x\r\n\r\n`,
    'CONNECT rebind.example HTTP/1.1\r\n\r\n',
    'CONNECT 127.0.0.1:22 HTTP/1.1\r\n\r\n',
    'CONNECT [::1]:443 HTTP/1.1\r\n\r\n',
    'CONNECT a:443/../b HTTP/1.1\r\n\r\n',
  ])
    assert.match(await raw(open.proxy.port, head), /^HTTP\/1.1 403 /, head)
  for (const head of [
    `GET http://${remote.hostPort}/x\r\nx HTTP/1.1\r\n\r\n`,
    '\0\0\0\r\n\r\n',
    `GET http://${remote.hostPort}/ HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`,
  ])
    assert.doesNotMatch(await raw(open.proxy.port, head), / 200 /, head)
  assert.equal(remote.requests.length, 0)
  assert.equal(await clone(remote.url('octo/hello'), open.url), 'hello')
})

test('a transfer ends when its bytes are used up, and nothing more is let through', async () => {
  await using endless = await listener((socket) => {
    const more = () => void (socket.writable && socket.write(Buffer.alloc(65_536), () => setImmediate(more)))
    more()
  })
  const limits = { ...generous, bytes: 2 ** 20 }
  await using open = await proxyFor({
    resolve: async () => ['127.0.0.1'],
    developmentRemotes: [`a.example:${endless.port}`],
    limits,
  })
  const head = `CONNECT a.example:${endless.port} HTTP/1.1\r\n\r\n`
  const got = (await raw(open.proxy.port, head)).length
  assert.ok(got > 2 ** 19 && got < 2 ** 21, `${got} bytes came through`)
  assert.equal(open.traffic.of('127.0.0.1').refusal?.refusal, 'client-error/too-large')
  assert.match(await raw(open.proxy.port, head), /^HTTP\/1.1 403 /)
})

test('a connection that lasts too long is cut', async () => {
  await using silent = await listener(() => {})
  const limits = { ...generous, connectionMs: 200 }
  await using open = await proxyFor({
    resolve: async () => ['127.0.0.1'],
    developmentRemotes: [`a.example:${silent.port}`],
    limits,
  })
  const startedMs = performance.now()
  await raw(open.proxy.port, `CONNECT a.example:${silent.port} HTTP/1.1\r\n\r\n`)
  assert.ok(performance.now() - startedMs < 5000)
  assert.match(open.traffic.of('127.0.0.1').refusal?.sentence ?? '', /lasted longer/)
})

test('one sandbox has so many connections at once and no more', async () => {
  await using silent = await listener(() => {})
  const limits = { ...generous, connections: 2 }
  await using open = await proxyFor({
    resolve: async () => ['127.0.0.1'],
    developmentRemotes: [`a.example:${silent.port}`],
    limits,
  })
  const head = `CONNECT a.example:${silent.port} HTTP/1.1\r\n\r\n`
  const held = await Promise.all([holding(open.proxy.port, head), holding(open.proxy.port, head)])
  assert.match(await raw(open.proxy.port, head), /^HTTP\/1.1 403 /)
  for (const socket of held) socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  const again = await holding(open.proxy.port, head)
  again.destroy()
})

test('who does not come from a sandbox address is not answered', async () => {
  await using open = await proxyFor({ peers: '10.77.0.0/16' })
  assert.equal(await raw(open.proxy.port, 'CONNECT a.example:443 HTTP/1.1\r\n\r\n'), '')
})

test('whatever is written after CONNECT parses to a host and a port, or to nothing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 300 }), fc.webAuthority({ withPort: true })), (text) => {
      const found = parseAuthority(text)
      if (!found) return
      assert.match(found.host, /^[a-z0-9.:-]+$/)
      assert.ok(found.port >= 1 && found.port <= 65_535)
    }),
    { numRuns: runs },
  )
  assert.deepEqual(parseAuthority('[2606:4700::1]:443'), { host: '2606:4700::1', port: 443 })
  assert.equal(parseAuthority('a:0'), null)
  assert.equal(parseAuthority('a:65536'), null)
})

test('the proxy withstands any bytes', async () => {
  await using open = await proxyFor({ resolve: async () => Promise.reject(new Error('no')) })
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
      await raw(open.proxy.port, Buffer.from(bytes), 20)
    }),
    { numRuns: Math.ceil(runs / 10) },
  )
  assert.match(await raw(open.proxy.port, 'CONNECT a.example:443 HTTP/1.1\r\n\r\n'), /^HTTP\/1.1 403 /)
})

/** Sends `head` and reads until the other side closes, or 'waitMs' of silence. */
function raw(port: number, head: string | Buffer, waitMs = 1500): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(head))
    const done = () => {
      socket.destroy()
      resolve(Buffer.concat(chunks).toString('latin1'))
    }
    socket.setTimeout(waitMs, done)
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('close', done)
    socket.on('error', done)
  })
}

/** A tunnel that stays open. */
async function holding(port: number, head: string) {
  const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(head))
  const first = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
  assert.match(first.toString(), /^HTTP\/1.1 200 /)
  return socket
}

async function listener(serve: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // The proxy cuts; that is what is tested.
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
