import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openLedger } from '@perennial/ledger'
import {
  allMethods,
  DEFAULT_PRICE_BOOK,
  isRefusal,
  keyFromSeed,
  methods,
  newId,
  newSeed,
  pathOf,
  refuse,
  type OutputOf,
  type Refusal,
} from '@perennial/protocol'
import { appLimits, openApps, openConfig, openLogs } from '../apps/index.ts'
import { openBuilds } from '../builds/index.ts'
import { FakeClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { openDiagnostics, Secret } from '../diagnostics.ts'
import { openEvents } from '../events.ts'
import { openFunding } from '../funding/index.ts'
import { openIdentity } from '../identity/index.ts'
import { openJobs } from '../jobs.ts'
import { accountOf, openAccounts, openMetering } from '../metering/index.ts'
import type { Services } from '../services.ts'
import { serverDatabase } from '../testing.ts'
import { openWeb } from '../web/index.ts'
import { handlers, openDownloads, openRpc, type Caller, type House, type Rpc } from './index.ts'

const ORIGIN = 'http://127.0.0.1:8080'
const URL_OF_HELLO = 'https://forge.example/octo/hello'

interface TestNode {
  readonly rpc: Rpc
  readonly house: House
  readonly clock: FakeClock
  readonly ana: Caller
  readonly bob: Caller
}

/** A node as far as it goes without a sandbox: its jobs are not started, so nothing is built and nothing runs. */
async function withNode(work: (node: TestNode) => Promise<void>): Promise<void> {
  await using served = await serverDatabase()
  const clock = new FakeClock(new Date('2026-11-21T08:00:00Z'))
  await using ledger = await openLedger({ url: served.url, now: () => clock.now().getTime() })
  const { database } = served
  const diagnostics = openDiagnostics({ level: 'error' })
  const jobs = openJobs({ database, clock, diagnostics, owner: 'test' })
  const config = readConfig({ PERENNIAL_DEFAULT_FORGE: 'forge.example' })
  const services: Services = { config, database, clock, diagnostics, jobs, events: openEvents({ jobs, clock }) }
  const accounts = openAccounts(ledger)
  const identity = openIdentity(services, { node: await keyFromSeed(newSeed()), session: new Secret(newSeed()) })
  const apps = openApps(services)
  const logs = openLogs(services)
  const priceBook = DEFAULT_PRICE_BOOK
  const metering = await openMetering(services, {
    ledger,
    accounts,
    apps,
    priceBook,
    limits: appLimits(config),
    provider: identity.node.did,
    sources: { read: async () => [], requests: async () => [], exhausted: async () => undefined },
  })
  const funding = await openFunding(services, { ledger, accounts, apps, metering, priceBook })
  const builds = openBuilds(services, {
    // Only jobs reach for these.
    sandbox: undefined as never,
    outbound: undefined as never,
    apps,
    logs,
    meter: metering,
    payerOf: (app, ceiling) => funding.payerOf(app, 'build', ceiling),
    inUse: async () => [],
    priceBook,
    builder: identity.node.did,
    record: async () => undefined,
  })
  const idle = {
    runs: {
      request: () => Promise.reject(new Error('nothing runs here')),
      find: async () => null,
      list: async () => [],
    },
    instances: async () => [],
    activities: async () => new Map(),
    stop: async () => undefined,
    start: async () => undefined,
  }
  const nothing = refuse('client-error/conflict', 'Nothing is kept here.')
  const unrotated = () => Promise.reject(new Error('no key of a test is replaced'))
  const house: House = {
    ...services,
    identity,
    ledger,
    accounts,
    priceBook,
    ledgerId: 'test-ledger',
    origins: [ORIGIN],
    boot: newId(),
    apps,
    logs,
    metering,
    funding,
    builds,
    hosting: idle,
    settings: openConfig(services, { key: { keys: [new Secret(newSeed())], begin: unrotated, finish: unrotated } }),
    data: {
      backups: { ask: async () => nothing, of: async () => [], file: async () => null },
      restores: { ask: async () => nothing, of: async () => [] },
    },
    downloads: openDownloads(services),
    isolation: 'shared-kernel',
  }
  await funding.fillAllowance()
  const rpc = openRpc(house, handlers)
  const caller = async (): Promise<Caller> => ({
    did: (await keyFromSeed(newSeed())).did,
    via: 'session',
    address: '127.0.0.1',
  })
  try {
    await work({ rpc, house, clock, ana: await caller(), bob: await caller() })
  } finally {
    await logs.close()
    await funding.close()
    await metering.close()
  }
}

function ok<T>(answer: T | Refusal): T {
  assert.ok(!isRefusal(answer), isRefusal(answer) ? `${answer.refusal}: ${answer.sentence}` : '')
  return answer
}

const deploy = async ({ rpc, ana }: TestNode) => ok(await rpc.call(methods.apps.deploy, { url: URL_OF_HELLO }, ana))
const get = async ({ rpc }: TestNode, caller: Caller) =>
  ok(await rpc.call(methods.apps.get, { app: 'hello--octo' }, caller))

async function totalsOf({ rpc, ana }: TestNode): Promise<OutputOf<typeof methods.node.totals>> {
  return ok(await rpc.call(methods.node.totals, {}, ana))
}

test('every method that is declared has a handler, and its example is taken', () =>
  withNode(async ({ rpc }) => {
    const named = new Set(handlers.map(({ method }) => pathOf(method)))
    assert.deepEqual(
      allMethods.map(pathOf).filter((path) => !named.has(path)),
      [],
    )
    for (const declared of allMethods) {
      const url = new URL(`${ORIGIN}${pathOf(declared)}`)
      const body = JSON.stringify(declared.example)
      const request = new Request(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
      const answer = await rpc.handle({ request, url, address: '127.0.0.1' })
      const said = answer!.headers.get('oc-status')!
      assert.ok(
        !said.startsWith('server-error') && said !== 'client-error/invalid-arguments',
        `${url.pathname}: ${said}`,
      )
    }
  }))

test('a repository becomes an app that waits to be built, with its page, its books and its admin', () =>
  withNode(async (node) => {
    const { app, deployment } = await deploy(node)
    assert.deepEqual(
      [app.slug, app.name, app.owner, app.url, app.page],
      ['hello--octo', 'hello', 'octo', 'http://hello--octo.localhost:8080', `${ORIGIN}/hello--octo`],
    )
    assert.deepEqual([deployment.status, deployment.app.id], ['waiting', app.id])
    const page = await get(node, node.ana)
    assert.deepEqual([page.admin, page.mayAdminister, page.activity], [node.ana.did, true, 'none'])
    assert.equal((await get(node, node.bob)).mayAdminister, false)
    assert.equal((await deploy(node)).deployment.id, deployment.id, 'one build at a time')
  }))

test('anyone may have the newest commit built; which branch runs is the admin’s to say', () =>
  withNode(async (node) => {
    await deploy(node)
    ok(await node.rpc.call(methods.apps.deploy, { url: URL_OF_HELLO }, node.bob))
    const no = await node.rpc.call(methods.apps.deploy, { url: URL_OF_HELLO, ref: 'evil' }, node.bob)
    assert.ok(isRefusal(no) && no.refusal === 'access-denied')
    ok(await node.rpc.call(methods.apps.deploy, { url: URL_OF_HELLO, ref: 'main' }, node.ana))
  }))

test('a folder of a repository is an app of its own, and a branch that its admin chose is followed', () =>
  withNode(async (node) => {
    const top = await deploy(node)
    const page = `${URL_OF_HELLO}/tree/dev/packages/web`
    const web = ok(await node.rpc.call(methods.apps.deploy, { url: page }, node.ana))
    assert.notEqual(web.app.id, top.app.id)
    assert.match(web.app.slug, /^hello--octo--[a-z2-7]{10}$/)
    assert.deepEqual([web.app.root, web.deployment.ref], ['packages/web', 'dev'])
    const again = await node.rpc.call(methods.apps.deploy, { url: URL_OF_HELLO, root: 'packages/web' }, node.bob)
    assert.deepEqual([ok(again).app.id, ok(again).deployment.ref], [web.app.id, 'dev'])
    ok(await node.rpc.call(methods.apps.deploy, { url: page, ref: 'dev' }, node.ana))
    const contradiction = await node.rpc.call(methods.apps.deploy, { url: page, root: 'packages/api' }, node.ana)
    assert.ok(isRefusal(contradiction) && /folder packages\/web/.test(contradiction.sentence))
    ok(await node.rpc.call(methods.apps.deploy, { url: URL_OF_HELLO, root: 'packages/web', ref: 'HEAD' }, node.ana))
    assert.equal((await node.house.apps.find(web.app.id))?.ref, null)
    const estimate = ok(await node.rpc.call(methods.apps.quote, { url: page }, node.bob))
    assert.deepEqual([estimate.ref, estimate.root, estimate.app?.id], ['dev', 'packages/web', web.app.id])
  }))

test('an estimate makes nothing', () =>
  withNode(async (node) => {
    const estimate = ok(await node.rpc.call(methods.apps.quote, { url: URL_OF_HELLO }, node.bob))
    assert.deepEqual([estimate.slug, estimate.app], ['hello--octo', null])
    assert.ok(estimate.buildCeiling > 0n && estimate.maxBurnPerHour > 0n && estimate.allowance > 0n)
    assert.deepEqual(await node.house.apps.list(), [])
    const no = await node.rpc.call(methods.apps.quote, { url: 'file:///etc/passwd' }, node.bob)
    assert.ok(isRefusal(no) && /public|https/.test(`${no.sentence} ${no.nextStep}`))
  }))

test('a stranger’s payment is on the books, on the app’s page and on the front page, to the micro', () =>
  withNode(async (node) => {
    const { app } = await deploy(node)
    const id = newId()
    const pay = () =>
      node.rpc.call(methods.funding.contribute, { id, app: app.slug, amount: 10_000_000n, name: 'tern' }, node.bob)
    const paid = ok(await pay())
    assert.deepEqual(
      [paid.parts.commons, paid.parts.commons + paid.parts.reserve + paid.parts.purse],
      [500_000n, 10_000_000n],
    )
    assert.equal(ok(await pay()).seq, paid.seq, 'sent twice, made once')
    const page = await get(node, node.ana)
    assert.deepEqual([page.purse, page.reserve, page.money.payers], [paid.parts.purse, paid.parts.reserve, 1])
    assert.deepEqual(
      page.contributions.map(({ amount, name }) => [amount, name]),
      [[10_000_000n, 'tern']],
    )
    assert.equal(page.money.history.at(-1)!.balance, page.purse + page.reserve)
    assert.ok(page.money.offers.length === 4 && page.runway.estimate)
    const { payments } = ok(await node.rpc.call(methods.funding.recent, {}, node.ana))
    assert.deepEqual(
      payments.map(({ app: { slug }, amount }) => [slug, amount]),
      [['hello--octo', 10_000_000n]],
    )
    const { account, rows } = ok(
      await node.rpc.call(methods.ledger.statement, { account: accountOf.purse(app.id) }, node.bob),
    )
    assert.deepEqual(
      [account.balance, rows.length, rows[0]!.code, rows[0]!.debit],
      [paid.parts.purse, 1, 'contribution-purse', 'rail/push-button'],
    )
    const { apps } = ok(await node.rpc.call(methods.apps.list, {}, node.ana))
    assert.deepEqual(
      apps.map(({ slug, purse, balances }) => [slug, purse, balances.length]),
      [['hello--octo', paid.parts.purse, 30]],
    )
  }))

test('all the money of a node adds up: what came in is spent, kept or held for apps', () =>
  withNode(async (node) => {
    const before = await totalsOf(node)
    assert.equal(before.paidIn - before.spent - before.commons - before.allowance, 0n)
    const { app } = await deploy(node)
    for (const amount of [10_000_000n, 333_333n, 100_001n])
      ok(await node.rpc.call(methods.funding.contribute, { id: newId(), app: app.id, amount }, node.bob))
    const after = await totalsOf(node)
    const page = await get(node, node.ana)
    assert.equal(after.paidIn - after.spent - after.commons - after.allowance, page.purse + page.reserve)
  }))

test('a caller’s own account is theirs to read and nobody else’s, and books without it stay readable', () =>
  withNode(async (node) => {
    const { house, rpc, ana, bob } = node
    const own = `caller/${ana.did}`
    const [debit, credit] = [await house.accounts.id(accountOf.rail('push-button')), await house.accounts.id(own)]
    await house.ledger.post([{ id: newId(), debit, credit, amount: 5n, code: 50 }])
    assert.equal(ok(await rpc.call(methods.ledger.account, { account: own }, ana)).balance, 5n)
    for (const method of [methods.ledger.account, methods.ledger.statement]) {
      const no = await rpc.call(method, { account: own }, bob)
      assert.ok(isRefusal(no) && no.refusal === 'access-denied')
    }
    const { rows } = ok(await rpc.call(methods.ledger.statement, { account: 'rail/push-button' }, bob))
    assert.deepEqual(rows[0]!.credit, 'members')
  }))

test('a statement is read in pages, either way, without a gap', () =>
  withNode(async (node) => {
    const { app } = await deploy(node)
    for (let n = 0; n < 7; n++)
      ok(await node.rpc.call(methods.funding.contribute, { id: newId(), app: app.id, amount: 1_000_000n }, node.bob))
    const read = async (way: 'after' | 'before') => {
      const seqs: bigint[] = []
      let next: bigint | null = way === 'after' ? 0n : 10n ** 12n
      while (next !== null) {
        const page: OutputOf<typeof methods.ledger.statement> = ok(
          await node.rpc.call(methods.ledger.statement, { account: 'commons', limit: 3, [way]: next }, node.bob),
        )
        seqs.push(...page.rows.map(({ seq }) => seq))
        next = page.next
      }
      return seqs
    }
    const forwards = await read('after')
    assert.equal(forwards.length, 7)
    assert.deepEqual(await read('before'), forwards.toReversed())
  }))

test('an app is stopped by its admin, and says so', () =>
  withNode(async (node) => {
    const { app } = await deploy(node)
    const no = await node.rpc.call(methods.apps.stop, { app: app.slug }, node.bob)
    assert.ok(isRefusal(no) && no.refusal === 'access-denied')
    const stopped = ok(await node.rpc.call(methods.apps.stop, { app: app.slug }, node.ana))
    assert.deepEqual([stopped.stopped, stopped.activity], [true, 'stopped'])
    const run = await node.rpc.call(methods.apps.run, { app: app.slug }, node.ana)
    assert.ok(isRefusal(run) && run.refusal === 'client-error/conflict', 'there is nothing to run yet')
  }))

test('what is not there is said to be not there', () =>
  withNode(async ({ rpc, ana }) => {
    const missing = [
      await rpc.call(methods.apps.get, { app: 'no--body' }, ana),
      await rpc.call(methods.apps.deployment, { id: newId() }, ana),
      await rpc.call(methods.funding.quote, { app: 'no--body', amount: 1n }, ana),
      await rpc.call(methods.ledger.account, { account: 'app/x/purse' }, ana),
    ]
    for (const answer of missing) assert.ok(isRefusal(answer) && answer.refusal === 'client-error/not-found')
  }))

test('log lines are read on from where one was', () =>
  withNode(async (node) => {
    const { app } = await deploy(node)
    await node.house.logs.append(app.id, 'web', ['one', 'two', 'three'])
    const first = ok(await node.rpc.call(methods.apps.logs, { app: app.slug, limit: 2 }, node.bob))
    assert.deepEqual(
      first.lines.map(({ text }) => text),
      ['two', 'three'],
    )
    await node.house.logs.append(app.id, 'web', ['four'])
    const more = ok(await node.rpc.call(methods.apps.logs, { app: app.slug, after: first.next }, node.bob))
    assert.deepEqual(
      more.lines.map(({ text }) => text),
      ['four'],
    )
    assert.equal(
      ok(await node.rpc.call(methods.apps.logs, { app: app.slug, after: more.next }, node.bob)).next,
      more.next,
    )
  }))

test('pages are made of what real methods answer', () =>
  withNode(async (node) => {
    const { app, deployment } = await deploy(node)
    await opened(
      await openWeb(node.house, { rpc: node.rpc, identity: node.house.identity, origins: [ORIGIN] }),
      async (web) => {
        const get = (path: string) => {
          const url = new URL(path, ORIGIN)
          return web.answer({ request: new Request(url), url, address: '127.0.0.1' })
        }
        for (const path of [
          '/',
          '/prices',
          '/ledger',
          '/ledger/commons',
          '/hello--octo',
          '/forge.example/octo/hello',
          `/deployments/${deployment.id}`,
          `/ledger/${accountOf.purse(app.id)}`,
        ]) {
          const page = await get(path)
          assert.equal(page.status, path === '/ledger/commons' ? 404 : 200, `${path}: ${page.status}`)
        }
        ok(
          await node.rpc.call(
            methods.funding.contribute,
            { id: newId(), app: app.slug, amount: 10_000_000n },
            node.bob,
          ),
        )
        for (const path of [
          '/',
          '/ledger',
          '/ledger/commons',
          '/hello--octo',
          '/hello--octo/badge.svg',
          '/ledger/commons.csv',
        ])
          assert.equal((await get(path)).status, 200, path)
        const frozen = await web.resting('unpaid', { host: 'hello--octo.localhost', app: app.id })
        assert.match(frozen.body, /hello waits for its first payment/)
      },
    )
  }))

async function opened<T extends { close(): Promise<void> }>(it: T, work: (it: T) => Promise<void>): Promise<void> {
  try {
    await work(it)
  } finally {
    await it.close()
  }
}
