import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { processesOfRoot } from './processes.ts'
import { run } from './run.ts'

/** Tools of this test that run now; each has a word of its own. */
const count = (mark: string) => processesOfRoot().filter(({ argv }) => argv.includes(mark)).length

test('however much is asked for at once, a few dozen tools run, and a few slow ones, for which no other waits', async () => {
  const wait = (mark: string, timeoutMs: number) => run('sh', ['-c', 'sleep 1.5; true', mark], { timeoutMs })
  const mark = `mark-${process.pid}`
  const slow = Array.from({ length: 12 }, () => wait(`${mark}-slow`, 100_000))
  const quick = Array.from({ length: 40 }, () => wait(`${mark}-quick`, 50_000))
  let most = { slow: 0, quick: 0 }
  for (let look = 0; look < 25; look++) {
    await sleep(50)
    const now = { slow: count(`${mark}-slow`), quick: count(`${mark}-quick`) }
    most = { slow: Math.max(most.slow, now.slow), quick: Math.max(most.quick, now.quick) }
  }
  assert.ok(most.slow > 1 && most.slow <= 8 && most.quick > 8 && most.quick <= 32, JSON.stringify(most))
  await Promise.all([...slow, ...quick])
})

test('a tool that nobody could take in is not left running', async () => {
  const mark = `left-${process.pid}`
  const begun = () => {
    throw new Error('no such group')
  }
  await assert.rejects(run('sh', ['-c', 'sleep 100; true', mark], { begun }), /no such group/)
  for (let look = 0; look < 100 && count(mark) > 0; look++) await sleep(10)
  assert.equal(count(mark), 0)
})
