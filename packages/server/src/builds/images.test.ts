import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import test from 'node:test'
import type { App } from '../apps/index.ts'
import { openDatabase } from '../database.ts'
import { sandboxClient } from '@perennial/sandbox/client'
import { live } from './testing/life.ts'
import { openBuildBench, openBuilder, type BuildBench, type Builder } from './testing.ts'

const page = (text: string) => ({ 'index.html': text })

test('an app keeps the release that it runs and its newest three, on disk and in its rent', async () => {
  await using bench = await openBuildBench()
  const app = await bench.app('octo/many', page('1'))
  const images = await deployAll(bench, app, 5)
  const twin = await bench.app('octo/twin', page('2'))
  assert.equal((await bench.deploy(twin)).release, images[1], 'two apps share one image')
  await tidied(bench)
  assert.deepEqual(await kept(bench, app), [true, false, true, true, true])
  assert.ok(existsSync(bench.client.releasePath(images[1]!)), 'the other app keeps it')
  await assertPaid(bench, app)

  // One that only this app had goes from the disk; built again, it is there again and is paid for.
  const sixth = await deploy(bench, app, page('6'))
  await tidied(bench)
  assert.deepEqual(await kept(bench, app), [true, false, false, true, true, true])
  assert.ok(!existsSync(bench.client.releasePath(images[2]!)))
  await assertPaid(bench, app)
  assert.equal(await deploy(bench, app, page('3')), images[2])
  await tidied(bench)
  assert.deepEqual(await kept(bench, app), [true, false, true, false, true, true, true])
  assert.ok(existsSync(bench.client.releasePath(images[2]!)) && existsSync(bench.client.releasePath(sixth)))
  await assertPaid(bench, app)
})

test('what runs or is not decided keeps its image, and what nobody made goes', async () => {
  await using bench = await openBuildBench()
  const { client, services } = bench
  const app = await bench.app('octo/busy', page('1'))
  // Undecided: hosting has not said of the first two whether they start.
  const undecided = [
    await bench.deploy(app),
    await (await bench.remote.commit('octo/busy', page('2'), '2'), bench.deploy(app)),
  ]
  const live = await deploy(bench, app, page('3'))
  await services.database.query(
    `insert into instance (id, app, release, payer, state, started_at, since) values ('i-old', $1, $2, 'x', 'awake', now(), now())`,
    [app.id, live],
  )
  for (const text of ['4', '5', '6', '7']) await deploy(bench, app, page(text))
  await client.scratch({ id: 'nobody', sizeBytes: 16 * 2 ** 20 })
  const { sha256 } = await client.pack({ scratch: 'nobody' })
  await client.removeScratch({ id: 'nobody' })
  await tidied(bench)
  assert.deepEqual(await kept(bench, app), [true, true, true, false, true, true, true])
  for (const { release } of undecided) assert.ok(existsSync(client.releasePath(release ?? '')))
  assert.ok(existsSync(client.releasePath(live)))
  assert.ok(!existsSync(client.releasePath(sha256)), 'a killed build had left it')
  await assertPaid(bench, app)
})

test('a node that is killed while it removes images never removes one in use, nor charges for one that is gone', async () => {
  await using bench = await openBuildBench()
  const app = await bench.app('octo/killed', page('1'))
  const images = await deployAll(bench, app, 6)
  await bench.close()
  for (const point of ['images-marked', 'images-uncharged', 'image-removed']) {
    await live({ place: bench.place, point })
    const { onDisk, paidBytes } = await look(bench, app)
    for (const at of [0, 3, 4, 5]) assert.ok(onDisk.has(images[at]!), `${point}: ${at}`)
    const bytes = [...onDisk.values()].reduce((sum, size) => sum + size, 0)
    assert.ok(paidBytes <= bytes, `${point}: ${paidBytes} bytes are paid for, ${bytes} are there`)
  }
  const node = await openBuilder(bench.place)
  await node.services.jobs.idle()
  assert.deepEqual(await kept(node, app), [true, false, false, true, true, true])
  await assertPaid(node, app)
  assert.equal((await node.client.releases()).length, 4)
  await node.close()
})

test('the next look is a day later', async () => {
  await using bench = await openBuildBench()
  await bench.services.jobs.idle()
  const next = await bench.services.database.query(
    `select from job where kind = 'release-images' and run_at between now() + interval '23 hours' and now() + interval '25 hours'`,
  )
  assert.equal(next.length, 1)
})

/** Pages 1 to `count`; the first one runs, the others did not start. */
async function deployAll(bench: BuildBench, app: App, count: number): Promise<string[]> {
  const first = await bench.deploy(app)
  await bench.services.database.transaction((tx) => bench.builds.running(tx, first.id, 'it answers'))
  const images = [first.release ?? '']
  for (let number = 2; number <= count; number++) images.push(await deploy(bench, app, page(String(number))))
  return images
}

/** Builds the files as the app's next release, which does not start; answers its image. */
async function deploy(bench: BuildBench, app: App, files: Record<string, string>): Promise<string> {
  await bench.remote.commit(`${app.owner}/${app.name}`, files, 'next')
  const done = await bench.deploy(app)
  await bench.services.database.transaction((tx) =>
    bench.builds.startFailed(tx, done.id, { sentence: 'It did not answer.', nextStep: null }),
  )
  return done.release ?? ''
}

async function tidied({ services: { jobs, database } }: Builder): Promise<void> {
  await jobs.enqueue(database, 'release-images', {}, { key: 'release-images' })
  await jobs.idle()
}

/** Of each release, oldest first. */
async function kept({ builds }: Builder, app: App): Promise<boolean[]> {
  return (await builds.releases(app.id)).toReversed().map(({ removedAt }) => removedAt === null)
}

/** What is kept is on disk, and its sizes are what rent is charged for. */
async function assertPaid({ builds, client, metering }: Builder, app: App): Promise<void> {
  const images = new Map(
    (await builds.releases(app.id))
      .filter(({ removedAt }) => removedAt === null)
      .map((one) => [one.sha256, one.sizeBytes]),
  )
  for (const sha256 of images.keys()) assert.ok(existsSync(client.releasePath(sha256)), sha256)
  const bytes = [...images.values()].reduce((sum, size) => sum + size, 0)
  assert.equal((await metering.kept([app.id])).get(app.id), BigInt(bytes))
}

/** What is on disk and what is paid for, with no node that changes either. */
async function look({ place }: BuildBench, { id }: App): Promise<{ onDisk: Map<string, number>; paidBytes: number }> {
  const client = sandboxClient({ socket: place.socket })
  const database = await openDatabase({ url: place.databaseUrl })
  const onDisk = new Map((await client.releases()).map(({ sha256, sizeBytes }) => [sha256, sizeBytes]))
  const [rent] = await database.query<{ bytes: bigint }>('select size_bytes as bytes from rent where app = $1', [id])
  client.close()
  await database.close()
  return { onDisk, paidBytes: Number(rent?.bytes) }
}
