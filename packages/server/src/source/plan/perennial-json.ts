/**
 * perennial.json: our own manifest. All of it is optional, and what it says wins over everything else.
 *
 *   { "root": "packages/web", "node": "26", "build": "npm run build", "start": "node server.js",
 *     "static": "dist", "processes": { "worker": "node worker.js" }, "env": { "GREETING": "hello" },
 *     "volumes": [{ "path": "/data", "size": "1 GB" }], "database": "postgres",
 *     "cron": [{ "schedule": "0 3 * * *", "command": "node tidy.js" }], "health": { "path": "/health" } }
 *
 * It was written for us: whatever is not understood is refused by name.
 */
import { z } from 'zod'
import { isFolder } from '../folder.ts'
import { command, MOST_CRON, MOST_SETTINGS, settingName, settingValue, webPath } from './app-json.ts'
import { parseObject, plainWords } from './json.ts'
import { planRefusal, type PlanRefusal, type Volume } from './plan.ts'
import { parseSchedule } from './schedule.ts'
import { parseSize } from './size.ts'

export type Manifest = Omit<Partial<z.infer<typeof shape>>, 'volumes' | 'cron'> & {
  readonly volumes: readonly Volume[]
  readonly cron: readonly { readonly schedule: string; readonly command: string }[]
}

const MOST_PROCESSES = 16
const MOST_VOLUMES = 4
const folder = z.string().refine(isFolder, 'must be a folder of the repository, such as packages/web')
const processName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/)
const atMost = (most: number, what: string) =>
  [(record: object) => Object.keys(record).length <= most, `has more than ${most} ${what}`] as const

/** Where volumes may lie: nowhere that the image or the node needs. */
const volumePath = z
  .string()
  .max(200)
  .refine((path) => {
    const below = /^\/(data|app)(?:\/(.+))?$/.exec(path)
    return below !== null && (below[2] === undefined ? below[1] === 'data' : isFolder(below[2]))
  }, 'must be /data, or below /data/ or /app/')
const size = z.string().transform((text, context) => {
  const sizeBytes = parseSize(text)
  if (sizeBytes !== null) return sizeBytes
  context.addIssue({ code: 'custom', message: 'must be a size such as "1 GB"' })
  return z.NEVER
})
const schedule = z.string().transform((text, context) => {
  const found = parseSchedule(text)
  if (found !== null) return found
  context.addIssue({ code: 'custom', message: 'must be five fields (minute hour day month weekday), UTC' })
  return z.NEVER
})

const shape = z.strictObject({
  $schema: z.string().optional(),
  root: folder.optional(),
  node: z.string().max(40).optional(),
  build: command.optional(),
  start: command.optional(),
  static: z.union([folder, z.literal('.')]).optional(),
  processes: z
    .record(processName, command)
    .refine(...atMost(MOST_PROCESSES, 'processes'))
    .optional(),
  volumes: z
    .array(z.strictObject({ path: volumePath, size }))
    .max(MOST_VOLUMES)
    .optional(),
  database: z.literal('postgres').optional(),
  cron: z.array(z.strictObject({ schedule, command })).max(MOST_CRON).optional(),
  health: z.strictObject({ path: webPath.optional(), seconds: z.number().int().min(5).max(300).optional() }).optional(),
  env: z
    .record(settingName, settingValue)
    .refine(...atMost(MOST_SETTINGS, 'settings'))
    .optional(),
})

export function parseManifest(text: string | undefined): Manifest | PlanRefusal {
  if (text === undefined) return { volumes: [], cron: [] }
  const parsed = parseObject(text, 'perennial.json')
  if ('refusal' in parsed) return parsed
  const read = shape.safeParse(parsed.document)
  if (!read.success) return wrong(read.error)
  const { volumes = [], cron = [], ...rest } = read.data
  const paths = volumes.map(({ path }) => path)
  if (new Set(paths).size < paths.length || paths.some((path) => paths.some((other) => other.startsWith(`${path}/`))))
    return planRefusal(
      'perennial.json: one volume lies inside another.',
      'Give each volume a folder of its own and deploy again.',
    )
  return { ...rest, volumes: volumes.map(({ path, size: sizeBytes }) => ({ path, sizeBytes })), cron }
}

function wrong(error: z.ZodError): PlanRefusal {
  const issue = error.issues[0]
  const at = issue?.path.map(String).join('.') ?? ''
  const what = issue?.code === 'unrecognized_keys' ? `has an unknown key ${issue.keys[0]}` : (issue?.message ?? '')
  return planRefusal(
    `perennial.json${at === '' ? '' : `: ${plainWords(at, 80)}`} ${plainWords(what, 160)}.`,
    'Mend perennial.json and deploy again.',
  )
}
