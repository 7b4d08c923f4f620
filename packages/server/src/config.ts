/**
 * What an operator can set, from the environment. Each key says what it does and what goes wrong with it.
 *
 * The node refuses to start over guessing: a value that does not parse, or two that contradict, is an error
 * that names the key.
 */
import { z } from 'zod'

/** `host:port`, written out. */
const hostPort = z.string().regex(/^[a-z0-9.-]{1,253}:\d{1,5}$/, 'must be host:port')
const list = (item: z.ZodString) =>
  z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((part) => part !== ''))
    .pipe(z.array(item))
const onOff = (fallback: 'on' | 'off') =>
  z
    .enum(['on', 'off'])
    .default(fallback)
    .transform((word) => word === 'on')

const Environment = z.object({
  /** Where everything that must survive lives: database cluster, keys, logs. Lost without a backup: all of it. */
  PERENNIAL_DATA: z.string().startsWith('/').default('/var/lib/perennial/node'),
  /** Where people reach the node and its apps. Loopback unless `--public-test` or a real rail is meant. */
  PERENNIAL_LISTEN: hostPort.default('127.0.0.1:8080'),
  /** The host names apps get: `<slug>.<this>`. A registrable domain other than the node's own (DESIGN §9.2). */
  PERENNIAL_APPS_DOMAIN: z
    .string()
    .regex(/^[a-z0-9.-]{1,200}$/)
    .default('localhost'),
  /** The node's own host names; any other host that is not an app's gets 421. */
  PERENNIAL_HOSTS: list(z.string().regex(/^[a-z0-9.-]{1,253}$/)),
  /** A PostgreSQL of one's own (15 or later). Unset: a private cluster under the data folder. */
  DATABASE_URL: z.string().optional(),
  /** The root daemon's folder; its socket lies in it. */
  PERENNIAL_SANDBOX: z.string().startsWith('/').default('/var/lib/perennial/sandbox'),
  /** A price book file (spec/price-book.md). Unset: the one that ships. Changing it is public and logged. */
  PERENNIAL_PRICE_BOOK: z.string().startsWith('/').optional(),
  /** `on`: anyone may credit apps with TEST money by a button. Refused next to a real rail or off loopback. */
  PERENNIAL_PUSH_BUTTON: onOff('on'),
  /** `on`: allows push-button credit on an address that is not loopback. */
  PERENNIAL_PUBLIC_TEST: onOff('off'),
  /** Micros of TEST money that the operator gives once for start allowances. 0: new apps wait for a payment. */
  PERENNIAL_ALLOWANCE: z
    .string()
    .regex(/^\d{1,15}$/)
    .default('25000000')
    .transform(BigInt),
  /** Git remotes on private addresses that may be deployed from: exact host:port. Only for development. */
  PERENNIAL_DEVELOPMENT_REMOTES: list(hostPort),
  /** The forge whose apps get names without a hash. */
  PERENNIAL_DEFAULT_FORGE: z
    .string()
    .regex(/^[a-z0-9.:-]{1,253}$/)
    .default('github.com'),
  /** What may be built and run at once, and how much an instance gets. */
  PERENNIAL_BUILD_MEMORY_MIB: z.coerce.number().int().min(256).max(65_536).default(2048),
  PERENNIAL_BUILD_SECONDS: z.coerce.number().int().min(5).max(3600).default(900),
  PERENNIAL_APP_MEMORY_MIB: z.coerce.number().int().min(64).max(65_536).default(512),
  /** What all volumes of an app may have together, and what a database has: they pay for what they hold of it. */
  PERENNIAL_APP_VOLUMES_MIB: z.coerce.number().int().min(16).max(1_048_576).default(10_240),
  PERENNIAL_APP_DATABASE_MIB: z.coerce.number().int().min(128).max(1_048_576).default(1024),
  PERENNIAL_IDLE_SECONDS: z.coerce.number().int().min(1).max(86_400).default(300),
  PERENNIAL_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
})

export interface Config {
  readonly data: string
  readonly listen: { readonly host: string; readonly port: number }
  /** Without scheme or port, e.g. `http://<slug>.localhost:8080` has `localhost`. */
  readonly appsDomain: string
  readonly hosts: readonly string[]
  readonly databaseUrl: string | undefined
  readonly sandboxRoot: string
  readonly priceBook: string | undefined
  readonly pushButton: boolean
  readonly allowance: bigint
  readonly developmentRemotes: readonly string[]
  readonly defaultForge: string
  readonly build: { readonly memoryBytes: number; readonly timeoutMs: number }
  readonly app: {
    readonly memoryBytes: number
    readonly idleMs: number
    readonly volumesBytes: number
    readonly databaseBytes: number
  }
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
}

/** Reads the environment; throws one Error that lists every key that is wrong. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const read = Environment.safeParse(environment)
  if (!read.success) {
    const lines = read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    throw new Error(`the configuration is wrong:\n  ${lines.join('\n  ')}`)
  }
  const e = read.data
  const [host, port] = splitHostPort(e.PERENNIAL_LISTEN)
  if (e.PERENNIAL_PUSH_BUTTON && !e.PERENNIAL_PUBLIC_TEST && !isLoopback(host))
    throw new Error(
      `push-button credit is on and PERENNIAL_LISTEN is ${e.PERENNIAL_LISTEN}, which is not loopback: anyone could make money. ` +
        `Set PERENNIAL_PUSH_BUTTON=off, or PERENNIAL_PUBLIC_TEST=on if it is meant as a public test`,
    )
  return {
    data: e.PERENNIAL_DATA,
    listen: { host, port },
    appsDomain: e.PERENNIAL_APPS_DOMAIN,
    hosts: e.PERENNIAL_HOSTS.length > 0 ? e.PERENNIAL_HOSTS : ['127.0.0.1', 'localhost'],
    databaseUrl: e.DATABASE_URL,
    sandboxRoot: e.PERENNIAL_SANDBOX,
    priceBook: e.PERENNIAL_PRICE_BOOK,
    pushButton: e.PERENNIAL_PUSH_BUTTON,
    allowance: e.PERENNIAL_ALLOWANCE,
    developmentRemotes: e.PERENNIAL_DEVELOPMENT_REMOTES,
    defaultForge: e.PERENNIAL_DEFAULT_FORGE,
    build: { memoryBytes: e.PERENNIAL_BUILD_MEMORY_MIB * 2 ** 20, timeoutMs: e.PERENNIAL_BUILD_SECONDS * 1000 },
    app: {
      memoryBytes: e.PERENNIAL_APP_MEMORY_MIB * 2 ** 20,
      idleMs: e.PERENNIAL_IDLE_SECONDS * 1000,
      volumesBytes: e.PERENNIAL_APP_VOLUMES_MIB * 2 ** 20,
      databaseBytes: e.PERENNIAL_APP_DATABASE_MIB * 2 ** 20,
    },
    logLevel: e.PERENNIAL_LOG_LEVEL,
  }
}

function splitHostPort(text: string): [string, number] {
  const colon = text.lastIndexOf(':')
  return [text.slice(0, colon), Number(text.slice(colon + 1))]
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
