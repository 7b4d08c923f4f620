/**
 * Each sandbox has its own network namespace and one routed veth with a /32: no bridge, so no shared link on
 * which one sandbox could see or imitate another. One nft table decides: a sandbox may answer the host, reach
 * the doors it was given and, if told so, public addresses; never the host, private networks or another one.
 */
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { Network } from '../verbs.ts'
import { addressOf } from './instance.ts'
import type { Instance } from './instance.ts'
import { run, ToolFailed } from './run.ts'

/** Never reachable, whatever a sandbox may do: this machine's kin, clouds' metadata, documentation, multicast. */
const blocked = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
]

/** Where a sandbox sits in the network. */
export interface Place {
  readonly index: number
  readonly network: Network
}

export function netnsName(index: number): string {
  return `s${index}`
}

export function netnsPath(index: number): string {
  return `/run/netns/${netnsName(index)}`
}

/**
 * Replaces all rules in one transaction and keeps the sets, so a daemon with newer rules takes over running
 * sandboxes and their counters. (`fwd` is a reserved word of nft, hence the prefixed chain names.)
 */
export async function prepareNetwork(at: Instance): Promise<void> {
  const ours = `iifname "${at.vethPrefix}*"`
  const toOurs = `oifname "${at.vethPrefix}*"`
  const no = 'reject with icmpx admin-prohibited'
  const rules = `
table inet ${at.nftTable} {
  set apps { type ifname . ipv4_addr; }
  set egress { type ipv4_addr; counter; }
  set doors { type ipv4_addr . ipv4_addr . inet_service; }
  set blocked { type ipv4_addr; flags interval; elements = { ${blocked.join(', ')} } }
  chain p_pre { type filter hook prerouting priority raw; policy accept; }
  chain p_in { type filter hook input priority filter; policy accept; }
  chain p_fwd { type filter hook forward priority filter; policy accept; }
  chain p_nat { type nat hook postrouting priority srcnat; policy accept; }
}
flush chain inet ${at.nftTable} p_pre
flush chain inet ${at.nftTable} p_in
flush chain inet ${at.nftTable} p_fwd
flush chain inet ${at.nftTable} p_nat
table inet ${at.nftTable} {
  chain p_pre {
    ${ours} meta nfproto ipv6 drop
    ${ours} iifname . ip saddr != @apps drop
  }
  chain p_in {
    ${ours} ct state established,related accept
    ${ours} ip saddr . ip daddr . tcp dport @doors accept
    ${ours} ${no}
  }
  chain p_fwd {
    ${toOurs} ip daddr @egress ct state established,related accept
    ${toOurs} drop
    ${ours} ip daddr @blocked ${no}
    ${ours} tcp dport 25 ${no}
    ${ours} ip saddr @egress accept
    ${ours} ${no}
  }
  chain p_nat {
    ${ours} oifname != "${at.vethPrefix}*" masquerade
  }
}
`
  await run('nft', ['-f', '-'], { input: rules })
}

/** Gives the host its door address, or says who else has it. On `lo`, which every kernel has. */
export async function claimDoorAddress(at: Instance): Promise<'claimed' | 'taken'> {
  const text = await run('ip', ['-j', '-4', 'addr', 'show'])
  const links = JSON.parse(text) as { addr_info: { local?: string; label?: string }[] }[]
  const holder = links.flatMap((link) => link.addr_info).find(({ local }) => local === at.doorAddress)
  if (holder) return holder.label === at.doorLabel ? 'claimed' : 'taken'
  if (await hasRouteInto(at)) return 'taken'
  try {
    await run('ip', ['addr', 'add', `${at.doorAddress}/32`, 'dev', 'lo', 'label', at.doorLabel])
  } catch (error) {
    // Another daemon was faster.
    if (error instanceof ToolFailed && error.message.includes('File exists')) return 'taken'
    throw error
  }
  return 'claimed'
}

/** Whether the host's own network uses part of the subnet. */
async function hasRouteInto(at: Instance): Promise<boolean> {
  const routes = JSON.parse(await run('ip', ['-j', '-4', 'route', 'show'])) as { dst: string; dev?: string }[]
  const prefix = at.doorAddress.replace(/0\.1$/, '')
  return routes.some(({ dst, dev }) => dst.startsWith(prefix) && !dev?.startsWith(at.vethPrefix))
}

export async function releaseNetwork(at: Instance): Promise<void> {
  await run('nft', ['delete', 'table', 'inet', at.nftTable]).catch(ignoreAbsent)
  await run('ip', ['addr', 'del', `${at.doorAddress}/32`, 'dev', 'lo']).catch(ignoreAbsent)
}

export async function connectSandbox(at: Instance, { index, network }: Place): Promise<void> {
  const address = addressOf(at, index)
  const veth = `${at.vethPrefix}${index}`
  const netns = netnsName(index)
  const door = at.doorAddress
  await run('nft', ['-f', '-'], { input: elements(at, { index, network }) })
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
  const sysctl = `/proc/sys/net/ipv4/conf/${veth}`
  await writeFile(`${sysctl}/rp_filter`, '1')
  if (network !== 'internet') return
  await writeFile(`${sysctl}/forwarding`, '1')
  // Only the way out forwards: the host does not become a router between its other networks.
  for (const link of defaultRouteLinks()) await writeFile(`/proc/sys/net/ipv4/conf/${link}/forwarding`, '1')
}

/** Removes whatever of a sandbox's network exists, in the order that never leaves it open. */
export async function disconnectSandbox(at: Instance, { index }: { index: number }): Promise<void> {
  const veth = `${at.vethPrefix}${index}`
  await run('ip', ['link', 'del', veth]).catch(ignoreAbsent)
  await run('ip', ['netns', 'del', netnsName(index)]).catch(ignoreAbsent)
  const address = addressOf(at, index)
  const stale = (await listSets(at)).filter(({ key }) => key.includes(address))
  const commands = stale.map(({ set, key }) => `delete element inet ${at.nftTable} ${set} { ${key.join(' . ')} }\n`)
  if (commands.length > 0) await run('nft', ['-f', '-'], { input: commands.join('') })
}

function elements(at: Instance, { index, network }: Place): string {
  const address = addressOf(at, index)
  const add = (set: string, key: string) => `add element inet ${at.nftTable} ${set} { ${key} }\n`
  let commands = add('apps', `${at.vethPrefix}${index} . ${address}`)
  if (network === 'internet') commands += add('egress', address)
  else if (network !== 'none')
    for (const door of network.doors) commands += add('doors', `${address} . ${door.address} . ${door.port}`)
  return commands
}

interface Element {
  readonly set: 'apps' | 'egress' | 'doors'
  readonly key: string[]
  readonly bytes?: bigint
}

/** Every element of the three sets that name sandboxes. */
export async function listSets(at: Instance): Promise<Element[]> {
  const text = await run('nft', ['-j', 'list', 'table', 'inet', at.nftTable])
  const found: Element[] = []
  for (const { set } of (JSON.parse(text) as NftTable).nftables) {
    if (!set?.elem || set.name === 'blocked') continue
    for (const entry of set.elem) {
      const { value, counter } = unwrap(entry)
      const key = typeof value === 'object' ? value.concat.map(String) : [value]
      found.push({ set: set.name, key, ...(counter && { bytes: BigInt(counter.bytes) }) })
    }
  }
  return found
}

/** Bytes that each address sent to public addresses since its counter began. */
export async function egressByAddress(at: Instance): Promise<Map<string, bigint>> {
  const elements = await listSets(at)
  return new Map(elements.flatMap(({ set, key, bytes }) => (set === 'egress' ? [[key[0] ?? '', bytes ?? 0n]] : [])))
}

type NftValue = string | { readonly concat: (string | number)[] }
type NftEntry = NftValue | { readonly elem: { val: NftValue; counter?: { bytes: number } } }
interface NftTable {
  nftables: { set?: { name: Element['set'] | 'blocked'; elem?: NftEntry[] } }[]
}

function unwrap(entry: NftEntry): { value: NftValue; counter?: { bytes: number } } {
  if (typeof entry === 'string' || 'concat' in entry) return { value: entry }
  return { value: entry.elem.val, ...(entry.elem.counter && { counter: entry.elem.counter }) }
}

function defaultRouteLinks(): string[] {
  const rows = readFileSync('/proc/net/route', 'utf8').split('\n').slice(1)
  return [
    ...new Set(rows.map((row) => row.split('\t')).flatMap(([link, to]) => (link && to === '00000000' ? [link] : []))),
  ]
}

function ignoreAbsent(error: unknown): void {
  if (error instanceof ToolFailed && /No such file|Cannot find device|Cannot assign/.test(error.message)) return
  throw error
}
