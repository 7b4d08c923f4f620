/**
 * The process that runs a weakened sandbox: inside the mount namespace and the network of the cage's daemon, with
 * the daemon's own functions. Takes its order as JSON, prints what came of it as JSON.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sandboxClient } from '../../../packages/sandbox/src/client/index.ts'
import { assemble, bundleFolder, dismantle } from '../../../packages/sandbox/src/daemon/assemble.ts'
import { openCgroups } from '../../../packages/sandbox/src/daemon/cgroup.ts'
import {
  createContainer,
  exitCode,
  signalContainer,
  startContainer,
} from '../../../packages/sandbox/src/daemon/conmon.ts'
import { openLocks } from '../../../packages/sandbox/src/daemon/locks.ts'
import { makeLog, removeLog } from '../../../packages/sandbox/src/daemon/logs.ts'
import type { SandboxRecord } from '../../../packages/sandbox/src/daemon/records.ts'
import { loadScratches, mountedScratch } from '../../../packages/sandbox/src/daemon/scratch.ts'
import { socketPath } from '../../../packages/sandbox/src/daemon/server.ts'
import { openVolumes } from '../../../packages/sandbox/src/daemon/volumes.ts'
import { printed } from './payload.ts'
import { weaken } from './weaken.ts'
import type { Order, Weakened } from './weaken.ts'

/** Far from the numbers that the daemon itself hands out. */
const index = 900

const { at, spec, weakness, timeoutMs } = JSON.parse(process.argv[2] ?? '') as Order
const { id } = spec
const cgroups = openCgroups()
const locks = openLocks()
const scratch = (await loadScratches(at)).find((one) => one.id === spec.scratch)
const record: SandboxRecord = {
  spec,
  index,
  // What lies on a scratch disk belongs to its own range of users.
  idsIndex: scratch?.index ?? index,
  boot: 'control',
  machineBoot: 'control',
  state: 'creating',
  pid: 0,
  startedAt: 0,
}

try {
  await assemble({ at, locks, volumes: await openVolumes(at) }, { record, scratch, cgroups })
  const bundle = bundleFolder(at, id)
  const file = join(bundle, 'config.json')
  writeFileSync(file, JSON.stringify(weaken(JSON.parse(readFileSync(file, 'utf8')), weakness)))
  if (weakness.gone === 'powers by files' && scratch)
    execFileSync('mount', ['-o', 'remount,suid', (await mountedScratch(at, scratch, locks)).disk])
  const log = await makeLog(at, id)
  await createContainer(at, { id, bundle, log })
  await startContainer(at, id)
  const timedOut = !(await ended(timeoutMs))
  if (timedOut) await signalContainer(at, { id, signal: 'KILL' })
  if (timedOut && !(await ended(10_000))) throw new Error(`the control ${id} does not end`)
  const client = sandboxClient({ socket: socketPath(at) })
  const outcome: Weakened = { code: exitCode(at, id) ?? -1, timedOut, said: printed(client, id) }
  client.close()
  process.stdout.write(JSON.stringify(outcome))
} finally {
  await dismantle(at, { id, place: { index, network: spec.network } }, cgroups)
  await removeLog(at, id)
}

async function ended(withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs
  while (exitCode(at, id) === undefined) {
    if (Date.now() > deadline) return false
    await sleep(10)
  }
  return true
}
