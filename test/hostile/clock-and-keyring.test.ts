import { after, before } from 'node:test'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { call, testCalls } from './lab/calls.ts'

/** The clock is everybody's, bills are made by it; keyrings are counted to users and have leaked between namespaces. */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

testCalls(() => cage, {
  what: 'the clock or a keyring',
  calls: [
    call({ name: 'settimeofday', number: { x64: 164, arm64: 170 } }, 'page', 0),
    call({ name: 'clock_settime', number: { x64: 227, arm64: 112 } }, 0, 'page'),
    // Of zeros it asks only what is.
    call({ name: 'adjtimex', number: { x64: 159, arm64: 171 }, without: 'works' }, 'page'),
    call({ name: 'clock_adjtime', number: { x64: 305, arm64: 266 }, without: 'works' }, 0, 'page'),
    call({ name: 'sethostname', number: { x64: 170, arm64: 161 } }, 'page', 1),
    call({ name: 'setdomainname', number: { x64: 171, arm64: 162 } }, 'page', 1),
    call({ name: 'keyctl, a session of one’s own', number: { x64: 250, arm64: 219 }, without: 'works' }, 0, -3, 1),
    call({ name: 'keyctl, join another', number: { x64: 250, arm64: 219 } }, 1, 'page'),
    call({ name: 'add_key', number: { x64: 248, arm64: 217 } }, 'page', 'page', 0, 0, -3),
    call({ name: 'request_key', number: { x64: 249, arm64: 218 } }, 'page', 'page', 0, 0),
  ],
})
