/** processes: commands that run once in a copy of an app, asked for by its admin or due at set times. */
import * as z from 'zod'
import { method } from '../method.ts'
import { app, id, instant, pageSize } from '../wire.ts'

const EXAMPLE_APP = 'hello--octo'
const MOST_WORDS = 100
const LONGEST_WORD = 4000

const command = z.array(z.string().max(LONGEST_WORD)).min(1).max(MOST_WORDS)

const run = z.object({
  id,
  /** As its lines are named in the app's log. */
  process: z.string(),
  command,
  askedAt: instant,
  startedAt: instant.nullable(),
  endedAt: instant.nullable(),
  /** Null while it runs, and when it did not come to an end of its own. */
  exitCode: z.int().nullable(),
  /** How it ended, in words. */
  sentence: z.string().nullable(),
})

const start = method({
  service: 'processes',
  name: 'run',
  summary: 'Run a command once, in a copy of the app with its settings and its data; everyone can read what it prints.',
  input: z.strictObject({ app, command }),
  output: run,
  safe: false,
  policy: 'admin',
  meters: ['cpu', 'memory', 'disk', 'egress'],
  example: { app: EXAMPLE_APP, command: ['node', 'report.js'] },
})

const get = method({
  service: 'processes',
  name: 'get',
  summary: 'How far a command has come, and how it ended.',
  input: z.strictObject({ id }),
  output: run,
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { id: '01938f5e-7a00-7000-8000-000000000000' },
})

const list = method({
  service: 'processes',
  name: 'list',
  summary: 'The commands of an app, newest first: what was asked for, what was due, how each ended.',
  input: z.strictObject({ app, limit: pageSize.optional() }),
  output: z.object({ runs: z.array(run) }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { app: EXAMPLE_APP },
})

export const processes = { run: start, get, list }
