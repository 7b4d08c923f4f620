/** apps: from the URL of a public repository to a running app, and what anyone may know of it. */
import * as z from 'zod'
import { method } from '../method.ts'
import { app, bigCount, folder, gitRef, id, micros, pageSize, repositoryUrl } from '../wire.ts'
import { appConfig } from './app-config.ts'
import { appData } from './app-data.ts'
import { appPage, logLine } from './app-page.ts'
import { appName, appSummary, deployment, offer, state } from './app-shapes.ts'

const EXAMPLE_APP = 'hello--octo'

const deploy = method({
  service: 'apps',
  name: 'deploy',
  summary: 'Fetch a public repository, build it and run it under its own host name.',
  input: z.strictObject({ url: repositoryUrl, ref: gitRef.optional(), root: folder.optional() }),
  output: z.object({ deployment, app: appSummary }),
  safe: false,
  policy: 'caller',
  meters: ['build'],
  example: { url: 'https://forge.example/octo/hello' },
})

const quote = method({
  service: 'apps',
  name: 'quote',
  summary: 'What a repository would be called here and what running it can cost, before anyone presses Deploy.',
  input: z.strictObject({ url: repositoryUrl, ref: gitRef.optional(), root: folder.optional() }),
  output: z.object({
    url: z.string(),
    /** What was named, in the address or beside it; null: the default branch. */
    ref: z.string().nullable(),
    /** The folder that would be the app; empty: the repository's top. */
    root: z.string(),
    forge: z.string(),
    owner: z.string(),
    name: z.string(),
    slug: z.string(),
    /** Where it would answer. */
    address: z.string(),
    /** The app, if it is here already. */
    app: appName.extend({ state }).nullable(),
    buildCeiling: micros,
    maxBurnPerHour: micros,
    /** What the node would give a new app to start with; 0 when there is nothing left to give. */
    allowance: micros,
  }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { url: 'https://forge.example/octo/hello' },
})

const get = method({
  service: 'apps',
  name: 'get',
  summary: 'All that is public about one app: state, money, releases, instances, payers.',
  input: z.strictObject({ app }),
  output: appPage,
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { app: EXAMPLE_APP },
})

const list = method({
  service: 'apps',
  name: 'list',
  summary: 'Every app on this node, soonest to stop first.',
  input: z.strictObject({}),
  output: z.object({
    apps: z.array(
      appSummary.extend({
        /** 30 days of balance, oldest first. */
        balances: z.array(micros),
        /** A usual amount that helps. */
        offer: offer.nullable(),
      }),
    ),
  }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: {},
})

const logs = method({
  service: 'apps',
  name: 'logs',
  summary: 'What an app and its builds printed, oldest first.',
  input: z.strictObject({
    app,
    after: bigCount.optional(),
    source: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,62}$/)
      .describe('only lines of web, worker, build or node')
      .optional(),
    limit: pageSize.optional(),
  }),
  output: z.object({ lines: z.array(logLine), next: bigCount }),
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { app: EXAMPLE_APP, after: '120' },
})

const stop = method({
  service: 'apps',
  name: 'stop',
  summary: 'Stop an app until it is run again; its data and its money stay.',
  input: z.strictObject({ app }),
  output: appSummary,
  safe: false,
  policy: 'admin',
  meters: [],
  example: { app: EXAMPLE_APP },
})

const run = method({
  service: 'apps',
  name: 'run',
  summary: 'Run an app that was stopped.',
  input: z.strictObject({ app }),
  output: appSummary,
  safe: false,
  policy: 'admin',
  meters: ['cpu', 'memory', 'disk'],
  example: { app: EXAMPLE_APP },
})

const getDeployment = method({
  service: 'apps',
  name: 'deployment',
  summary: 'How far a deployment has come, what it cost so far and what it can cost at most.',
  input: z.strictObject({ id }),
  output: deployment,
  safe: true,
  policy: 'anyone',
  meters: [],
  example: { id: '01938f5e-7a00-7000-8000-000000000000' },
})

export const apps = { deploy, quote, get, list, logs, stop, run, deployment: getDeployment, ...appConfig, ...appData }
