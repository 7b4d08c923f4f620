/**
 * The gateway with metering on, in front of the least app there is, against the app itself and against nginx.
 *
 * Each round measures all three one after the other, so that what else the machine does hits each; see README.md.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { newId } from '../../packages/protocol/src/index.ts'
import { testGateway } from '../../packages/server/src/gateway/testing.ts'
import { freePort } from '../../packages/testnet/src/free-port.ts'
import { figure, type Figure, type Pair } from '../figure.ts'
import { load } from './load.ts'
import { startNginx } from './nginx.ts'

const HOST = 'hello--bench.localhost'

export async function* run({ rounds, seconds }: { rounds: number; seconds: number }): AsyncGenerator<Figure> {
  const [app, nginxPort] = [await freePort(), await freePort()]
  const hello = spawn(process.execPath, [new URL('hello.ts', import.meta.url).pathname, String(app)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(hello.stdout, 'data')
  const nginx = await startNginx({ port: nginxPort, app, host: HOST })
  await using site = await testGateway()
  try {
    const id = newId()
    await site.gateway.route({ app: id, host: HOST, address: '127.0.0.1', port: app })
    const haproxy = await workerOf(site.folder)
    const direct: Pair[] = []
    const peer: Pair[] = []
    const cpu: Pair[] = []
    await load({ port: site.port, host: HOST, seconds: 1 })
    for (let round = 0; round < rounds; round++) {
      const bare = await load({ port: app, host: HOST, seconds })
      // Who goes first alternates: the second finds a warmer machine.
      const first = round % 2 === 0 ? await load({ port: site.port, host: HOST, seconds, pid: haproxy }) : null
      const theirs = await load({ port: nginxPort, host: HOST, seconds, pid: nginx.pid })
      const ours = first ?? (await load({ port: site.port, host: HOST, seconds, pid: haproxy }))
      direct.push({ ours: ours.perSecond, theirs: bare.perSecond })
      peer.push({ ours: ours.perSecond, theirs: theirs.perSecond })
      cpu.push({ ours: ours.cpuMicrosPerRequest, theirs: theirs.cpuMicrosPerRequest })
    }
    const counted = (await site.gateway.counts()).find((count) => count.app === id)
    if (!counted || counted.requests === 0n) throw new Error('the gateway counted nothing: metering was not on')
    const hot = { bench: 'gateway', case: 'hello', unit: 'requests/s', better: 'higher' } as const
    yield figure({ ...hot, peer: 'direct' }, direct)
    yield figure({ ...hot, peer: 'nginx' }, peer)
    yield figure({ ...hot, case: 'hello-cpu', peer: 'nginx', unit: 'µs CPU/request', better: 'lower' }, cpu)
  } finally {
    nginx.close()
    hello.kill('SIGKILL')
  }
}

/** The gateway's HAProxy is a master and one worker, its child. */
async function workerOf(folder: string): Promise<number> {
  const master = (await readFile(`${folder}/haproxy.pid`, 'utf8')).trim()
  return Number((await readFile(`/proc/${master}/task/${master}/children`, 'utf8')).trim().split(' ')[0])
}
