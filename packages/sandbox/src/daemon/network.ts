/**
 * Each sandbox has its own network namespace and one routed veth with a /32: no bridge, so no shared link on
 * which one sandbox could see or imitate another.
 */
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { admit, expel, vethName } from './firewall.ts'
import type { Place } from './firewall.ts'
import { addressOf } from './instance.ts'
import type { Instance } from './instance.ts'
import { run, ToolFailed } from './run.ts'

export const netnsFolder = '/run/netns'

const netnsName = (index: number) => `s${index}`
export const netnsPath = (index: number) => `${netnsFolder}/${netnsName(index)}`

/** Gives the host its door address, or says that somebody has it. On `lo`, which every kernel has. */
export async function claimDoorAddress(at: Instance): Promise<'claimed' | 'taken'> {
  const text = await run('ip', ['-j', '-4', 'addr', 'show'])
  const links = JSON.parse(text) as { addr_info: { local?: string; label?: string }[] }[]
  const holder = links.flatMap((link) => link.addr_info).find(({ local }) => local === at.doorAddress)
  if (holder && holder.label !== at.doorLabel) return 'taken'
  if (!holder && (await hasRouteInto(at))) return 'taken'
  await closeSubnet(at)
  if (holder) return 'claimed'
  try {
    await run('ip', ['addr', 'add', `${at.doorAddress}/32`, 'dev', 'lo', 'label', at.doorLabel])
  } catch (error) {
    // Another daemon was faster.
    if (error instanceof ToolFailed && error.message.includes('File exists')) return 'taken'
    throw error
  }
  return 'claimed'
}

/**
 * An address of the subnet that no sandbox has is unreachable at once. Without this route, what the host sends to a
 * sandbox that has ended would leave by the default route, and a stranger out there could answer in its name.
 */
async function closeSubnet(at: Instance): Promise<void> {
  await run('ip', ['route', 'replace', 'unreachable', at.subnet])
}

async function reopenSubnet(at: Instance): Promise<void> {
  await run('ip', ['route', 'del', 'unreachable', at.subnet]).catch((error: unknown) => {
    if (!(error instanceof ToolFailed) || !error.message.includes('No such process')) throw error
  })
}

/** Whether the host's own network uses part of the subnet. */
async function hasRouteInto(at: Instance): Promise<boolean> {
  const routes = JSON.parse(await run('ip', ['-j', '-4', 'route', 'show'])) as {
    dst: string
    dev?: string
    type?: string
  }[]
  const prefix = at.doorAddress.replace(/0\.1$/, '')
  return routes.some(
    ({ dst, dev, type }) => dst.startsWith(prefix) && !dev?.startsWith(at.vethPrefix) && type !== 'unreachable',
  )
}

export async function dropDoorAddress(at: Instance): Promise<void> {
  await reopenSubnet(at)
  await run('ip', ['addr', 'del', `${at.doorAddress}/32`, 'dev', 'lo'])
}

export async function connectSandbox(at: Instance, place: Place): Promise<void> {
  const { index, network } = place
  const address = addressOf(at, index)
  const veth = vethName(at, index)
  const netns = netnsName(index)
  const door = at.doorAddress
  await admit(at, place)
  await run('ip', ['-batch', '-'], {
    input: `netns add ${netns}
link add ${veth} type veth peer name eth0 netns ${netns}
link set ${veth} addrgenmode none
link set ${veth} up
route add ${address}/32 dev ${veth} src ${door}
`,
  })
  await run('ip', ['-n', netns, '-batch', '-'], {
    input: `link set lo up
link set eth0 addrgenmode none
addr add ${address}/32 dev eth0
link set eth0 up
route add ${door} dev eth0
route add default via ${door}
`,
  })
  const forwarding = (link: string, on: boolean) =>
    writeFile(`/proc/sys/net/ipv4/conf/${link}/forwarding`, on ? '1' : '0')
  await writeFile(`/proc/sys/net/ipv4/conf/${veth}/rp_filter`, '1')
  await forwarding(veth, network === 'internet')
  // Only the way out forwards: the host does not become a router between its other networks.
  if (network === 'internet') for (const link of defaultRouteLinks()) await forwarding(link, true)
}

export async function disconnectSandbox(at: Instance, place: Place): Promise<void> {
  await removeLinks(at, place.index)
  await expel(at, place)
}

/** The interfaces and the namespace of one number, as far as they exist. */
export async function removeLinks(at: Instance, index: number): Promise<void> {
  const veth = vethName(at, index)
  const remains = () => existsSync(`/sys/class/net/${veth}`) || existsSync(netnsPath(index))
  if (!remains()) return
  const input = `link del ${veth}\nnetns del ${netnsName(index)}\n`
  // -force: the one may be gone while the other is not.
  const complaint = await run('ip', ['-force', '-batch', '-'], { input }).catch(String)
  if (remains()) throw new ToolFailed(`the network of sandbox number ${index} could not be removed: ${complaint}`)
}

/** Numbers of all sandboxes of which an interface or a namespace exists. */
export async function connectedNumbers(at: Instance, names: readonly string[]): Promise<Set<number>> {
  const links = JSON.parse(await run('ip', ['-j', 'link', 'show'])) as { ifname: string }[]
  const veths = links.map(({ ifname }) => ifname).filter((name) => name.startsWith(at.vethPrefix))
  const spaces = names.filter((name) => /^s\d+$/.test(name))
  const numbers = [...veths.map((name) => name.slice(at.vethPrefix.length)), ...spaces.map((name) => name.slice(1))]
  return new Set(numbers.map(Number).filter(Number.isInteger))
}

function defaultRouteLinks(): Set<string> {
  const rows = readFileSync('/proc/net/route', 'utf8').split('\n').slice(1)
  const fields = rows.map((row) => row.split('\t'))
  return new Set(fields.flatMap(([link, to]) => (link && to === '00000000' ? [link] : [])))
}
