/**
 * Checks what comes over the socket: each verb's input is read field by field, unknown fields are refused, and
 * nothing that is not in this file reaches a tool or a path.
 */
import { imageNames } from '../verbs.ts'
import type { Mount, Network, SandboxSpec, Verb, Verbs } from '../verbs.ts'
import { Refusal } from './refuse.ts'

type Reader<T> = (value: unknown, at: string) => T

const maxArguments = 256
const maxVariables = 512
const maxTextBytes = 128 * 1024
const maxDoors = 16
const maxMounts = 8

const text =
  (pattern: RegExp, what: string): Reader<string> =>
  (value, at) =>
    typeof value === 'string' && pattern.test(value) ? value : refuse(at, what)

const whole =
  (min: number, max: number): Reader<number> =>
  (value, at) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : refuse(at, `a whole number from ${min} to ${max}`)

const flag: Reader<boolean> = (value, at) => (typeof value === 'boolean' ? value : refuse(at, 'true or false'))

const oneOf =
  <T extends string>(words: readonly T[]): Reader<T> =>
  (value, at) =>
    words.find((word) => word === value) ?? refuse(at, `one of ${words.join(', ')}`)

function list<T>(item: Reader<T>, max: number): Reader<T[]> {
  return (value, at) => {
    if (!Array.isArray(value) || value.length > max) return refuse(at, `a list of at most ${max}`)
    return value.map((entry: unknown, index) => item(entry, `${at}[${index}]`))
  }
}

function optional<T>(reader: Reader<T>): Reader<T | undefined> {
  return (value, at) => (value === undefined ? undefined : reader(value, at))
}

/** An object of exactly these fields; an absent optional one stays absent. */
function fields<T extends object>(readers: { [K in keyof T]-?: Reader<T[K]> }): Reader<T> {
  return (value, at) => {
    const given = plain(value, at)
    for (const name of Object.keys(given)) if (!Object.hasOwn(readers, name)) refuse(`${at}.${name}`, 'absent')
    const result: Record<string, unknown> = {}
    for (const name of Object.keys(readers)) {
      const field = readers[name as keyof T](given[name], `${at}.${name}`)
      if (field !== undefined) result[name] = field
    }
    return result as T
  }
}

function plain(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(at, 'an object')
  return value as Record<string, unknown>
}

function refuse(at: string, what: string): never {
  throw new Refusal('invalid', `${at} must be ${what}`)
}

const id = text(/^[a-z0-9][a-z0-9-]{0,47}$/, '1 to 48 of a-z, 0-9 and -, a letter or digit first')
const sha256 = text(/^[0-9a-f]{64}$/, '64 hex digits')
const argument = text(/^[^\0]{0,32768}$/, 'text of at most 32768 characters without NUL')
const inside = text(/^\/(?:[^\0]{0,1023})$/, 'an absolute path inside the sandbox')
const ipv4 = text(/^\d{1,3}(?:\.\d{1,3}){3}$/, 'an IPv4 address')
/** A folder below a disk's top: no empty, `.` or `..` part. What the parts are is checked on the disk. */
const below = text(/^(?!\.{1,2}(?:\/|$))[^\0/]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[^\0/]{1,255}){0,31}$/, 'a relative path')
/** One name of a file or folder. */
const part = text(/^(?!\.{1,2}$)[^\0/]{1,255}$/, 'a name')
const bytes = whole(1024 * 1024, 2 ** 43)
/** ext4 with a journal is no use below this. */
const volumeBytes = whole(16 * 1024 * 1024, 2 ** 43)
const cpuPercent = whole(1, 6400)

const environment: Reader<Record<string, string>> = (value, at) => {
  const given = Object.entries(plain(value, at))
  if (given.length > maxVariables) refuse(at, `at most ${maxVariables} variables`)
  return Object.fromEntries(
    given.map(([name, entry]) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]{0,255}$/.test(name)) refuse(at, 'named by letters, digits and _')
      return [name, argument(entry, `${at}.${name}`)]
    }),
  )
}

const doors = fields<Exclude<Network, string>>({
  doors: list(fields({ address: ipv4, port: whole(1, 65_535) }), maxDoors),
})
const network: Reader<Network> = (value, at) => (value === 'none' || value === 'internet' ? value : doors(value, at))

/** Where images and the host's own mounts have nothing. */
const mountPoint: Reader<string> = (value, at) => {
  const path = text(/^\/(?:data|(?:data|run|app)\/[^\0]{1,250})$/, '/data or a path below /data, /run or /app')(
    value,
    at,
  )
  below(path.slice(1), at)
  return path
}

type MountOf<K extends Mount['kind']> = Extract<Mount, { kind: K }>
const mounts: { [K in Mount['kind']]: Reader<MountOf<K>> } = {
  volume: fields<MountOf<'volume'>>({
    kind: oneOf(['volume']),
    id,
    at: mountPoint,
    readOnly: optional(flag) as Reader<boolean>,
  }),
  share: fields<MountOf<'share'>>({ kind: oneOf(['share']), id, at: mountPoint }),
  archive: fields<MountOf<'archive'>>({ kind: oneOf(['archive']), id, at: mountPoint }),
}
const mount: Reader<Mount> = (value, at) =>
  mounts[oneOf(['volume', 'share', 'archive'])(plain(value, at)['kind'], `${at}.kind`)](value, at)

const spec = fields<SandboxSpec>({
  id,
  image: oneOf(imageNames),
  release: optional(sha256) as Reader<string>,
  scratch: optional(id) as Reader<string>,
  mounts: optional(list(mount, maxMounts)) as Reader<Mount[]>,
  owner: optional(id) as Reader<string>,
  writableBytes: bytes,
  argv: list(argument, maxArguments),
  env: environment,
  cwd: inside,
  user: oneOf(['app', 'root']),
  limits: fields<SandboxSpec['limits']>({
    memoryBytes: whole(8 * 1024 * 1024, 2 ** 44),
    pids: whole(2, 32_768),
    cpuPercent,
  }),
  network,
})

const start: Reader<SandboxSpec> = (value, at) => {
  const given = spec(value, at)
  if (given.argv.length === 0) refuse(`${at}.argv`, 'a command')
  if (given.release !== undefined && given.scratch !== undefined) refuse(at, 'with a release or a scratch, not both')
  const points = (given.mounts ?? []).map((each) => each.at)
  points.forEach((one, index) => {
    if (points.some((other, another) => another !== index && `${one}/`.startsWith(`${other}/`)))
      refuse(`${at}.mounts[${index}].at`, 'at no other mount, nor below one')
  })
  if (given.owner === undefined && given.mounts?.some(({ kind }) => kind === 'volume'))
    refuse(`${at}.owner`, 'the owner of its volumes')
  if (Buffer.byteLength(JSON.stringify([given.argv, given.env])) > maxTextBytes)
    refuse(at, `with at most ${maxTextBytes} bytes of arguments and variables`)
  return given
}

const nothing = fields<Record<string, never>>({})
const justId = fields<{ id: string }>({ id })

const copyVolume: Reader<Verbs['copyVolume']['input']> = (value, at) => {
  const given = fields<Verbs['copyVolume']['input']>({ from: id, to: id })(value, at)
  return given.from === given.to ? refuse(`${at}.to`, 'another volume') : given
}

const readers: { [V in Verb]: Reader<Verbs[V]['input']> } = {
  probe: nothing,
  start,
  list: nothing,
  read: nothing,
  stop: fields({ id, graceMs: whole(0, 600_000) }),
  freeze: justId,
  thaw: justId,
  limit: fields({ id, cpuPercent }),
  remove: justId,
  wait: fields({ id, timeoutMs: whole(0, 600_000) }),
  volume: fields({ id, owner: id, sizeBytes: volumeBytes }),
  volumes: nothing,
  copyVolume,
  removeVolume: justId,
  keepArchive: fields({ scratch: id, path: below, id }),
  archives: nothing,
  removeArchive: justId,
  scratch: fields<Verbs['scratch']['input']>({ id, sizeBytes: bytes, base: optional(sha256) as Reader<string> }),
  removeScratch: justId,
  pack: fields<Verbs['pack']['input']>({
    scratch: id,
    path: optional(below) as Reader<string>,
    only: optional(part) as Reader<string>,
  }),
  releases: nothing,
  removeRelease: fields({ sha256 }),
  image: fields({ name: oneOf(imageNames) }),
}

export function isVerb(word: unknown): word is Verb {
  return typeof word === 'string' && Object.hasOwn(readers, word)
}

export function inputOf<V extends Verb>(verb: V, value: unknown): Verbs[V]['input'] {
  return readers[verb](value, verb)
}
