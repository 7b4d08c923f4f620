/**
 * A network of its own for a cage: two namespaces joined by one cable, with no way out of them. One is the host
 * on which sandboxd runs, the other plays everything beyond: neighbours in private networks, a cloud's metadata
 * service, one public address. An attack that gets through reaches these and nothing else.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'

/** The host's own address on the cable. */
export const hostAddress = '192.0.2.1'
const worldEnd = '192.0.2.2'
/** Played by the other namespace. That the public one belongs to somebody elsewhere is why there is no way out. */
export const world = {
  public: '11.22.33.44',
  metadata: '169.254.169.254',
  privateNetworks: ['10.200.0.9', '172.16.5.5', '192.168.7.7', '100.64.0.7'],
  /** The same of a cloud that knows IPv6, and somebody's server. */
  metadata6: 'fd00:ec2::254',
  public6: '2600::7',
} as const
const hostEnd6 = 'fd00:ffff::1'
const worldEnd6 = 'fd00:ffff::2'

export interface Place {
  readonly address: string
  readonly port: number
}

export interface Listener {
  /** `address:port` of each connection that was made so far. */
  readonly reached: readonly string[]
  close(): void
}

export interface Island {
  /** Words in front of a command that run it on the island's host. */
  readonly enter: readonly string[]
  run(argv: readonly string[]): string
  /** Answers each TCP connection and each UDP packet with a line that names the place. */
  listen(where: 'host' | 'world', places: readonly Place[]): Promise<Listener>
  close(): Promise<void>
}

/** Dies with this process, so that nothing of the island outlives a killed test. */
export const withUs = ['setpriv', '--pdeathsig', 'KILL'] as const

/** `host`: a namespace made for it, or the test's own, which empty-network.ts has made. */
export async function openIsland({ host: which = 'new' }: { host?: 'new' | 'ours' } = {}): Promise<Island> {
  const host = which === 'new' ? await openNamespace() : undefined
  const beyond = await openNamespace()
  const keepers = host ? [host, beyond] : [beyond]
  const enter = (keeper: ChildProcess | undefined) =>
    keeper ? ['nsenter', `--net=/proc/${keeper.pid}/ns/net`, '--'] : []
  const command = ([tool = '', ...argv]: readonly string[], input = '') =>
    execFileSync(tool, argv, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
  const children: ChildProcess[] = []
  command(
    [...enter(host), 'ip', '-batch', '-'],
    `link set lo up
link add cable type veth peer name cable netns ${beyond.pid}
addr add ${hostAddress}/30 dev cable
addr add ${hostEnd6}/126 dev cable nodad
link set cable up
`,
  )
  const played = [world.public, world.metadata, ...world.privateNetworks]
  command(
    [...enter(beyond), 'ip', '-batch', '-'],
    `link set lo up
addr add ${worldEnd}/30 dev cable
addr add ${worldEnd6}/126 dev cable nodad
link set cable up
addr add ${world.metadata6}/128 dev lo nodad
addr add ${world.public6}/128 dev lo nodad
${played.map((address) => `addr add ${address}/32 dev lo\n`).join('')}route add default via ${hostAddress}
route add default via ${hostEnd6}
`,
  )
  for (const end of [worldEnd, worldEnd6]) command([...enter(host), 'ip', 'route', 'add', 'default', 'via', end])
  return {
    enter: enter(host),
    run: (argv) => command([...enter(host), ...argv]),
    async listen(where, places) {
      const listener = await openListener(enter(where === 'host' ? host : beyond), places)
      children.push(listener.child)
      return listener
    },
    async close() {
      for (const child of [...children, ...keepers]) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        const ended = new Promise((resolve) => child.once('exit', resolve))
        child.kill('SIGKILL')
        await ended
      }
    },
  }
}

/** A namespace lives as long as the sleeper in it. */
async function openNamespace(): Promise<ChildProcess> {
  const [tool, ...argv] = [...withUs, 'unshare', '--net', 'sleep', 'infinity']
  const child = spawn(tool, argv, { stdio: 'ignore' })
  const ours = readlinkSync('/proc/self/ns/net')
  const deadline = Date.now() + 10_000
  while (child.pid === undefined || readlinkSync(`/proc/${child.pid}/ns/net`) === ours) {
    if (Date.now() > deadline) throw new Error('the kernel gave no network namespace within 10 seconds')
    await sleep(5)
  }
  return child
}

const listenerFile = fileURLToPath(new URL('listener.ts', import.meta.url))

async function openListener(
  enter: readonly string[],
  places: readonly Place[],
): Promise<Listener & { child: ChildProcess }> {
  const addresses = places.map(({ address, port }) => `${address}:${port}`)
  const [tool, ...argv] = [...withUs, ...enter, process.execPath, listenerFile, ...addresses]
  const child = spawn(tool, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const reached: string[] = []
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the listener ended with ${code}`)))
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) {
        if (line === 'ready') resolve()
        else reached.push(line)
      }
    })
  })
  return { child, reached, close: () => void child.kill('SIGKILL') }
}
