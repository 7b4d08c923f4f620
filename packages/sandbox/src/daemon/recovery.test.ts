import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SandboxClient, SandboxSpec } from '../client/index.ts'
import { get, openTestSandbox, spec } from '../testing.ts'
import type { TestSandbox } from '../testing.ts'
import { instance, tagOf } from './instance.ts'

const server = `require('http').createServer((_, r) => r.end('still here')).listen(8080)`
const node = (id: string): SandboxSpec => spec({ id, image: 'node-24', argv: ['node', '-e', server] })

async function only(client: SandboxClient) {
  const [reading] = await client.read()
  assert.ok(reading)
  return reading
}

test('sandboxes run on while the daemon is dead, and the next daemon takes them over', async () => {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  const started = await client.start(node('on'))
  await get(`http://${started.address}:8080`)
  const before = await only(client)
  await sandbox.daemon.kill9()
  assert.equal(await get(`http://${started.address}:8080`), 'still here')
  await sandbox.crash()
  assert.deepEqual(await client.list(), [started])
  const after = await only(client)
  assert.equal(after.boot, before.boot)
  assert.ok(after.cpuNs >= before.cpuNs)
  assert.equal((await client.freeze({ id: 'on' })).state, 'frozen')
  await sandbox.crash()
  assert.equal((await client.list())[0]?.state, 'frozen')
  const stopped = await client.stop({ id: 'on', graceMs: 5000 })
  assert.equal(stopped.exit?.signal, 'SIGTERM')
  const last = await only(client)
  assert.ok(last.cpuNs >= after.cpuNs)
  await sandbox.crash()
  assert.deepEqual(await only(client), last)
  assert.deepEqual(await client.list(), [stopped])
})

test('an exit that nobody saw is known afterwards, with its last reading', async () => {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  await client.start(
    spec({ id: 'brief', argv: ['sh', '-c', 'i=0; while [ $i -lt 99999 ]; do i=$((i+1)); done; exit 5'] }),
  )
  const before = await only(client)
  await sandbox.daemon.kill9()
  await sleep(1500)
  await sandbox.crash()
  const exit = await client.wait({ id: 'brief', timeoutMs: 5000 })
  assert.equal(exit?.code, 5)
  assert.ok((await only(client)).cpuNs > before.cpuNs)
})

test('a killed supervisor does not leave a sandbox that never ends', async () => {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  const { pid } = await client.start(spec({ id: 'orphan', argv: ['sleep', '1000'] }))
  const supervisor = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  process.kill(supervisor, 'SIGKILL')
  process.kill(pid, 'SIGKILL')
  const exit = await client.wait({ id: 'orphan', timeoutMs: 10_000 })
  assert.equal(exit?.reason, 'killed')
})

test('kill -9 of the daemon at any moment of a start or a removal leaves nothing half-made', async () => {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  await client.start(spec({ id: 'warm-up', argv: ['true'] }))
  await client.remove({ id: 'warm-up' })
  const empty = belongings(sandbox)
  const rounds = 8 * Number(process.env['TEST_SCALE'] ?? 1)
  for (let round = 0; round < rounds; round++) {
    // The client sends what was under way again, so each call succeeds in spite of the crash.
    const starting = client.start(spec({ id: 'torn', argv: ['sleep', '1000'] }))
    await sleep(round * 12)
    await sandbox.crash()
    assert.equal((await starting).state, 'running')
    assert.equal((await client.list()).length, 1)
    const removing = client.remove({ id: 'torn' })
    await sleep(round * 12)
    await sandbox.crash()
    await removing
    assert.deepEqual(await client.list(), [])
    assert.deepEqual(belongings(sandbox), empty)
  }
})

test('removing sandboxes leaves nothing behind, and destroying the daemon nothing at all', async () => {
  const { root } = await useAndRemove()
  const machine = [
    ['nft', 'list', 'tables'],
    ['losetup', '-a'],
    ['ip', 'addr'],
  ] as const
  const all = machine.map(([tool, ...argv]) => execFileSync(tool, argv, { encoding: 'utf8' })).join('\n')
  assert.ok(!existsSync(root))
  assert.ok(!all.includes(tagOf(root)) && !all.includes(root), all)
})

async function useAndRemove() {
  await using sandbox = await openTestSandbox()
  const { client, options } = sandbox
  await client.scratch({ id: 'disk', sizeBytes: 2 ** 24 })
  const { sha256 } = await client.pack({ scratch: 'disk' })
  const useAll = async (id: string, argv: string[]) => {
    await client.volume({ id: 'data', owner: 'app', sizeBytes: 2 ** 25 })
    const mounts = [
      { kind: 'volume', id: 'data', at: '/data' },
      { kind: 'share', id: 'sockets', at: '/run/sockets' },
    ] as const
    await client.start(spec({ id, argv, release: sha256, owner: 'app', mounts }))
  }
  await useAll('warm-up', ['true'])
  await client.remove({ id: 'warm-up' })
  await client.removeVolume({ id: 'data' })
  await client.removeScratch({ id: 'disk' })
  const empty = belongings(sandbox)
  await client.scratch({ id: 'disk', sizeBytes: 2 ** 24 })
  await client.start(spec({ id: 'a', argv: ['sleep', '1000'], release: sha256, network: 'internet' }))
  await client.start(spec({ id: 'b', argv: ['sleep', '1000'], scratch: 'disk' }))
  const { doorAddress } = await client.probe()
  const doors = [{ address: doorAddress, port: 1 }]
  await client.start(spec({ id: 'c', argv: ['sleep', '1000'], release: sha256, network: { doors } }))
  await useAll('d', ['sleep', '1000'])
  const full = belongings(sandbox)
  assert.ok(full.mounts > empty.mounts && full.loops > empty.loops && full.elements > empty.elements)
  for (const id of ['a', 'b', 'c', 'd']) await client.remove({ id })
  await client.removeScratch({ id: 'disk' })
  await client.removeVolume({ id: 'data' })
  assert.deepEqual(belongings(sandbox), empty)
  return options
}

test('firewall rules that somebody empties are back at once', async () => {
  await using sandbox = await openTestSandbox()
  const { client } = sandbox
  const { doorAddress } = await client.probe()
  const doors = [{ address: doorAddress, port: 8080 }]
  await client.start(spec({ id: 'guarded', argv: ['sleep', '1000'], network: { doors } }))
  const before = belongings(sandbox).elements
  const table = `perennial_${tagOf(sandbox.options.root)}`
  execFileSync('nft', ['delete', 'table', 'inet', table])
  const deadline = Date.now() + 30_000
  const isBack = () => execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).includes(table)
  while (!isBack() && Date.now() < deadline) await sleep(20)
  assert.equal(belongings(sandbox).elements, before)
})

test('firewall rules are back after their watcher was killed too', async () => {
  await using sandbox = await openTestSandbox()
  const { pid } = sandbox.daemon.process
  const table = `perennial_${tagOf(sandbox.options.root)}`
  const watcher = execFileSync('pgrep', ['-P', String(pid), '-x', 'nft'], { encoding: 'utf8' }).trim()
  process.kill(Number(watcher), 'SIGKILL')
  execFileSync('nft', ['delete', 'table', 'inet', table])
  await sleep(3000)
  assert.match(execFileSync('nft', ['list', 'table', 'inet', table], { encoding: 'utf8' }), /chain p_fwd/)
})

test('a second daemon on the same root refuses to start', async () => {
  await using sandbox = await openTestSandbox()
  const { root, images } = sandbox.options
  const main = new URL('main.ts', import.meta.url).pathname
  const argv = [main, '--root', root, '--uid', '0', '--gid', '0', '--images', images ?? '']
  const second = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  second.stderr.on('data', (text) => (complaint += String(text)))
  assert.notEqual(await new Promise((resolve) => second.on('close', resolve)), 0)
  assert.match(complaint, /another sandboxd, process \d+, already serves/)
  assert.deepEqual(await sandbox.client.list(), [])
})

/** Counts everything on the machine that a sandbox of this daemon could have left. */
function belongings(sandbox: TestSandbox) {
  const { root, images } = sandbox.options
  const at = instance({ root, images: images ?? '', uid: 0, gid: 0, subnet: '10.0.0.0/16' })
  const inside = (...argv: string[]) =>
    execFileSync('nsenter', [`--mount=${join(root, 'ns/mnt')}`, ...argv], { encoding: 'utf8' })
  const folder = (path: string) => (existsSync(path) ? readdirSync(path) : [])
  const table = JSON.parse(execFileSync('nft', ['-j', 'list', 'table', 'inet', at.nftTable], { encoding: 'utf8' })) as {
    nftables: { set?: { name: string; elem?: unknown[] } }[]
  }
  const sets = table.nftables.flatMap(({ set }) => (set && set.name !== 'blocked' ? [set] : []))
  // Mounts of the host that come and go are not ours.
  const ours = (line: string) => [root, at.run, '/run/netns'].some((path) => line.includes(` ${path}`))
  return {
    mounts: inside('cat', '/proc/self/mountinfo').split('\n').filter(ours).length,
    loops: execFileSync('losetup', ['-a'], { encoding: 'utf8' }).split(root).length,
    links: execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' }).split(at.vethPrefix).length,
    namespaces: inside('ls', '/run/netns').length,
    groups:
      folder(`/sys/fs/cgroup/memory${at.cgroupParent}`).length + folder(`/sys/fs/cgroup${at.cgroupParent}`).length,
    elements: sets.reduce((sum, set) => sum + (set.elem?.length ?? 0), 0),
    files: ['sandboxes', 'disks', 'scratch', 'logs', 'volumes', 'archives'].flatMap((name) => folder(join(root, name)))
      .length,
    inMemory: inside('find', at.run, '-xdev').split('\n').length,
    processes: execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
      .split(`conmon -c`)
      .filter((line) => line.includes(at.tag)).length,
  }
}
