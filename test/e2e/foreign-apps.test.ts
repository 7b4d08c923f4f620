import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { gitRemote, openTestNode, until, type GitRemote, type TestNode } from '@perennial/testnet'
import { foreignSources } from './foreign.ts'
import { dearMemory } from './prices.ts'

let remote: GitRemote
/** All that is open, to be closed in the opposite order, however far the start came. */
const open = new AsyncDisposableStack()
let node: TestNode

before(async () => {
  const repositories = {
    'vitejs/react': foreignSources({
      spec: 'create-vite@9.3.0',
      folder: 'template-react-ts',
      renamed: { _gitignore: '.gitignore', '_oxlintrc.json': '.oxlintrc.json' },
    }),
    'yjs/y-websocket-server': foreignSources({ spec: '@y/websocket-server@0.1.5' }),
    'hexojs/site': foreignSources({ spec: 'hexo-cli@4.3.2', folder: 'assets' }),
  }
  remote = open.use(await gitRemote({ repositories }))
  const prices = open.use(dearMemory(60_000n))
  node = open.use(await openTestNode({ remotes: [remote], env: { PERENNIAL_PRICE_BOOK: prices.path } }))
})
after(() => open.disposeAsync())

test('a framework app with a build step: Vite’s React template', async () => {
  await liveAndDie('vitejs/react', 150_000n, async (slug) => {
    const page = await (await node.visit(slug, '/')).text()
    assert.match(page, /<div id="root">/)
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(page)?.[1] ?? assert.fail('the page loads no script')
    assert.match(await (await node.visit(slug, script)).text(), /createRoot/)
  })
})

test('a static site generator: Hexo’s own site', async () => {
  await liveAndDie('hexojs/site', 150_000n, async (slug) => {
    assert.match(await (await node.visit(slug, '/')).text(), /Hello World/)
    assert.equal((await node.visit(slug, '/archives/')).status, 200)
  })
})

test('a WebSocket app: the server of Yjs', async () => {
  await liveAndDie('yjs/y-websocket-server', 10_000_000n, async (slug) => {
    // The server greets with sync step 1 of its protocol: type 0, step 0.
    const greeting = await firstMessage(slug, '/room')
    assert.deepEqual([...greeting.subarray(0, 2)], [0, 0])
  })
})

/** Deployed unchanged on the start allowance, paid for, visited, frozen by its empty purse, revived by a stranger. */
async function liveAndDie(name: string, payment: bigint, visit: (slug: string) => Promise<void>): Promise<void> {
  const { slug } = await node.deploy(remote.url(name))
  await node.fund(slug, payment)
  await node.appWhen(slug, 'runs', ({ activity }) => activity === 'awake' || activity === 'asleep', 120_000)
  await visit(slug)
  await node.appWhen(slug, 'freezes', ({ state }) => state === 'frozen', 240_000)
  await until('the pay page', async () => (await node.visit(slug, '/')).status === 402)
  await node.fund(slug, 2n * payment)
  await node.appWhen(slug, 'runs again', ({ activity }) => activity === 'awake', 60_000)
  await visit(slug)
}

/** The first frame a server sends after the handshake (RFC 6455 §5.2), which must be a short, whole one. */
function firstMessage(slug: string, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const asked = request({
      host: '127.0.0.1',
      port: node.port,
      path,
      headers: {
        host: `${slug}.localhost:${node.port}`,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
      },
      timeout: 10_000,
    })
    asked.on('error', reject)
    asked.on('timeout', () => asked.destroy(new Error('no handshake within 10 s')))
    asked.on('response', ({ statusCode }) => reject(new Error(`answered ${statusCode}, not 101`)))
    asked.on('upgrade', (_answer, socket, head) => {
      const read = (bytes: Buffer) => {
        const length = (bytes[1] ?? 0) & 0x7f
        socket.destroy()
        resolve(bytes.subarray(2, 2 + length))
      }
      if (head.length > 0) read(head)
      else socket.once('data', read)
    })
    asked.end()
  })
}
