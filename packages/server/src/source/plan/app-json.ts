/**
 * app.json: what an app wants set and run, as Heroku and Dokku have it.
 *
 *   { "env": { "GREETING": "hello", "TOKEN": { "required": true }, "KEY": { "generator": "secret" } },
 *     "formation": { "worker": { "quantity": 2 } }, "addons": ["heroku-postgresql:mini"],
 *     "scripts": { "postdeploy": "node seed.js" }, "cron": [{ "command": "node a.js", "schedule": "@daily" }],
 *     "healthchecks": { "web": [{ "type": "startup", "path": "/health", "timeout": 5, "attempts": 3 }] } }
 *
 * It was written for others: what is not understood is passed over, and said in a note.
 */
import { z } from 'zod'
import { parseObject } from './json.ts'
import { planRefusal, type Plan, type PlanRefusal } from './plan.ts'
import { parseSchedule } from './schedule.ts'

export interface AppJson {
  readonly env: Readonly<Record<string, string>>
  readonly needs: readonly string[]
  readonly generates: readonly string[]
  readonly formation: ReadonlyMap<string, number>
  readonly cron: readonly { readonly schedule: string; readonly command: string }[]
  readonly postdeploy: string | null
  readonly database: Plan['database']
  readonly health: Plan['health'] | null
  readonly notes: readonly string[]
}

export const MOST_SETTINGS = 100
export const MOST_INSTANCES = 4
export const MOST_CRON = 20
export const settingName = z.string().regex(/^(?!__proto__$)[A-Z_][A-Z0-9_]{0,99}$/i)
export const settingValue = z.string().max(4096)
export const command = z.string().trim().min(1).max(4000)
/** A path that is asked for over HTTP. */
export const webPath = z.string().regex(/^\/[\x21-\x7e]{0,499}$/)

const plain = z.union([settingValue, z.number(), z.boolean()]).transform(String)
const setting = z.union([
  plain,
  z.object({
    value: plain.optional(),
    required: z.boolean().optional(),
    generator: z.string().max(40).optional(),
  }),
])
const env = z.record(settingName, setting)
const formation = z.record(z.string().max(63), z.object({ quantity: z.number().int().min(0).max(10_000).default(1) }))
const cron = z.array(z.object({ command, schedule: z.string().max(200) }))
const scripts = z.object({ postdeploy: command.optional() })
const addons = z.array(z.union([z.string().max(200), z.object({ plan: z.string().max(200) })])).max(50)
const seconds = z.number().min(0).max(3600)
const check = z.object({
  type: z.string().max(40).optional(),
  path: webPath.optional(),
  attempts: z.number().int().min(1).max(1000).default(3),
  timeout: seconds.default(5),
  wait: seconds.default(5),
  initialDelay: seconds.default(0),
})
const healthchecks = z.object({ web: z.array(check).max(20).optional() })

const POSTGRES = new Set(['heroku-postgresql', 'postgresql', 'postgres', 'dokku-postgres'])
const SHORTEST_CHECK_MS = 5_000
const LONGEST_CHECK_MS = 300_000

export function parseAppJson(text: string): AppJson | PlanRefusal {
  const parsed = parseObject(text, 'app.json')
  if ('refusal' in parsed) return parsed
  const { document } = parsed
  const notes: string[] = []
  /** A part of it, or nothing and a note. */
  const part = <T>(name: string, shape: z.ZodType<T>): T | undefined => {
    if (document[name] === undefined || document[name] === null) return undefined
    const read = shape.safeParse(document[name])
    if (!read.success) notes.push(`app.json: "${name}" is not understood and was passed over.`)
    return read.data
  }
  const settings = env.safeParse(document['env'] ?? {})
  if (!settings.success || Object.keys(settings.data).length > MOST_SETTINGS)
    return planRefusal(
      `app.json cannot be read: ${settings.error ? `"env" has a setting that is none` : `more than ${MOST_SETTINGS} settings`}.`,
      'A setting has a name of letters, digits and _, and a value of at most 4096 characters.',
    )
  const wanted = readEnv(settings.data)
  const added = part('addons', addons)?.map((addon) => (typeof addon === 'string' ? addon : addon.plan)) ?? []
  const others = added.map((addon) => addon.split(':')[0] ?? '').filter((name) => !POSTGRES.has(name))
  if (others.length > 0) notes.push(`app.json: this node has no ${others.map(word).join(', ')}.`)
  return {
    ...wanted,
    formation: readFormation(part('formation', formation) ?? {}, notes),
    cron: readCron(part('cron', cron) ?? [], notes),
    postdeploy: part('scripts', scripts)?.postdeploy ?? null,
    database: added.length > others.length ? 'postgres' : null,
    health: readHealth(part('healthchecks', healthchecks)?.web ?? []),
    notes,
  }
}

function readEnv(settings: z.infer<typeof env>): Pick<AppJson, 'env' | 'needs' | 'generates'> {
  const given: [string, string][] = []
  const needs: string[] = []
  const generates: string[] = []
  for (const [name, entry] of Object.entries(settings)) {
    if (typeof entry === 'string') given.push([name, entry])
    else if (entry.value !== undefined) given.push([name, entry.value])
    else if (entry.generator === 'secret') generates.push(name)
    else if (entry.required !== false) needs.push(name)
  }
  return { env: Object.fromEntries(given), needs, generates }
}

function readFormation(wanted: z.infer<typeof formation>, notes: string[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  for (const [name, { quantity }] of Object.entries(wanted)) {
    if (quantity > MOST_INSTANCES)
      notes.push(`app.json: ${word(name)} gets ${MOST_INSTANCES} instances, not ${quantity}.`)
    found.set(name, Math.min(quantity, MOST_INSTANCES))
  }
  return found
}

function readCron(wanted: z.infer<typeof cron>, notes: string[]): AppJson['cron'] {
  const found: { schedule: string; command: string }[] = []
  for (const entry of wanted.slice(0, MOST_CRON)) {
    const schedule = parseSchedule(entry.schedule)
    if (schedule === null) notes.push(`app.json: "${word(entry.schedule)}" is no schedule of five fields.`)
    else found.push({ schedule, command: entry.command })
  }
  if (wanted.length > MOST_CRON) notes.push(`app.json: only the first ${MOST_CRON} cron entries are run.`)
  return found
}

/** The first check that is made while the web process starts; Dokku's numbers are seconds. */
function readHealth(checks: readonly z.infer<typeof check>[]): Plan['health'] | null {
  const found = checks.find(({ type, path }) => path !== undefined && (type ?? 'startup') === 'startup')
  if (found?.path === undefined) return null
  const ms = 1000 * (found.initialDelay + found.attempts * (found.timeout + found.wait))
  return { path: found.path, timeoutMs: Math.round(Math.min(LONGEST_CHECK_MS, Math.max(SHORTEST_CHECK_MS, ms))) }
}

/** A stranger's word in a sentence of ours. */
function word(text: string): string {
  return text.replace(/[^\x21-\x7e]+/g, ' ').slice(0, 60)
}
