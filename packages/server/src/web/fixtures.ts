/** A made-up node for tests and screenshots of pages: names and figures invented, sums right. */
import { METERS, type Micros } from '@perennial/protocol'
import type {
  About,
  App,
  AppRow,
  Deployment,
  Estimate,
  Frame,
  FrontView,
  LogLine,
  PayForm,
  Payment,
  Totals,
} from './views.ts'

export const NOW = new Date('2026-11-21T08:40:12Z')
const DAY_MS = 86_400_000

export const frame: Frame = { asset: 'TEST', now: NOW, node: '', token: 'a-form-token' }
export const foreignFrame: Frame = { ...frame, node: 'http://127.0.0.1:8080', token: null }

export function days(count: number): Date {
  return new Date(NOW.getTime() + count * DAY_MS)
}

export function units(text: string): Micros {
  const [whole = '0', rest = ''] = text.split('.')
  return BigInt(whole) * 1_000_000n + BigInt(rest.padEnd(6, '0'))
}

export const id = (n: number) => `01938f5e-7a00-7000-8000-${n.toString().padStart(12, '0')}`

const PER_DAY: readonly Micros[] = [420_137n, 331_902n, 92_411n, 131_077n, 52_380n, 29_811n]
const USED: readonly bigint[] = [
  34_920_000_000_000n,
  18_316_800_000_000_000n,
  120_960_000_000_000_000n,
  2_600_000_000n,
  41_300n,
  380_000_000_000n,
]
const COST = PER_DAY.reduce((sum, one) => sum + one, 0n)

/** Income on these days before today. */
const INCOME: ReadonlyMap<number, Micros> = new Map([
  [50, units('9.5')],
  [41, units('47.5')],
  [25, units('4.75')],
  [20, units('0.95')],
  [16, units('9.5')],
  [12, units('4.75')],
  [6, units('1.9')],
  [3, units('4.75')],
  [0, units('9.5')],
])

function history(balance: Micros, cost: Micros): App['money']['history'] {
  const points: { at: Date; balance: Micros }[] = [{ at: NOW, balance }]
  let now = balance
  for (let back = 0; back < 60; back++) {
    const income = INCOME.get(back) ?? 0n
    if (income > 0n) {
      points.unshift({ at: days(-back - 0.1), balance: now })
      now -= income
      points.unshift({ at: days(-back - 0.1), balance: now })
    }
    now += cost
    points.unshift({ at: days(-back - 1), balance: now })
  }
  return points
}

/** Two payments, spent; then seven days of rent. */
const frozenHistory: App['money']['history'] = [
  { at: days(-60), balance: units('14.20') },
  { at: days(-41), balance: units('7.40') },
  { at: days(-41), balance: units('13.60') },
  { at: days(-7), balance: units('0.90') },
  { at: NOW, balance: units('0.69') },
]

const dailyCosts = Array.from({ length: 30 }, (_, index) => ({
  day: days(index - 29)
    .toISOString()
    .slice(0, 10),
  income: INCOME.get(29 - index) ?? 0n,
  costs: METERS.map((meter, kind) => ({
    meter,
    used: USED[kind]!,
    cost:
      meter === 'build'
        ? index % 13 === 1
          ? 340_000n
          : 0n
        : (PER_DAY[kind]! * BigInt(85 + ((index * 7 + kind * 3) % 30))) / 100n,
  })),
}))

const base = {
  asset: 'TEST',
  createdAt: days(-611),
  stateSince: days(-60),
  stopped: false,
  activity: 'awake' as const,
  commit: { hash: '4f9c1e7b3ad5520c8841f9e10c2a9d6f7be01234', subject: 'sync: keep the last edit', at: days(-3) },
  maxBurnPerHour: units('0.12'),
}

const appNamed = (n: number, name: string, owner: string, description: string) => ({
  ...base,
  id: id(n),
  slug: `${name}--${owner}`,
  name,
  owner,
  description,
  repository: `https://forge.example/${owner}/${name}`,
  root: '',
  url: `http://${name}--${owner}.localhost:8080`,
  page: `http://127.0.0.1:8080/${name}--${owner}`,
})

export const about: About = {
  commit: '4b825dc642cb6eb9a060e54bf8d69288fbee4904',
  readme: {
    name: 'README.md',
    html: '<h3>Field notes</h3><p>What was seen, where and when, by <a href="https://terns.example/" rel="nofollow ugc noopener">people who walk</a>.</p><ul><li>birds</li><li>plants</li></ul>',
    cut: false,
  },
  licence: { spdx: 'MIT', file: 'LICENSE' },
  signature: 'The commit is not signed.',
}

export const app: App = {
  ...appNamed(
    1,
    'fieldnotes',
    'marlow',
    'Shared notebooks for field biology. Works without signal, syncs when it returns.',
  ),
  state: 'funded',
  purse: units('81.92'),
  reserve: units('2.70'),
  costPerDay: COST,
  runway: { earliest: days(52), latest: days(78), estimate: false },
  admin: 'did:key:z6Mkh4LmfP1ev9MNPGr7JbEbtD6BD4fsu1duEj83PMCs3xHG',
  mayAdminister: false,
  limits: {
    cpuPercent: 100,
    memoryBytes: 536_870_912,
    diskBytes: 1_000_000_000,
    egressBytesPerHour: 250_000_000,
    requestsPerHour: 100_000,
  },
  money: {
    reserveTarget: units('2.70'),
    chargedTo: new Date('2026-11-21T08:00:00Z'),
    unposted: 36_412n,
    incomePerDay: units('1.203333'),
    payments: 7,
    payers: 31,
    history: history(units('84.62'), COST),
    offers: [
      { amount: units('5'), buysSeconds: 3 * 86_400 + 7000 },
      { amount: units('10'), buysSeconds: 7 * 86_400 },
      { amount: units('25'), buysSeconds: 18 * 86_400 },
      { amount: units('50'), buysSeconds: 36 * 86_400 },
    ],
    minimum: units('0.10'),
  },
  costs: METERS.map((meter, kind) => ({ meter, used: USED[kind]!, cost: PER_DAY[kind]! })),
  days: dailyCosts,
  deployment: null,
  releases: [14, 13, 12].map((number) => ({
    number,
    sha256: `c07d${number}aa51fc9e02b7d15e9cc0f2ab3345d8b430aa12cd90ef7781b2c3d4e5f6a1`.slice(0, 64),
    commit: ['4f9c1e7b', 'b2206aa1', '90e1d4c3'][14 - number]!,
    sizeBytes: 8_600_000 + number * 1000,
    builtAt: days(number - 17),
    removedAt: number === 12 ? days(-1) : null,
    cost: BigInt(30_000 + number * 71),
  })),
  instances: [
    {
      process: 'web.1',
      release: 14,
      activity: 'awake',
      since: days(-0.1),
      memoryBytes: 212_000_000,
      memoryLimitBytes: 536_870_912,
    },
  ],
  contributions: [...INCOME].reverse().map(([back, income], index) => ({
    id: id(900 + index),
    amount: (income * 100n) / 95n,
    name: [null, 'tern', null, 'North Shore Field Club', 'hollybush', null, 'Quayside', null, null][index] ?? null,
    at: days(-back - 0.1),
  })),
  changes: [
    { state: 'frozen', at: days(-611), sentence: 'New: nobody has paid for it yet.' },
    { state: 'funded', at: days(-611), sentence: 'A payment of 10.00 from anonymous.' },
  ],
}

export const payForm: PayForm = { id: id(77), chosen: units('10'), other: '', name: '', error: null }

export const frozenApp: App = {
  ...app,
  ...appNamed(2, 'harbor-tides', 'ketch', 'Tide tables for small harbours'),
  state: 'frozen',
  stateSince: days(-7),
  activity: 'none',
  purse: 0n,
  reserve: units('0.69'),
  costPerDay: units('0.38'),
  runway: { earliest: NOW, latest: NOW, estimate: false },
  instances: [],
  money: { ...app.money, payers: 19, history: frozenHistory, unposted: 0n },
  changes: [
    { state: 'low', at: days(-21), sentence: 'Under 14 days of money.' },
    { state: 'thrifty', at: days(-10), sentence: 'Under 3 days: builds and timed jobs are paused.' },
    { state: 'frozen', at: days(-7), sentence: 'Only the reserve for its data is left.' },
  ],
}

const row = (
  n: number,
  [name, owner, description]: readonly [string, string, string],
  state: App['state'],
  cost: string,
  [early, late]: readonly [number, number],
): AppRow => ({
  ...appNamed(n, name, owner, description),
  state,
  activity: state === 'frozen' || state === 'archived' ? 'none' : 'awake',
  stateSince: days(-n),
  purse: units(cost) * BigInt(early),
  reserve: units('1'),
  costPerDay: units(cost),
  runway: { earliest: days(early), latest: days(late), estimate: false },
  balances: Array.from({ length: 30 }, (_, index) => units(cost) * BigInt(early + ((37 - index) % (n + 6)) * 2)),
  offer: { amount: units('5'), buysSeconds: 12 * 86_400 },
})

export const apps: readonly AppRow[] = [
  row(11, ['bandstand', 'ori', 'Rehearsal planner for bands and choirs'], 'thrifty', '0.62', [1, 3]),
  row(12, ['paperclerk', 'lumen', 'Fill in, sign and merge PDF forms in the browser'], 'low', '0.88', [6, 9]),
  row(13, ['seedswap', 'orchardists', 'Swap seeds and cuttings with neighbours'], 'low', '0.21', [10, 14]),
  row(14, ['motions', 'civic-tools', 'Agendas, motions and minutes for assemblies'], 'funded', '0.34', [29, 42]),
  row(15, ['fieldnotes', 'marlow', 'Shared notebooks for field biology'], 'funded', '1.31', [52, 78]),
  row(16, ['open-roster', 'quayside', 'Shift rosters for volunteers'], 'funded', '0.47', [81, 112]),
  row(17, ['tallyroom', 'civic-tools', 'Ranked-choice polls with a public count'], 'funded', '0.09', [118, 171]),
  row(18, ['lanternboard', 'studio-nine', 'Boards, lists and calendars for small teams'], 'funded', '2.10', [214, 290]),
  row(19, ['songsheet', 'ori', 'Chord charts that transpose themselves'], 'funded', '0.05', [900, 1200]),
  row(21, ['harbor-tides', 'ketch', 'Tide tables for small harbours'], 'frozen', '0.38', [0, 0]),
  row(22, ['pennyweight', 'assay', 'Household accounts on paper-like sheets'], 'archived', '0.29', [0, 0]),
]

export const payments: readonly Payment[] = ['10', '5', '25', '2', '1', '50'].map((amount, index) => {
  const { id: of, slug, name, owner } = apps[index]!
  return {
    id: id(800 + index),
    amount: units(amount),
    name: [null, 'North Shore Choir', 'tern', null, 'Quayside Volunteers', 'hollybush'][index] ?? null,
    at: days(-index / 3 - 0.01),
    app: { id: of, slug, name, owner },
    buysSeconds: 86_400 * Number(amount),
  }
})

export const totals: Totals = {
  asset: 'TEST',
  apps: 1380,
  running: 1284,
  frozen: 96,
  costPerHour: units('61.84'),
  paidIn: units('1204866.30'),
  spent: units('846204.11'),
  toCommons: units('60243.32'),
  commons: units('12480.06'),
  allowance: units('22.50'),
  allowancePerApp: units('0.16'),
}

export const front: FrontView = { apps, payments, totals, refused: null }

export const lines: readonly LogLine[] = (
  [
    ['fetch', 'https://forge.example/marlow/fieldnotes'],
    ['fetch', 'commit 4f9c1e7 on main, 18 Nov 2026'],
    ['build', 'found package.json (node >=24), package-lock.json, Procfile (web)'],
    ['build', '$ npm ci'],
    ['build', 'warning: package "tile-index" has an install script; ran it without network'],
    ['build', 'added 318 packages, 0 downloaded, 318 from cache'],
    ['node', 'ready after 340 ms, now live'],
    ['web', 'GET /notebooks/7f/entries 200 14 ms 3.1 kB'],
    ['web', '\u001B[32msync\u001B[0m: 12 entries from 1 device, 0 conflicts'],
    ['node', '2 lines dropped: over the budget of 64 kB/s'],
  ] as const
).map(([source, text], index) => ({
  seq: BigInt(index + 1),
  at: days((index - 20) / 2000),
  source,
  level: source === 'node' ? (text.includes('dropped') ? ('warn' as const) : ('ok' as const)) : ('out' as const),
  text,
}))

export const deployment: Deployment = {
  id: id(5),
  app: { id: app.id, slug: app.slug, name: app.name, owner: app.owner },
  status: 'building',
  ref: null,
  commit: app.commit,
  release: null,
  steps: [
    {
      name: 'fetch',
      status: 'done',
      detail: '1,204 files, 8.6 MB at one commit',
      startedAt: days(-0.0006),
      endedAt: days(-0.00055),
      cost: 200n,
    },
    {
      name: 'build',
      status: 'running',
      detail: 'npm ci, then npm run build, in a sandbox without the open network',
      startedAt: days(-0.00055),
      endedAt: null,
      cost: 3600n,
    },
    {
      name: 'run',
      status: 'waiting',
      detail: 'one web process, health check on /, then its address goes live',
      startedAt: null,
      endedAt: null,
      cost: 0n,
    },
  ],
  cost: 3800n,
  ceiling: 50_000n,
  payer: 'allowance',
  problem: null,
  createdAt: days(-0.0006),
  because: null,
  endedAt: null,
}

export const estimate: Estimate = {
  url: 'https://forge.example/octo/hello',
  ref: null,
  root: '',
  forge: 'forge.example',
  owner: 'octo',
  name: 'hello',
  slug: 'hello--octo-1a2b3c4d',
  address: 'http://hello--octo-1a2b3c4d.localhost:8080',
  app: null,
  buildCeiling: 50_000n,
  maxBurnPerHour: units('0.12'),
  allowance: units('0.16'),
}
