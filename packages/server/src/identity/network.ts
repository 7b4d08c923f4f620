/**
 * Whom an address stands for: an IPv4 address one line, an IPv6 address its /64, since everyone with IPv6 has that many
 * addresses (2^64) to themselves.
 */
import { isIPv4, isIPv6 } from 'node:net'

/** `203.0.113.7`; `2001:db8:0:1::/64`; what is no address stands for itself. */
export function networkOf(address: string): string {
  const plain = address.replace(/%.*$/, '')
  if (!isIPv6(plain)) return plain
  const groups = groupsOf(plain)
  // An IPv4 address in the clothes of IPv6, as a socket that listens on both has it.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return dotted(groups[6]!, groups[7]!)
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`
}

function groupsOf(address: string): number[] {
  const [before = '', after] = address.split('::')
  const [head, tail] = [numbers(before), numbers(after ?? '')]
  return after === undefined ? head : [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

function numbers(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!isIPv4(part)) return [Number.parseInt(part, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
