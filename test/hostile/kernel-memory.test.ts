import assert from 'node:assert/strict'
import test, { after, before } from 'node:test'
import { openCage } from './lab/cage.ts'
import type { Cage } from './lab/cage.ts'
import { mebibyte, runPayload, spec } from './lab/payload.ts'
import { runWeakened } from './lab/weaken.ts'

/**
 * Some memory of the kernel is counted to nobody. What ordinary programs do not need of it is not there for them; of
 * what they do need a little, sandboxd looks who has a lot. Each attack here stops by itself long before it harms.
 */
let cage: Cage
before(async () => (cage = await openCage()))
after(() => cage[Symbol.asyncDispose]())

const inPython = (program: string) =>
  spec({
    id: 'hoarder',
    image: 'python',
    argv: ['python3', '-c', program],
    limits: { memoryBytes: 64 * mebibyte, pids: 64, cpuPercent: 100 },
  })

/** Longer than sandboxd takes to look around. */
const patienceSeconds = 6

const hoards: Record<string, string> = {
  /** Asks each socket for the list of interfaces and never reads the answer. */
  'netlink sockets': `
import socket, struct, time
ask = struct.pack('=IHHIIB3x', 20, 18, 0x301, 1, 0, 0)
held = []
for i in range(2000):
    one = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    one.send(ask)
    held.append(one)
print(len(held), 'held', flush=True)
time.sleep(${patienceSeconds})
print('still there')`,
  'locks on files': `
import fcntl, time
held = open('/tmp/locked', 'w')
for i in range(6000):
    fcntl.lockf(held, fcntl.LOCK_EX, 1, 2 * (6000 - i))
print(6000, 'held', flush=True)
time.sleep(${patienceSeconds})
print('still there')`,
}

for (const [what, program] of Object.entries(hoards)) {
  test(`a sandbox that hoards ${what} is ended, and its exit says why`, async () => {
    const { exit, said } = await runPayload(cage.client, inPython(program))
    assert.match(said, /held/)
    assert.doesNotMatch(said, /still there/)
    assert.equal(exit.reason, 'memory')
    assert.match(exit.sentence, new RegExp(`it held more than \\d+ ${what}`))
  })

  test(`control: where nobody looks, ${what} are held as long as one likes`, async () => {
    const { said } = await runWeakened(cage, { spec: inPython(program), weakness: { gone: 'who looks' } })
    assert.match(said, /still there/)
  })
}

/** Each prints how many it made. */
const refused: Record<string, string> = {
  'keys of TCP connections': `
import socket, struct
one = socket.socket()
made = 0
try:
    for i in range(500):
        address = struct.pack('=HH4s120x', socket.AF_INET, 0, struct.pack('>I', 0x0b000000 + i))
        one.setsockopt(socket.IPPROTO_TCP, 14, address + struct.pack('=BBHIi80s', 0, 0, 80, 0, 0, b'k' * 80))
        made += 1
except OSError as error: print(error)
print('made', made)`,
  'filters of sockets': `
import ctypes, socket, struct
code = struct.pack('=HBBI', 0, 0, 0, 1) * 4095 + struct.pack('=HBBI', 6, 0, 0, 0)
kept = ctypes.create_string_buffer(code)
made = 0
try:
    for i in range(20):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, 26, struct.pack('=H6xQ', 4096, ctypes.addressof(kept)))
        made += 1
except OSError as error: print(error)
print('made', made)`,
  'locks that belong to nobody': `
import fcntl, struct
held = open('/tmp/locked', 'w')
made = 0
try:
    for i in range(500):
        fcntl.fcntl(held, 37, struct.pack('=hh4xqqi4x', fcntl.F_WRLCK, 0, 2 * i, 1, 0))
        made += 1
except OSError as error: print(error)
print('made', made)`,
  'groups of receivers': `
import socket, struct
made = 0
try:
    for i in range(200):
        one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        one.setsockopt(socket.IPPROTO_IPV6, 20, bytes([0xff, 2]) + bytes(12) + struct.pack('>H', i) + struct.pack('=I', 1))
        made += 1
except OSError as error: print(error)
print('made', made)`,
}

for (const [what, program] of Object.entries(refused)) {
  test(`a sandbox makes no ${what}`, async () => {
    const { said } = await runPayload(cage.client, inPython(program))
    assert.match(said, /Function not implemented/)
    assert.match(said, /^made 0$/m)
  })

  test(`control: without the filter of calls it makes ${what}`, async () => {
    const { said } = await runWeakened(cage, { spec: inPython(program), weakness: { gone: 'seccomp' } })
    assert.match(said, /^made [1-9]/m, said)
  })
}
