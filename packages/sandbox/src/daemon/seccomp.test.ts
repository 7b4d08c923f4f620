import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openTestSandbox, runToEnd, spec } from '../testing.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
after(() => sandbox[Symbol.asyncDispose]())

/** [name, number on x86-64, arguments]. */
type Call = readonly [name: string, number: number, ...args: number[]]

const refused: readonly Call[] = [
  ['socket(AF_ALG): kernel crypto', 41, 38, 5, 0],
  ['socket(AF_VSOCK): the machine around this one', 41, 40, 1, 0],
  ['socket(AF_PACKET): raw frames', 41, 17, 3, 0],
  ['socket(AF_INET, SOCK_RAW)', 41, 2, 3, 1],
  ['socket(AF_INET, SCTP): loads a module', 41, 2, 1, 132],
  ['socket(AF_INET, SOCK_DCCP): loads a module', 41, 2, 6, 0],
  ['socket(AF_NETLINK, NETFILTER)', 41, 16, 3, 12],
  ['clone(CLONE_NEWUSER)', 56, 0x1000_0000 | 17, 0, 0, 0, 0],
  ['clone(CLONE_NEWNET)', 56, 0x4000_0000 | 17, 0, 0, 0, 0],
  ['clone3', 435, 0, 0],
  ['unshare(CLONE_NEWUSER)', 272, 0x1000_0000],
  ['setns', 308, 0, 0],
  ['mount', 165, 0, 0, 0, 0, 0],
  ['fsopen', 430, 0, 0],
  ['io_uring_setup', 425, 1, 0],
  ['io_setup', 206, 1, 0],
  ['bpf', 321, 0, 0, 0],
  ['userfaultfd', 323, 0],
  ['perf_event_open', 298, 0, 0, 0, 0, 0],
  ['ptrace', 101, 0, 1, 0, 0],
  ['process_vm_readv', 310, 1, 0, 0, 0, 0, 0],
  ['keyctl', 250, 0, 0, 0, 0, 0],
  ['add_key', 248, 0, 0, 0, 0, 0],
  ['splice', 275, 0, 0, 1, 0, 1, 0],
  ['vmsplice', 278, 1, 0, 0, 0],
  ['open_by_handle_at', 304, 0, 0, 0],
  ['modify_ldt', 154, 0, 0, 0],
  ['personality(ADDR_NO_RANDOMIZE)', 135, 0x4_0000],
  ['clock_settime', 227, 0, 0],
  ['reboot', 169, 0, 0, 0, 0],
  ['kexec_load', 246, 0, 0, 0, 0],
  ['init_module', 175, 0, 0, 0],
  ['setsockopt(SO_ATTACH_FILTER)', 54, -1, 1, 26],
  ['setsockopt(SO_ATTACH_REUSEPORT_CBPF)', 54, -1, 1, 51],
  ['setsockopt(TCP_MD5SIG)', 54, -1, 6, 14],
  ['setsockopt(IP_ADD_MEMBERSHIP)', 54, -1, 0, 35],
  ['setsockopt(IPV6_ADD_MEMBERSHIP)', 54, -1, 41, 20],
  ['seccomp', 317, 1, 0, 0],
  ['prctl(PR_SET_SECCOMP)', 157, 22, 2, 0],
  ['fcntl(F_OFD_SETLK)', 72, 0, 37, 0],
]

const allowed: readonly Call[] = [
  ['socket(AF_INET, TCP)', 41, 2, 1 | 0o2000000, 6],
  ['socket(AF_INET6, UDP)', 41, 10, 2, 17],
  ['socket(AF_UNIX)', 41, 1, 1, 0],
  ['socket(AF_NETLINK, ROUTE)', 41, 16, 3 | 0o2000000, 0],
  ['clone without new namespaces', 56, 17, 0, 0, 0, 0],
  ['getpid', 39],
  ['prctl(PR_SET_NO_NEW_PRIVS)', 157, 38, 1, 0, 0, 0],
  ['prctl(PR_SET_DUMPABLE)', 157, 4, 1],
]

/** They fail for want of a socket or a lock, so they are there. */
const looked: readonly Call[] = [
  ['setsockopt(SO_REUSEADDR)', 54, -1, 1, 2],
  ['setsockopt(TCP_NODELAY)', 54, -1, 6, 1],
  ['setsockopt(TCP_USER_TIMEOUT)', 54, -1, 6, 18],
  ['setsockopt(IPV6_V6ONLY)', 54, -1, 41, 26],
  ['setsockopt(IP_TOS)', 54, -1, 0, 1],
  ['fcntl(F_SETLK)', 72, -1, 6, 0],
  ['fcntl(F_DUPFD_CLOEXEC)', 72, -1, 1030, 0],
]

const skip = process.arch === 'x64' ? false : 'the probe is x86-64 machine code'

test('the kernel calls that strangers do not need are not there for them', { skip }, async () => {
  const errors = await errorsOf(refused)
  const notImplemented = 38
  assert.deepEqual(
    errors,
    refused.map(() => notImplemented),
    refused.map(([name], i) => `${name}: ${errors[i]}`).join('\n'),
  )
})

test('the calls that ordinary programs make work', { skip }, async () => {
  // Exit codes above 128 are a small positive result, taken as an error's negative.
  for (const [i, code] of (await errorsOf(allowed)).entries())
    assert.ok(code === 0 || code > 128, `${allowed[i]?.[0]}: ${code}`)
})

test('the options of sockets and files that ordinary programs set are there', { skip }, async () => {
  const badDescriptor = 9
  assert.deepEqual(
    await errorsOf(looked),
    looked.map(() => badDescriptor),
  )
})

/** The error number that each call gives inside a sandbox, as root there. */
async function errorsOf(calls: readonly Call[]): Promise<number[]> {
  const env = Object.fromEntries(calls.map((call, i) => [`P${i}`, program(call).toString('base64')]))
  const each = calls.map((_, i) => `echo "$P${i}" | base64 -d > p${i}; chmod +x p${i}; ./p${i}; echo $?`)
  const { out } = await runToEnd(client, spec({ id: 'calls', user: 'root', env, argv: ['sh', '-c', each.join('\n')] }))
  const codes = out.trim().split('\n')
  // A clone that works answers twice.
  return codes.slice(0, calls.length).map(Number)
}

/** An ELF program that makes one system call and exits with its negated result. */
function program([, number, ...args]: Call): Buffer {
  const registers = [
    [0x48, 0xc7, 0xc7],
    [0x48, 0xc7, 0xc6],
    [0x48, 0xc7, 0xc2],
    [0x49, 0xc7, 0xc2],
    [0x49, 0xc7, 0xc0],
    [0x49, 0xc7, 0xc1],
  ]
  const load = (opcode: readonly number[], value: number) => {
    const immediate = Buffer.alloc(4)
    immediate.writeInt32LE(value | 0)
    return Buffer.concat([Buffer.from(opcode), immediate])
  }
  const code = Buffer.concat([
    ...args.map((value, i) => load(registers[i] ?? [], value)),
    load([0x48, 0xc7, 0xc0], number),
    Buffer.from([0x0f, 0x05]), // syscall
    Buffer.from([0x89, 0xc7, 0xf7, 0xdf]), // mov edi, eax; neg edi
    load([0x48, 0xc7, 0xc0], 60), // exit
    Buffer.from([0x0f, 0x05]),
  ])
  const base = 0x40_0000n
  const headers = 64 + 56
  const elf = Buffer.alloc(headers)
  elf.write('\x7fELF\x02\x01\x01', 'latin1')
  elf.writeUInt16LE(2, 16)
  elf.writeUInt16LE(62, 18)
  elf.writeUInt32LE(1, 20)
  elf.writeBigUInt64LE(base + BigInt(headers), 24)
  elf.writeBigUInt64LE(64n, 32)
  elf.writeUInt16LE(64, 52)
  elf.writeUInt16LE(56, 54)
  elf.writeUInt16LE(1, 56)
  elf.writeUInt32LE(1, 64)
  elf.writeUInt32LE(5, 68)
  elf.writeBigUInt64LE(base, 80)
  elf.writeBigUInt64LE(base, 88)
  elf.writeBigUInt64LE(BigInt(headers + code.length), 96)
  elf.writeBigUInt64LE(BigInt(headers + code.length), 104)
  elf.writeBigUInt64LE(4096n, 112)
  return Buffer.concat([elf, code])
}
