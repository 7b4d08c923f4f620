/** apps, data: backups of what an app keeps in volumes and its database, bringing one back, taking one home. */
import * as z from 'zod'
import { method } from '../method.ts'
import { app, id, instant } from '../wire.ts'

const EXAMPLE_APP = 'hello--octo'
const EXAMPLE_ID = '01938f5e-7a00-7000-8000-000000000000'

const part = z.enum(['files', 'database'])

const backup = z.object({
  id,
  kind: z.enum(['schedule', 'demand']),
  state: z.enum(['making', 'kept', 'failed']),
  askedAt: instant,
  /** The moment that it holds. */
  takenAt: instant.nullable(),
  endedAt: instant.nullable(),
  problem: z.string().nullable(),
  files: z.array(
    z.object({
      part,
      sizeBytes: z.int(),
      /** Hex. */
      sha256: z.string(),
    }),
  ),
})

const restoring = z.object({
  id,
  backup: id,
  state: z.enum(['waiting', 'done', 'failed']),
  askedAt: instant,
  endedAt: instant.nullable(),
  problem: z.string().nullable(),
})

const make = method({
  service: 'apps',
  name: 'backup',
  summary: 'Make a backup of all that an app keeps, as of one moment; the app pays for the work, and for what is kept.',
  input: z.strictObject({ app }),
  output: backup,
  safe: false,
  policy: 'admin',
  meters: ['cpu', 'memory', 'disk'],
  example: { app: EXAMPLE_APP },
})

const list = method({
  service: 'apps',
  name: 'backups',
  summary: 'The backups of an app and what was restored lately, newest first; what is in them is for its admin alone.',
  input: z.strictObject({ app }),
  output: z.object({ backups: z.array(backup), restores: z.array(restoring) }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { app: EXAMPLE_APP },
})

const restore = method({
  service: 'apps',
  name: 'restore',
  summary:
    'Replace all that an app keeps by what a backup holds: as a whole, or not at all. What came after it is gone.',
  input: z.strictObject({ app, backup: id }),
  output: restoring,
  safe: false,
  policy: 'admin',
  meters: ['cpu', 'memory', 'disk'],
  example: { app: EXAMPLE_APP, backup: EXAMPLE_ID },
})

const download = method({
  service: 'apps',
  name: 'download',
  summary:
    'Where a file of a backup can be fetched from, for a few minutes: tar.gz of volumes, plain SQL of the database.',
  input: z.strictObject({ app, backup: id, part }),
  output: z.object({
    /** Below the node's origin; whoever knows it may fetch the file. */
    path: z.string(),
    name: z.string(),
    sizeBytes: z.int(),
    sha256: z.string(),
    until: instant,
  }),
  safe: false,
  policy: 'admin',
  meters: [],
  example: { app: EXAMPLE_APP, backup: EXAMPLE_ID, part: 'files' },
})

export const appData = { backup: make, backups: list, restore, download }
