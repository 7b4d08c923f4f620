import { after, before } from 'node:test'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { testNeighbour } from './lab/neighbour.ts'

/** As many small packets as a program can send, to where none of them may go: refusing them is work for the host. */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const flood = `
const socket = require('node:dgram').createSocket('udp4')
const packet = Buffer.alloc(64)
const send = () => {
  for (let i = 0; i < 200; i++) socket.send(packet, 9, '10.200.0.9', () => undefined)
  setImmediate(send)
}
send()`

testNeighbour(() => cage, {
  attack: 'a flood of packets',
  script: `for i in 1 2 3 4; do node -e "${flood.replaceAll('\n', ' ')}" & done; wait`,
})
