/**
 * Which addresses are public: the only ones that a call made for a stranger may reach.
 *
 * IPv4 is everything but the special ranges (IANA's registry, RFC 6890 and later). IPv6 is only global unicast
 * (2000::/3) without the ranges that carry another address inside (6to4, Teredo, documentation), so that
 * `::ffff:127.0.0.1`, NAT64 and unique local addresses need no rule of their own.
 */
import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'

const SPECIAL: readonly (readonly [range: string, why: string])[] = [
  ['0.0.0.0/8', 'this network'],
  ['10.0.0.0/8', 'a private network'],
  ['100.64.0.0/10', 'a carrier network'],
  ['127.0.0.0/8', 'this machine'],
  ['169.254.0.0/16', 'a link-local network'],
  ['172.16.0.0/12', 'a private network'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.2.0/24', 'documentation'],
  ['192.88.99.0/24', 'reserved'],
  ['192.168.0.0/16', 'a private network'],
  ['198.18.0.0/15', 'a benchmark network'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
  ['2001::/23', 'reserved'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', 'an address inside an address'],
  ['3fff::/20', 'documentation'],
]

const special = SPECIAL.map(([range, why]) => ({ list: subnet(range), why }))
const globalUnicast = subnet('2000::/3')

/** Null for a public address, else what it belongs to, in words. */
export function whyNotPublic(address: string): string | null {
  const version = isIP(address)
  if (version === 0) return 'not an address'
  const family = version === 4 ? 'ipv4' : 'ipv6'
  if (version === 6 && (address.includes('%') || !globalUnicast.check(address, family))) return 'not a public address'
  return (
    special.find(({ list }) => list.check(address, family))?.why ?? (isOwn(address, family) ? 'this machine' : null)
  )
}

/** The list of one range, written `address/bits`. */
export function subnet(range: string): BlockList {
  const [address = '', bits = ''] = range.split('/')
  const list = new BlockList()
  list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4')
  return list
}

/** The machine's own public addresses: services that trust their own machine would take us for it. */
function isOwn(address: string, family: 'ipv4' | 'ipv6'): boolean {
  const own = new BlockList()
  for (const { address: mine, family: its } of Object.values(networkInterfaces()).flatMap((all) => all ?? []))
    if (!mine.includes('%')) own.addAddress(mine, its === 'IPv4' ? 'ipv4' : 'ipv6')
  return own.check(address, family)
}
