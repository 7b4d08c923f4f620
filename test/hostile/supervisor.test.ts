import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { mebibyte, printed, runPayload, spec } from './lab/payload.ts'

/** Who cannot kill a supervisor may try to starve it: of processes, of open files, of words. */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const promptlyMs = 5000

/** As many processes as it gets, each with as many open files as it gets, all kept. */
const exhaust = `
import os, time
while True:
    try:
        if os.fork() == 0: break
    except OSError: break
held = []
try:
    while True: held.append(os.open('/dev/null', os.O_RDONLY))
except OSError: pass
print('held', len(held), flush=True)
time.sleep(60)`

const exhausting = spec({
  id: 'exhausting',
  image: 'python',
  argv: ['python3', '-c', exhaust],
  limits: { memoryBytes: 512 * mebibyte, pids: 32, cpuPercent: 100 },
})

/** Everything that sandboxd does for others, as it does it now; how long all of it took. */
async function serviceMs(): Promise<number> {
  const { client } = cage
  const since = Date.now()
  const { exit } = await runPayload(client, spec({ id: 'other', script: 'true' }))
  assert.equal(exit.sentence, 'exited with code 0')
  assert.ok((await client.read()).length > 0)
  return Date.now() - since
}

test('a sandbox that holds all processes and files it can get starves nobody, and is stopped at once', async () => {
  const { client } = cage
  const { id } = exhausting
  await client.start(exhausting)
  while ((printed(client, id).match(/held/g)?.length ?? 0) < 20) await sleep(50)
  const tookMs = await serviceMs()
  assert.ok(tookMs < promptlyMs, `serving another sandbox took ${tookMs} ms`)
  const since = Date.now()
  const { exit } = await client.stop({ id, graceMs: 0 })
  assert.ok(Date.now() - since < promptlyMs, `stopping took ${Date.now() - since} ms`)
  assert.equal(exit?.signal, 'SIGKILL')
  await client.remove({ id })
})

test('control: where its own limit is gone, and it takes the processes of all, no other sandbox starts', async () => {
  // Outside any sandbox, under the outer group alone, which is everybody's in this cage.
  const child = cage.outside({ argv: ['/bin/sh', '-c', 'while sleep 30 & do :; done'], uid: cage.at.firstUid })
  while (cage.group.pids() < 1900) await sleep(50)
  await sleep(500)
  await assert.rejects(cage.client.start(spec({ id: 'other', script: 'sleep 1; sleep 1' })).then(stillThere))
  child.kill('SIGKILL')
  await cage.group.endOutside()
  // Who has ended counts until somebody has taken notice.
  while (cage.group.pids() > 100) await sleep(50)
  await cage.client.remove({ id: 'other' })
})

/** One that did start must also run. */
async function stillThere(): Promise<void> {
  const exit = await cage.client.wait({ id: 'other', timeoutMs: 5000 })
  assert.equal(exit?.code, 0, printed(cage.client, 'other'))
}

/** Lines without end, lines without a break, bytes that are no text; then nothing to say it with. */
const babble = `
yes | head -c 2000000 | tr -d '\\n'; head -c 1000000 /dev/urandom; head -c 100000 /dev/zero
exec 0<&- 1>&- 2>&-
exit 7`

test('whatever a sandbox prints, its supervisor lives to say how it ended', async () => {
  const { exit, said } = await runPayload(cage.client, spec({ id: 'babble', script: babble }))
  assert.equal(exit.sentence, 'exited with code 7')
  assert.ok(said.length > 1_000_000)
})
