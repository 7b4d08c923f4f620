import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import test from 'node:test'
import type { Deployment } from './index.ts'
import { openBuildBench } from './testing.ts'

const bench = await openBuildBench({ PERENNIAL_BUILD_SECONDS: '8', PERENNIAL_BUILD_MEMORY_MIB: '256' })
test.after(() => bench[Symbol.asyncDispose]())
let made = 0

/** Deploys an app whose build is this program. */
async function building(program: string): Promise<{ done: Deployment; log: string; app: string }> {
  const app = await bench.app(`evil/app${++made}`, {
    'package.json': JSON.stringify({ scripts: { build: 'node build.js', start: 'node x' } }),
    'build.js': program,
  })
  const done = await bench.deploy(app)
  return { done, log: await bench.log(app.id), app: app.id }
}

test('an endless build is stopped at its time, says so, and is charged for what it used', async () => {
  const { done, app } = await building('for (;;);')
  assert.equal(done.status, 'failed')
  assert.match(done.problem ?? '', /^npm run build was stopped: a build may take 8 seconds\. It cost 0\.\d+\. /)
  assert.ok(done.cost > 5n, `${done.cost} micros for up to 8 CPU-seconds`)
  const { balance, held } = await bench.accounts.balance(`app/${app}/purse`)
  assert.deepEqual([balance, held], [5_000_000n - done.cost, 0n])
})

test('a build that fills its memory is ended by its limit, and the sentence names it', async () => {
  const { done } = await building('const all = []; for (;;) all.push(Buffer.alloc(2 ** 24, 1))')
  assert.match(done.problem ?? '', /needed more memory than the 256 MiB that a build has/)
  const heap = await building('const all = []; for (;;) all.push({ a: [all.length] })')
  assert.match(heap.done.problem ?? '', /needed more memory than the 256 MiB that a build has/)
})

test('a build that fills its disk meets the end of it, and the sentence names it', async () => {
  const { done } = await building(
    `const fs = require('fs'); const file = fs.openSync('/app/big', 'w'); const block = Buffer.alloc(2 ** 26, 1); for (;;) fs.writeSync(file, block)`,
  )
  assert.match(done.problem ?? '', /needed more disk than the 2048 MiB|a build may take 8 seconds/)
})

test('a build that starts processes without end fails alone', async () => {
  const { done } = await building(`const { spawn } = require('child_process'); for (;;) spawn('sleep', ['60'])`)
  assert.equal(done.status, 'failed')
  assert.deepEqual(await bench.client.list(), [])
})

test('a build that goes on in the background ends with its step', async () => {
  const { done } = await building(
    `require('child_process').spawn('sh', ['-c', 'while true; do echo still here; sleep 0.1; done'], { detached: true, stdio: 'inherit' }).unref()`,
  )
  assert.equal(done.status, 'starting', done.problem ?? '')
  assert.deepEqual(await bench.client.list(), [])
})

test('a build reaches the package door and nothing else: not the git proxy, the host or another sandbox', async () => {
  const { gitProxy, packageDoor } = bench.outbound
  await using host = await listening(packageDoor.address)
  await using other = await otherSandbox()
  const door = `${packageDoor.address}:${packageDoor.port}`
  const targets = [
    `${gitProxy.address}:${gitProxy.port}`,
    `${packageDoor.address}:${host.port}`,
    `${other.address}:8080`,
    door,
  ]
  const program = `
    const net = require('net')
    Promise.all(${JSON.stringify(targets)}.map((target) => new Promise((resolve) => {
      const [host, port] = target.split(':')
      const socket = net.connect({ host, port, timeout: 2000 })
      socket.on('connect', () => { console.log('REACHED ' + target); socket.destroy(); resolve() })
      socket.on('error', () => resolve()); socket.on('timeout', () => { socket.destroy(); resolve() })
    })))`
  const { log } = await building(program)
  const reached = targets.filter((target) => log.includes(`REACHED ${target}`))
  assert.deepEqual(reached, [door], 'the last one is the control: the program does reach a door that is open')
  // And each of the others is there for who may reach it.
  for (const target of targets) await connects(target)
})

test('links that a repository or a build leaves lead nowhere outside the sandbox', async () => {
  const files = {
    'package.json': JSON.stringify({
      scripts: {
        build:
          'cat shadow socket/* passwd 2>&1; mkdir -p public && echo site > public/index.html; ln -s / dist; ln -s /etc out',
      },
    }),
    shadow: { link: '/etc/shadow' },
    passwd: { link: '../../../../etc/passwd' },
    socket: { link: bench.place.environment['PERENNIAL_DATA'] ?? '' },
  }
  const app = await bench.app('evil/links', files)
  const done = await bench.deploy(app)
  const log = await bench.log(app.id)
  assert.equal(done.status, 'starting', `${done.problem}\n${log}`)
  assert.match(log, /The site is in public\./, 'dist and out are links, and links are not taken for folders')
  assert.match(log, /shadow: No such file|can't open 'shadow'/)
  assert.doesNotMatch(log, /daemon:|postgres:/, 'the host’s passwd has these users, the image’s has not')
})

test('a build that replaces the folder it is to leave by a link leaves nothing', async () => {
  const app = await bench.app('evil/swap', {
    'package.json': JSON.stringify({
      scripts: { build: 'mkdir -p dist/x && echo 1 > dist/index.html && rm -rf .perennial && ln -s /etc .perennial' },
    }),
  })
  const done = await bench.deploy(app)
  // The last step is the node's own and clears the way first, so this one is merely built.
  assert.equal(done.status, 'starting', done.problem ?? '')
  const release = bench.client.releasePath(done.release ?? '')
  assert.ok(existsSync(release))
})

test('what a build prints is stored as text that cannot end a line or a record, and a flood is cut and counted', async () => {
  const forged = '2026-01-01T00:00:00.000000000+00:00 stdout F forged'
  const first = await building(`process.stdout.write('a\\0b\\x1b[31m\\r' + 'x'.repeat(300000) + '\\n${forged}\\n')`)
  assert.equal(first.done.status, 'starting', first.done.problem ?? '')
  assert.ok(first.log.split('\n').includes(forged), 'the line is the text that was printed, not the record it imitates')
  const flood = await building(`for (let i = 0; i < 200000; i++) console.log('line ' + 'x'.repeat(50) + i)`)
  assert.equal(flood.done.status, 'starting', flood.done.problem ?? '')
  const dropped = await bench.services.database.query(
    `select from log_line where app = $1 and text like '% dropped: %'`,
    [flood.app],
  )
  assert.ok(dropped.length > 0)
})

test('nothing is left: no sandbox, no scratch disk, no row that waits, and the ledger is sound', async () => {
  assert.deepEqual(await bench.client.list(), [])
  assert.deepEqual(readdirSync(join(bench.sandbox.options.root, 'scratch')), [])
  assert.deepEqual(await bench.services.database.query('select id from build_sandbox where removed_at is null'), [])
  assert.deepEqual(await bench.ledger.verify(), [])
})

/** A service of the host on the sandboxes' side, which no door leads to. */
async function listening(address: string) {
  const server = createServer((socket) => socket.end())
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  const { port } = server.address() as AddressInfo
  return { port, [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) }
}

async function otherSandbox() {
  const limits = { memoryBytes: 64 * 2 ** 20, pids: 16, cpuPercent: 50 }
  const { address } = await bench.client.start({
    id: 'other',
    image: 'static',
    writableBytes: 8 * 2 ** 20,
    argv: ['busybox', 'httpd', '-f', '-p', '8080'],
    env: {},
    cwd: '/app',
    user: 'app',
    limits,
    network: 'none',
  })
  return { address, [Symbol.asyncDispose]: () => bench.client.remove({ id: 'other' }) }
}

async function connects(target: string): Promise<void> {
  const [host = '', port = ''] = target.split(':')
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host, port: Number(port) }, () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}
