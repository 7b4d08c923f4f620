/** What goes wrong beside a sandbox, at the worst moment, and must not go wrong for good. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'
import type { Cgroups } from './cgroup.ts'
import { instance, tagOf } from './instance.ts'
import { kill, processesOfRoot } from './processes.ts'
import { confineSupervisor } from './supervisor.ts'

const sleeper = (id: string) => spec({ id, argv: ['sleep', '1000'] })

test('a door that is named twice is one door, and the sandbox can be ended', async () => {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  const { doorAddress } = await client.probe()
  const door = { address: doorAddress, port: 8080 }
  await client.start({ ...sleeper('twice'), network: { doors: [door, door] } })
  await client.stop({ id: 'twice', graceMs: 0 })
  await client.remove({ id: 'twice' })
  await client.start({ ...sleeper('twice'), network: { doors: [door, door] } })
  await sandbox.crash()
  await client.remove({ id: 'twice' })
  assert.deepEqual(await client.list(), [])
})

test('what cannot be cleared away is said, keeps its place, hinders nobody else and is cleared by a later removal', async () => {
  await using sandbox = await openTestSandbox()
  const { client, options } = sandbox
  await client.start(sleeper('stuck'))
  // A folder of that name cannot be unlinked.
  const disk = join(options.root, 'disks/stuck.ext4')
  renameSync(disk, `${disk}.away`)
  mkdirSync(disk)
  const waiting = client.wait({ id: 'stuck', timeoutMs: 60_000 })
  await assert.rejects(client.stop({ id: 'stuck', graceMs: 0 }), { code: 'failed' })
  assert.equal((await waiting)?.signal, 'SIGKILL')
  await assert.rejects(client.remove({ id: 'stuck' }), { code: 'failed' })
  await sandbox.crash()
  assert.equal((await client.start(sleeper('other'))).state, 'running')
  await assert.rejects(client.remove({ id: 'stuck' }), { code: 'failed' })
  rmdirSync(disk)
  rmSync(`${disk}.away`)
  await client.remove({ id: 'stuck' })
  assert.deepEqual(
    (await client.list()).map(({ id }) => id),
    ['other'],
  )
})

test('a start that fails and cannot be cleared is an ended sandbox, not one that seems to be made', async () => {
  await using sandbox = await openTestSandbox()
  const { client, options } = sandbox
  const wanted = { ...sleeper('stuck'), cwd: '/nowhere' }
  const disk = join(options.root, 'disks/stuck.ext4')
  mkdirSync(disk)
  await assert.rejects(client.start(wanted), { code: 'failed' })
  assert.equal((await client.start(wanted)).state, 'exited')
  await sandbox.crash()
  assert.equal((await client.start(wanted)).exit?.sentence, 'could not be started')
  rmdirSync(disk)
  await client.remove({ id: 'stuck' })
  await assert.rejects(client.start(wanted), /nowhere/)
  assert.deepEqual(await client.list(), [])
})

test('a start that is refused for want of room leaves no network behind', async () => {
  await using sandbox = await openTestSandbox()
  const { client, options } = sandbox
  await client.start(sleeper('first'))
  await client.remove({ id: 'first' })
  const table = `perennial_${tagOf(options.root)}`
  const left = () => {
    const inside = ['nsenter', `--mount=${join(options.root, 'ns/mnt')}`, 'ls', '/run/netns']
    const { links } = {
      links: execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' }).split(`p${tagOf(options.root).slice(0, 6)}v`),
    }
    const sets = execFileSync('nft', ['list', 'set', 'inet', table, 'apps'], { encoding: 'utf8' })
    return { namespaces: execFileSync('env', inside, { encoding: 'utf8' }), links: links.length, sets }
  }
  const before = left()
  for (let round = 0; round < 3; round++)
    await assert.rejects(client.start({ ...sleeper('vast'), writableBytes: 2 ** 43 }), { code: 'no-room' })
  await sleep(300)
  assert.deepEqual(left(), before)
})

test('a stranger that has the number of a sandbox’s process is not taken for it', async () => {
  await using sandbox = await openTestSandbox()
  const { client, options } = sandbox
  const { pid } = await client.start(sleeper('gone'))
  await sandbox.daemon.kill9()
  const supervisor = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  // It leaves no exit code.
  kill(supervisor)
  kill(pid)
  const file = join(options.root, 'sandboxes/gone.json')
  const record = JSON.parse(readFileSync(file, 'utf8')) as object
  writeFileSync(file, JSON.stringify({ ...record, pid: process.pid }))
  await sandbox.crash()
  assert.equal((await client.wait({ id: 'gone', timeoutMs: 5000 }))?.reason, 'killed')
  await client.remove({ id: 'gone' })
})

test('a scratch disk that was half removed when the daemon was killed is not taken for the next of its name', async () => {
  await using sandbox = await openTestSandbox()
  const { client, options } = sandbox
  const run = (script: string) => runToEnd(client, { ...sleeper('look'), scratch: 'disk', argv: ['sh', '-c', script] })
  for (const [round, end] of [
    ['removed', 'json'],
    ['torn', 'json'],
    ['lost', 'ext4'],
  ] as const) {
    await client.scratch({ id: 'disk', sizeBytes: 2 ** 23 })
    await run(`echo secret > ${round}`)
    await sandbox.daemon.kill9()
    const file = join(options.root, `scratch/disk.${end}`)
    if (round === 'torn') writeFileSync(file, '{"id":')
    else rmSync(file)
    await sandbox.crash()
    await client.scratch({ id: 'disk', sizeBytes: 2 ** 25 })
    const { out } = await run('ls; df -m /app | tail -n 1')
    assert.doesNotMatch(out, new RegExp(round))
    assert.match(out, /^\S+ +(29|3\d) /m)
    await client.removeScratch({ id: 'disk' })
  }
})

test('what a killed daemon had just told the supervisor to make is not made behind the back of the next', async () => {
  await using sandbox = await openTestSandbox()
  const { client, options } = sandbox
  const run = `/run/perennial-${tagOf(options.root)}`
  const makers = () =>
    processesOfRoot().filter(({ argv }) => argv.includes(`--root=${run}/crun`) && argv.includes('create'))
  // One that was faster than its signal is not the one; another is made.
  for (let tries = 0; !makers().some(({ pid }) => holds(pid)); tries++) {
    const made = client.start(sleeper(`late-${tries}`)).then(
      () => true,
      () => true,
    )
    while (makers().length === 0 && !(await Promise.race([made, sleep(1, false)]))) continue
  }
  client.close()
  await sandbox.crash()
  assert.deepEqual(makers(), [])
  const supervisors = processesOfRoot().filter(({ argv }) => argv.includes(`${run}/exits`))
  assert.deepEqual(supervisors, [])
  const groups = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'].map((top) => `${top}/perennial-${tagOf(options.root)}`)
  for (const group of groups) if (existsSync(group)) assert.ok(!readdirSync(group).includes('late'))
})

test('the first process of the machine is not slowed down in place of a supervisor that has ended', () => {
  const at = instance({ root: '/srv/x', images: '/srv/x/images', uid: 1, gid: 1, subnet: '10.99.0.0/16' })
  const pid = Number(execFileSync('sh', ['-c', 'sleep 5 >/dev/null 2>&1 & echo $!'], { encoding: 'utf8' }))
  const confined: unknown[] = []
  const cgroups = { confine: (...what: unknown[]) => void confined.push(what) } as unknown as Cgroups
  assert.throws(() => confineSupervisor(at, { id: 'a', pid }, cgroups), /the supervisor of sandbox a ended/)
  assert.deepEqual(confined, [])
  kill(pid)
})

/** Stopped where it is; false if it has ended. */
function holds(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGSTOP')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
