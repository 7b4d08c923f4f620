import { after, before } from 'node:test'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { socket, testCalls } from './lab/calls.ts'

/** TCP, UDP, unix sockets and the list of interfaces are what apps need; each other family is a door into the kernel. */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const stream = 1
const datagram = 2
const raw = 3
const sequenced = 5

testCalls(() => cage, {
  what: 'a raw or rare socket',
  calls: [
    socket('VSOCK, to the machine around this one', { family: 40, type: stream }),
    socket('ALG, the kernel’s cryptography', { family: 38, type: sequenced }),
    socket('packets, raw', { family: 17, type: raw, protocol: 0x300, without: 'there' }),
    socket('packets, without their headers', { family: 17, type: datagram, protocol: 0x300, without: 'there' }),
    socket('raw IPv4, ICMP', { family: 2, type: raw, protocol: 1, without: 'there' }),
    socket('raw IPv4, any', { family: 2, type: raw, protocol: 255, without: 'there' }),
    socket('raw IPv6', { family: 10, type: raw, protocol: 58, without: 'there' }),
    socket('ping', { family: 2, type: datagram, protocol: 1, without: 'there' }),
    socket('SCTP', { family: 2, type: stream, protocol: 132 }),
    socket('DCCP', { family: 2, type: 6 }),
    socket('UDP-Lite', { family: 2, type: datagram, protocol: 136 }),
    socket('multipath TCP', { family: 2, type: stream, protocol: 262 }),
    socket('L2TP', { family: 2, type: datagram, protocol: 115 }),
    socket('netlink: netfilter', { family: 16, type: raw, protocol: 12 }),
    socket('netlink: devices', { family: 16, type: raw, protocol: 15, without: 'works' }),
    socket('netlink: generic', { family: 16, type: raw, protocol: 16, without: 'works' }),
    socket('netlink: between users', { family: 16, type: raw, protocol: 2, without: 'works' }),
    socket('netlink: audit', { family: 16, type: raw, protocol: 9 }),
    socket('netlink: connector', { family: 16, type: raw, protocol: 11 }),
    socket('netlink: IPsec', { family: 16, type: raw, protocol: 6 }),
    socket('netlink: sockets of others', { family: 16, type: raw, protocol: 4 }),
    socket('keys of IPsec', { family: 15, type: raw, protocol: 2 }),
    socket('CAN', { family: 29, type: raw, protocol: 1 }),
    socket('Bluetooth', { family: 31, type: raw }),
    socket('RDS', { family: 21, type: sequenced }),
    socket('TIPC', { family: 30, type: stream }),
    socket('AppleTalk', { family: 5, type: datagram }),
    socket('AX.25', { family: 3, type: sequenced }),
    socket('PPPoX', { family: 24, type: stream }),
    socket('RxRPC', { family: 33, type: datagram }),
    socket('IEEE 802.15.4', { family: 36, type: datagram }),
    socket('NFC', { family: 39, type: raw }),
    socket('KCM', { family: 41, type: datagram }),
    socket('Qualcomm’s router', { family: 42, type: datagram }),
    socket('SMC', { family: 43, type: stream }),
    socket('XDP', { family: 44, type: raw }),
    socket('MCTP', { family: 45, type: datagram }),
    // The kernel reads the lower half alone: a filter that reads all of it must not be talked past.
    socket('packets, with the upper half set', { family: 2 ** 32 + 17, type: raw, without: 'there' }),
    socket('raw IPv4, with the upper half set', { family: 2, type: 2 ** 32 + raw, protocol: 1, without: 'there' }),
  ],
})
