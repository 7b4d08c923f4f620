/**
 * A program that makes system calls which no shell has a word for: an ELF file made here, byte by byte, so that it
 * needs no compiler, no library and no image. It prints what the kernel answered to each call.
 */
import { arch } from 'node:os'

/** An argument: a number, or the address of a page of zeros. */
export type Argument = number | 'page'
export interface Call {
  /** For people. */
  readonly name: string
  /** By the way that 32-bit programs call the kernel; on x64 alone. */
  readonly as32Bit?: true
  readonly number: { readonly x64: number; readonly arm64: number }
  readonly arguments: readonly Argument[]
}

const base = 0x40_0000n
const headerBytes = 64 + 56
/** Behind the code: the answers, then a page of zeros. Neither is in the file. */
const answersAt = base + 0x1_0000n
const pageAt = answersAt + 0x1_0000n
const memoryBytes = 0x3_0000n

/** A script for busybox's shell that makes the calls in turn and prints one answer a line, in hexadecimal. */
export function probeScript(calls: readonly Call[]): string {
  return `echo ${elf(calls).toString('base64')} | base64 -d > /tmp/probe
chmod 755 /tmp/probe
/tmp/probe | hexdump -v -e '8/1 "%02x" "\\n"'`
}

/** The program itself, for a place that has no busybox; it prints the answers as they are in memory. */
export function probeFile(calls: readonly Call[], { thenWait = false } = {}): Buffer {
  return elf([...calls], thenWait ? [waitForNoSignal] : [])
}

export function answersIn(said: Buffer): bigint[] {
  return Array.from({ length: Math.floor(said.length / 8) }, (_, at) => said.readBigInt64LE(8 * at))
}

/** For ever. */
const waitForNoSignal: Call = {
  name: 'rt_sigtimedwait',
  number: { x64: 128, arm64: 137 },
  arguments: ['page', 0, 0, 8],
}

/** What the kernel answered: a negative number is an error, as in errno.h. */
export function answersOf(said: string): bigint[] {
  return said
    .split('\n')
    .filter((line) => /^[0-9a-f]{16}$/.test(line))
    .map((line) => Buffer.from(line, 'hex').readBigInt64LE())
}

/** `last`: calls after the answers are printed. */
function elf(calls: readonly Call[], last: readonly Call[] = []): Buffer {
  const machine = machines[arch()]
  if (!machine) throw new Error(`this test knows no machine code for ${arch()}`)
  const number = ({ number: numbers }: Call) => (arch() === 'arm64' ? numbers.arm64 : numbers.x64)
  const length = 8 * calls.length
  const code = Buffer.concat([
    ...calls.map((call, at) => {
      const keepAt = answersAt + BigInt(8 * at)
      return machine.call(number(call), call.arguments.map(value), { keepAt, as32Bit: call.as32Bit })
    }),
    machine.call(machine.write, [1n, answersAt, BigInt(length)], {}),
    ...last.map((call) => machine.call(number(call), call.arguments.map(value), {})),
    machine.call(machine.exit, [0n], {}),
  ])
  const head = Buffer.alloc(headerBytes)
  Buffer.from('7f454c46020101', 'hex').copy(head)
  head.writeUInt16LE(2, 16) // an executable
  head.writeUInt16LE(machine.id, 18)
  head.writeUInt32LE(1, 20)
  head.writeBigUInt64LE(base + BigInt(headerBytes), 24) // where it begins
  head.writeBigUInt64LE(64n, 32) // the one segment's header
  head.writeUInt16LE(64, 52)
  head.writeUInt16LE(56, 54)
  head.writeUInt16LE(1, 56)
  head.writeUInt32LE(1, 64) // to be loaded
  head.writeUInt32LE(7, 68) // read, written and run
  head.writeBigUInt64LE(base, 80)
  head.writeBigUInt64LE(base, 88)
  head.writeBigUInt64LE(BigInt(headerBytes + code.length), 96)
  head.writeBigUInt64LE(memoryBytes, 104)
  head.writeBigUInt64LE(0x1000n, 112)
  return Buffer.concat([head, code])
}

function value(argument: Argument): bigint {
  return argument === 'page' ? pageAt : BigInt.asUintN(64, BigInt(argument))
}

interface Machine {
  /** As ELF numbers machines. */
  readonly id: number
  readonly write: number
  readonly exit: number
  /** The call, and its answer stored at `keepAt`. */
  call(
    number: number,
    values: readonly bigint[],
    how: { readonly keepAt?: bigint; readonly as32Bit?: true | undefined },
  ): Buffer
}

const machines: Record<string, Machine | undefined> = {
  x64: {
    id: 62,
    write: 1,
    exit: 60,
    call(number, values, { keepAt, as32Bit }) {
      // mov rax, …; then rdi, rsi, rdx, r10, r8, r9; syscall, or int 80h; mov [keepAt], rax
      const registers = ['48bf', '48be', '48ba', '49ba', '49b8', '49b9']
      const words = [bytes('48b8', BigInt(number)), ...registers.map((move, at) => bytes(move, values[at] ?? 0n))]
      const gate = bytes(as32Bit ? 'cd80' : '0f05')
      return Buffer.concat([...words, gate, ...(keepAt === undefined ? [] : [bytes('48a3', keepAt)])])
    },
  },
  arm64: {
    id: 183,
    write: 64,
    exit: 93,
    call(number, values, { keepAt }) {
      const load = (register: number, wanted: bigint) =>
        [0, 1, 2, 3].map((part) => {
          const half = Number((wanted >> BigInt(16 * part)) & 0xffffn)
          // movz for the lowest 16 bits, movk for the others.
          return (part === 0 ? 0xd280_0000 : 0xf280_0000) + part * 0x20_0000 + half * 32 + register
        })
      const words = [0, 1, 2, 3, 4, 5].flatMap((register) => load(register, values[register] ?? 0n))
      words.push(...load(8, BigInt(number)), 0xd400_0001)
      // str x0, [x9]
      if (keepAt !== undefined) words.push(...load(9, keepAt), 0xf900_0120)
      const code = Buffer.alloc(4 * words.length)
      words.forEach((word, index) => code.writeUInt32LE(word >>> 0, 4 * index))
      return code
    },
  },
}

function bytes(opcode: string, immediate?: bigint): Buffer {
  const code = Buffer.from(opcode, 'hex')
  if (immediate === undefined) return code
  const rest = Buffer.alloc(8)
  rest.writeBigUInt64LE(immediate)
  return Buffer.concat([code, rest])
}
