/** apps, settings: what an app's admin gives it beside what its repository says; and earlier releases once more. */
import * as z from 'zod'
import { method } from '../method.ts'
import { app, id, instant } from '../wire.ts'

const EXAMPLE_APP = 'hello--octo'
const MOST = 100

const name = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, 'a setting is named by letters, digits and _, and begins with no digit')
const value = z.string().max(32_000)

/** What a change brings about. */
const changed = z.object({
  /** Changes are counted; a release says with which it runs. */
  version: z.int(),
  /** The deployment that starts the app with it; null when nothing changed, nothing is there to start, or a build is under way. */
  deployment: id.nullable(),
})

const config = method({
  service: 'apps',
  name: 'config',
  summary: 'The settings of an app: the values of public ones, the names of secret ones.',
  input: z.strictObject({ app }),
  output: z.object({
    version: z.int(),
    settings: z.array(
      z.object({
        name: z.string(),
        secret: z.boolean(),
        /** Null: it is secret. */
        value: z.string().nullable(),
        at: instant,
      }),
    ),
  }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { app: EXAMPLE_APP },
})

const setConfig = method({
  service: 'apps',
  name: 'setConfig',
  summary: 'Give an app settings; it starts anew with them. A secret value is kept sealed and never shown again.',
  input: z.strictObject({
    app,
    vars: z
      .record(name, z.strictObject({ value, secret: z.boolean() }))
      .refine((vars) => Object.keys(vars).length <= MOST, `at most ${MOST} settings`),
  }),
  output: changed,
  safe: false,
  policy: 'admin',
  meters: [],
  example: { app: EXAMPLE_APP, vars: { GREETING: { value: 'hello', secret: false } } },
})

const unsetConfig = method({
  service: 'apps',
  name: 'unsetConfig',
  summary: 'Take settings from an app; it starts anew without them.',
  input: z.strictObject({ app, names: z.array(name).min(1).max(MOST) }),
  output: changed,
  safe: false,
  policy: 'admin',
  meters: [],
  example: { app: EXAMPLE_APP, names: ['GREETING'] },
})

const rollback = method({
  service: 'apps',
  name: 'rollback',
  summary: 'Run an earlier release once more, under a new number and with the settings and the data of now.',
  input: z.strictObject({
    app,
    release: z
      .string()
      .regex(/^[1-9]\d{0,8}$/, 'a release is a number')
      .describe('its number; without one, the last release before the current one that had another image')
      .optional(),
  }),
  output: z.object({ deployment: id }),
  safe: false,
  policy: 'admin',
  meters: [],
  example: { app: EXAMPLE_APP },
})

export const appConfig = { config, setConfig, unsetConfig, rollback }
