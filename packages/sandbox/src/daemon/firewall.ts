/**
 * One nft table decides what sandboxes may send: answers to the host, the doors each was given and, for those
 * told so, public addresses; never the host, private networks or another sandbox. Membership is in sets, so
 * that a start or stop changes elements, not rules.
 */
import { spawn } from 'node:child_process'
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
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
]

/** After `nft monitor` has ended, by whatever cause. */
const watchAgainMs = 1000

/** Connections that one sandbox may hold: the host's connection table is everybody's. */
const maxConnections = 1024

/** Where a sandbox sits in the network. */
export interface Place {
  readonly index: number
  readonly network: Network
}

export const vethName = (at: Instance, index: number) => `${at.vethPrefix}${index}`

/**
 * Replaces all rules in one transaction and keeps the sets, so a daemon with newer rules takes over running
 * sandboxes and their counters. (`fwd` is a reserved word of nft, hence the prefixed chain names.)
 */
export async function writeRules(at: Instance, places: readonly Place[]): Promise<void> {
  const ours = `iifname "${at.vethPrefix}*"`
  const toOurs = `oifname "${at.vethPrefix}*"`
  const no = 'reject with icmpx admin-prohibited'
  const table = `inet ${at.nftTable}`
  const chains = ['p_pre', 'p_in', 'p_fwd', 'p_nat']
  const rules = `
table ${table} {
  set apps { type ifname . ipv4_addr; }
  set egress { type ipv4_addr; counter; }
  set doors { type ipv4_addr . ipv4_addr . inet_service; }
  set blocked { type ipv4_addr; flags interval; elements = { ${blocked.join(', ')} } }
  set busy { type ipv4_addr; size 65535; flags dynamic; }
  chain p_pre { type filter hook prerouting priority raw; policy accept; }
  chain p_in { type filter hook input priority filter; policy accept; }
  chain p_fwd { type filter hook forward priority filter; policy accept; }
  chain p_nat { type nat hook postrouting priority srcnat; policy accept; }
}
${chains.map((chain) => `flush chain ${table} ${chain}`).join('\n')}
table ${table} {
  chain p_pre {
    ${ours} meta nfproto ipv6 drop
    ${ours} iifname . ip saddr != @apps drop
  }
  chain p_in {
    ${ours} ct state established,related accept
    ${ours} ct state new add @busy { ip saddr ct count over ${maxConnections} } ${no}
    ${ours} ip saddr . ip daddr . tcp dport @doors accept
    ${ours} ${no}
  }
  chain p_fwd {
    ${toOurs} ip daddr @egress ct state established,related accept
    ${toOurs} drop
    ${ours} ip daddr @blocked ${no}
    ${ours} tcp dport 25 ${no}
    ${ours} ct state new add @busy { ip saddr ct count over ${maxConnections} } ${no}
    ${ours} ip saddr @egress accept
    ${ours} ${no}
  }
  chain p_nat {
    ${ours} oifname != "${at.vethPrefix}*" masquerade
  }
}
`
  await nft(rules + places.map((place) => changes(at, place, ['add'])).join(''))
}

export async function removeRules(at: Instance): Promise<void> {
  await run('nft', ['delete', 'table', 'inet', at.nftTable]).catch((error: unknown) => {
    if (!(error instanceof ToolFailed) || !error.message.includes('No such file')) throw error
  })
}

export async function admit(at: Instance, place: Place): Promise<void> {
  await nft(changes(at, place, ['add']))
}

/** Adding first makes it right for elements that are gone already; nft does both in one step. */
export async function expel(at: Instance, place: Place): Promise<void> {
  await nft(changes(at, place, ['add', 'delete']))
}

/** Takes away what a killed daemon left in the sets: it would be the rights of the next one at that address. */
export async function expelOthers(at: Instance, places: readonly Place[]): Promise<void> {
  const text = ({ set, key }: Element) => `${set} ${key.join(' . ')}`
  const wanted = new Set(places.flatMap((place) => elements(at, place)).map(text))
  const strays = (await listSets(at)).filter((element) => !wanted.has(text(element)))
  await nft(strays.map((element) => change(at, 'delete', element)).join(''))
}

function changes(at: Instance, place: Place, verbs: ('add' | 'delete')[]): string {
  return verbs.flatMap((verb) => elements(at, place).map((element) => change(at, verb, element))).join('')
}

function elements(at: Instance, { index, network }: Place): Element[] {
  const address = addressOf(at, index)
  const own: Element = { set: 'apps', key: [vethName(at, index), address] }
  if (network === 'none') return [own]
  if (network === 'internet') return [own, { set: 'egress', key: [address] }]
  // One that is named twice is one element: it could be added twice and not taken away twice.
  const doors = [...new Set(network.doors.map((door) => `${door.address} ${door.port}`))]
  return [own, ...doors.map((door): Element => ({ set: 'doors', key: [address, ...door.split(' ')] }))]
}

function change(at: Instance, verb: 'add' | 'delete', { set, key }: Element): string {
  return `${verb} element inet ${at.nftTable} ${set} { ${key.join(' . ')} }\n`
}

async function nft(commands: string): Promise<void> {
  if (commands !== '') await run('nft', ['-f', '-'], { input: commands })
}

/** Bytes that each address sent to public addresses since its counter began. */
export async function egressByAddress(at: Instance): Promise<Map<string, bigint>> {
  const elements = await listSets(at)
  return new Map(elements.flatMap(({ set, key, bytes }) => (set === 'egress' ? [[key[0] ?? '', bytes ?? 0n]] : [])))
}

/**
 * Calls `lost` when somebody removed the table, as reloading the host's own firewall does: it holds the only
 * rules between sandboxes and the host, so it must be back at once.
 */
export function watchRules(at: Instance, lost: () => void): void {
  // It ends with us, however we end.
  const argv = ['--pdeathsig', 'KILL', 'nft', 'monitor', 'tables']
  const child = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'ignore'] })
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes(`delete table inet ${at.nftTable}\n`)) lost()
  })
  child.on('error', (error) => console.error('nft monitor:', error.message))
  // Without its ears the daemon would not notice. What was lost meanwhile is written again.
  child.on('close', () => {
    console.error('nft monitor ended; it is started again')
    setTimeout(() => {
      watchRules(at, lost)
      lost()
    }, watchAgainMs)
  })
}

export async function hasRules(at: Instance): Promise<boolean> {
  return (await run('nft', ['list', 'tables'])).split('\n').includes(`table inet ${at.nftTable}`)
}

interface Element {
  readonly set: 'apps' | 'egress' | 'doors'
  readonly key: string[]
  readonly bytes?: bigint
}

type NftValue = string | { readonly concat: (string | number)[] }
type NftEntry = NftValue | { readonly elem: { val: NftValue; counter?: { bytes: number } } }
interface NftTable {
  nftables: { set?: { name: Element['set'] | 'blocked' | 'busy'; elem?: NftEntry[] } }[]
}

/** Every element of the three sets that name sandboxes. */
async function listSets(at: Instance): Promise<Element[]> {
  const text = await run('nft', ['-j', 'list', 'table', 'inet', at.nftTable])
  const found: Element[] = []
  for (const { set } of (JSON.parse(text) as NftTable).nftables) {
    if (!set?.elem || set.name === 'blocked' || set.name === 'busy') continue
    for (const entry of set.elem) {
      const { value, counter } = unwrap(entry)
      const key = typeof value === 'object' ? value.concat.map(String) : [value]
      found.push({ set: set.name, key, ...(counter && { bytes: BigInt(counter.bytes) }) })
    }
  }
  return found
}

function unwrap(entry: NftEntry): { value: NftValue; counter?: { bytes: number } } {
  if (typeof entry === 'string' || 'concat' in entry) return { value: entry }
  return { value: entry.elem.val, ...(entry.elem.counter && { counter: entry.elem.counter }) }
}
