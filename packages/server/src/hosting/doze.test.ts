import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '@perennial/protocol'
import { freePort } from '@perennial/testnet/free-port'
import { testGateway, visit, type TestGateway } from '../gateway/testing.ts'
import { doze } from './doze.ts'

const scale = Number(process.env['TEST_SCALE'] ?? 1)

test('no request is lost while an app is frozen and thawed again and again', { timeout: 60_000 * scale }, async () => {
  await using app = await freezableApp()
  let busy = 0
  let frozen = 0
  let done = false
  const freezer = (async () => {
    while (!done) {
      if ((await app.exclusive(() => app.dozeAndLook())) === 'frozen') frozen++
      else busy++
      await sleep(Math.random() * 30)
    }
  })()
  const clients = Array.from({ length: 4 }, async (_, client) => {
    for (let turn = 0; turn < 100 * scale; turn++) {
      const path = `/${client}-${turn}`
      const body = 'x'.repeat(Math.random() < 0.2 ? 100_000 : 10)
      const { status, text } = await visit(app.site.port, app.host, { path, method: 'POST', body })
      assert.deepEqual([status, text], [200, `${path} ${body.length}`])
      await sleep(Math.random() * 60)
    }
  })
  try {
    await Promise.all(clients)
  } finally {
    done = true
    await freezer
  }
  assert.ok(frozen > 20, `only ${frozen} freezes, ${busy} times busy`)
})

test('an app that answers a slow request is not frozen, and answers it', async () => {
  await using app = await freezableApp()
  const slow = visit(app.site.port, app.host, { path: '/slow' })
  await sleep(100)
  assert.equal(await app.exclusive(app.doze), 'busy')
  assert.equal(await app.stopped(), false)
  assert.equal((await slow).text, 'slow')
  assert.equal(await app.exclusive(app.doze), 'frozen')
  // The signal was sent; it stops when the kernel next looks.
  while (!(await app.stopped())) await sleep(5)
  assert.equal((await visit(app.site.port, app.host)).text, '/ 0')
})

/** A real process behind a real gateway; SIGSTOP does to it what the cgroup freezer does to a sandbox. */
async function freezableApp() {
  const host = 'sleeper.localhost'
  const id = newId()
  const port = await freePort()
  const child = spawn(process.execPath, ['-e', program, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  let turn: Promise<unknown> = Promise.resolve()
  const exclusive = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work)
    turn = mine
    return mine
  }
  let asleep = false
  const sleepNow = async (): Promise<'frozen' | 'busy'> => {
    if (asleep) return 'frozen'
    const result = await doze({
      router: site.gateway,
      ...where,
      freeze: async () => child.kill('SIGSTOP'),
      thaw: async () => child.kill('SIGCONT'),
    })
    asleep = result === 'frozen'
    return result
  }
  const where = { app: id, host, address: '127.0.0.1', port }
  const site: TestGateway = await testGateway({
    waker: {
      find: async () => ({ app: id }),
      wake: () =>
        exclusive(async (): Promise<'ready'> => {
          if (asleep) {
            child.kill('SIGCONT')
            asleep = false
            await site.gateway.route(where)
          }
          return 'ready'
        }),
    },
  })
  await site.gateway.route(where)
  return {
    host,
    site,
    exclusive,
    doze: sleepNow,
    async dozeAndLook() {
      const result = await sleepNow()
      if (result === 'frozen') assert.equal(await connectionsTo(port), 0, 'a request reached the frozen app')
      return result
    },
    stopped: () => isStopped(child),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await site[Symbol.asyncDispose]()
    },
  }
}

/** Asks the kernel, not the gateway: established connections whose other end is this port. */
async function connectionsTo(port: number): Promise<number> {
  const there = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/))
  return lines.filter(([, , remote, state]) => remote?.endsWith(there) && state === '01').length
}

async function isStopped(child: ChildProcess): Promise<boolean> {
  return / T /.test(await readFile(`/proc/${child.pid}/stat`, 'utf8'))
}

const program = `
require('node:http').createServer((incoming, response) => {
  if (incoming.url === '/slow') return setTimeout(() => response.end('slow'), 1500)
  let size = 0
  incoming.on('data', (chunk) => { size += chunk.length })
  incoming.on('end', () => response.end(incoming.url + ' ' + size))
}).listen(Number(process.argv[1]), '127.0.0.1', () => console.log('up'))`
