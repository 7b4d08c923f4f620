import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { supervise, type Program } from './supervise.ts'

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
  const thing = await supervise(program(folder.path, script), (line) => said.push(line))
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
  const thing = await supervise(program(folder.path, 'echo no room left; exit 3'), () => undefined)
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
  const thing = await supervise(stubborn, () => undefined)
  await thing.ready(async () => existsSync(`${folder.path}/up`), patience)
  const pid = pidOf(folder.path)
  await thing.stop()
  assert.equal(existsSync(`/proc/${pid}`), false)
})

test('what a killed supervisor left running is ended before the next begins', async () => {
  using folder = temporary()
  const about = program(folder.path, 'sleep 600')
  const left = spawn('sh', ['-c', 'sleep 600; true', about.mark], { stdio: 'ignore' })
  writeFileSync(`${folder.path}/thing.pid`, `${left.pid}\n`)
  const thing = await supervise(about, () => undefined)
  assert.equal(
    left.signalCode ?? (await new Promise((resolve) => left.once('exit', (_, signal) => resolve(signal)))),
    'SIGTERM',
  )
  await thing.stop()
})

test('a stranger that has the old number is left alone', async () => {
  using folder = temporary()
  writeFileSync(`${folder.path}/thing.pid`, `${process.pid}\n`)
  const thing = await supervise(program(folder.path, 'sleep 600'), () => undefined)
  await thing.stop()
})

function pidOf(folder: string): number {
  return Number(readFileSync(`${folder}/thing.pid`, 'utf8'))
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
