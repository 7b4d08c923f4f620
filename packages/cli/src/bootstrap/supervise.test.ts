import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatLife, lifeOf } from './life.ts'
import { supervise, type Program } from './supervise.ts'

const quietly = { say: () => undefined, gid: process.getgid?.() ?? 0 }
const patience = { timeoutMs: 5000, signal: new AbortController().signal }

function program(folder: string, script: string): Program {
  const mark = `perennial-test-${folder}`
  const command = ['sh', '-c', script, mark] as [string, ...string[]]
  return { name: 'thing', command, env: { PATH: process.env['PATH'] }, mark, folder, graceMs: 2000 }
}

test('a program that dies is started again, and said to be', async () => {
  using folder = temporary()
  const said: string[] = []
  const script = `echo life >> ${folder.path}/lives; sleep 600`
  const thing = await supervise(program(folder.path, script), { ...quietly, say: (line) => said.push(line) })
  const lives = () =>
    existsSync(`${folder.path}/lives`) ? readFileSync(`${folder.path}/lives`, 'utf8').split('\n').length - 1 : 0
  await thing.ready(async () => lives() > 0, patience)
  process.kill(pidOf(folder.path), 'SIGKILL')
  await until(() => lives() === 2)
  assert.match(said.join(), /thing ended \(SIGKILL\); starting it again in 0\.5 s, see .*thing\.log/)
  const pid = pidOf(folder.path)
  await thing.stop()
  assert.equal(existsSync(`/proc/${pid}`), false)
  assert.equal(existsSync(`${folder.path}/thing.pid`), false)
})

test('a program that ends while starting is an error with its last words', async () => {
  using folder = temporary()
  const thing = await supervise(program(folder.path, 'echo no room left; exit 3'), quietly)
  await assert.rejects(
    thing.ready(async () => false, patience),
    /thing ended while starting.*no room left/s,
  )
  await thing.stop()
})

test('one that does not listen to TERM is killed after its grace', async () => {
  using folder = temporary()
  const stubborn = {
    ...program(folder.path, `trap '' TERM; touch ${folder.path}/up; while :; do sleep 1; done`),
    graceMs: 200,
  }
  const thing = await supervise(stubborn, quietly)
  await thing.ready(async () => existsSync(`${folder.path}/up`), patience)
  const pid = pidOf(folder.path)
  await thing.stop()
  assert.equal(existsSync(`/proc/${pid}`), false)
})

test('what a killed supervisor left running is ended before the next begins', async () => {
  using folder = temporary()
  const about = program(folder.path, 'sleep 600')
  const left = spawn('sh', ['-c', 'sleep 600; true', about.mark], { stdio: 'ignore' })
  const life = lifeOf(left.pid ?? 0)
  assert.ok(life)
  writeFileSync(`${folder.path}/thing.pid`, formatLife(life))
  const thing = await supervise(about, quietly)
  assert.equal(
    left.signalCode ?? (await new Promise((resolve) => left.once('exit', (_, signal) => resolve(signal)))),
    'SIGTERM',
  )
  await thing.stop()
})

test('a stranger that has the old number is left alone, also one that runs the same program', async () => {
  using folder = temporary()
  const about = program(folder.path, 'sleep 600')
  const stranger = spawn('sh', ['-c', 'sleep 600; true', about.mark], { stdio: 'ignore' })
  const life = lifeOf(stranger.pid ?? 0)
  assert.ok(life)
  // The one that had its number before was born earlier.
  const born = life.born.replace(/^\d+/, (ticks) => String(Number(ticks) - 1))
  writeFileSync(`${folder.path}/thing.pid`, formatLife({ ...life, born }))
  const thing = await supervise(about, quietly)
  assert.equal(stranger.signalCode, null)
  await thing.stop()
  stranger.kill('SIGKILL')
})

test('what a program prints is for its group alone, and is put aside when it is much, while it runs', async () => {
  using folder = temporary()
  const script = 'while :; do echo 0123456789012345678901234567890123456789; sleep 0.01; done'
  const thing = await supervise(program(folder.path, script), { ...quietly, gid: 12_345, maxLogBytes: 1000 })
  const log = `${folder.path}/thing.log`
  await until(() => existsSync(`${log}.2`))
  for (const path of [log, `${log}.1`, `${log}.2`]) {
    const { mode, gid, size } = statSync(path)
    assert.deepEqual([mode & 0o777, gid], [0o640, 12_345])
    assert.ok(size < 20_000)
  }
  await thing.stop()
})

function pidOf(folder: string): number {
  return Number.parseInt(readFileSync(`${folder}/thing.pid`, 'utf8'), 10)
}

async function until(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 5000
  while (!holds()) {
    assert.ok(performance.now() < endMs, 'it came in time')
    await sleep(20)
  }
}

function temporary(): { path: string } & Disposable {
  const path = mkdtempSync('/tmp/perennial-supervise-')
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}
