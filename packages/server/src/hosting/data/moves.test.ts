import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { isRefusal } from '@perennial/protocol'
import type { App } from '../../apps/index.ts'
import type { Backup } from './queries/backups.ts'
import { keeperFiles, openDataBench, SMALL, type DataBench } from './testing.ts'
import { openWitness, type Kept, type Witness } from './testing/witness.ts'

const SCALE = Number(process.env['TEST_SCALE'] ?? 1)

/** Of the story that is told now: each has a node of its own. */
let data: DataBench

interface Story {
  readonly app: App
  readonly witness: Witness
  /** The backups that were made, with what each must bring back and what it may bring back. */
  readonly backups: { readonly backup: Backup; readonly surely: Kept; readonly perhaps: Kept }[]
  readonly name: string
  round: number
}

/** Moves during which the app is written to. */
const BUSY = {
  async redeploy({ app, name, round }: Story) {
    await data.host.again(app, name, { 'note.txt': `round ${round}` })
  },
  async rollBack({ app }: Story) {
    const { services, builds } = data.host.builder
    const id = await services.database.transaction((tx) => builds.rollBack(tx, app.id, { number: null, by: null }))
    if (typeof id === 'string') await decided(id)
    else assert.match(id.sentence, /no earlier release/)
  },
  async reconfigure({ app, round }: Story) {
    const { services, settings, builds } = data.host.builder
    const id = await services.database.transaction(async (tx) => {
      await settings.set(tx, app.id, { ROUND: { value: String(round), secret: true } })
      return builds.reconfigured(tx, app.id, null)
    })
    if (id !== null) await decided(id)
  },
  async killDatabase({ app }: Story) {
    await data.host.builder.client.stop({ id: `d-${app.id.replaceAll('-', '')}`, graceMs: 0 }).catch(missing)
  },
  async killApp({ app }: Story) {
    const { services, client } = data.host.builder
    const rows = await services.database.query<{ id: string }>(
      `select id from instance where app = $1 and state <> 'gone'`,
      [app.id],
    )
    for (const { id } of rows) await client.stop({ id, graceMs: 0 }).catch(missing)
  },
  async killDaemon() {
    await data.host.bench.sandbox.crash()
  },
  async restartNode() {
    await data.host.restart()
  },
  async freezeForMoney({ app }: Story) {
    await data.host.setState(app, 'frozen')
    await data.host.until(app, 'none', 30_000)
    await data.host.setState(app, 'funded')
  },
  async backUpWhileBusy(story: Story) {
    const surely = story.witness.now().acknowledged
    const backup = await backUp(story)
    story.backups.push({ backup, surely, perhaps: story.witness.now().asked })
  },
}

/** Moves that nobody writes during. */
const QUIET = {
  async sleep({ app }: Story) {
    await data.host.until(app, 'asleep', 30_000)
  },
  async stop({ app }: Story) {
    await data.host.halt(app)
  },
  async backUp(story: Story) {
    const kept = await story.witness.check()
    story.backups.push({ backup: await backUp(story), surely: kept, perhaps: kept })
  },
  async restore(story: Story) {
    await restore(story, async () => undefined)
  },
  async restoreThroughRestart(story: Story) {
    await restore(story, async () => {
      await sleep(Math.random() * 4000)
      await data.host.restart()
    })
  },
}

const MOVES = { ...BUSY, ...QUIET }
type Move = keyof typeof MOVES

async function backUp({ app }: Story): Promise<Backup> {
  const asked = await data.host.data.backups.ask({ app: app.id, by: null })
  assert.ok(!isRefusal(asked), isRefusal(asked) ? asked.sentence : '')
  for (;;) {
    const backup: Backup | undefined = (await data.host.data.backups.of(app.id)).find(({ id }) => id === asked.id)
    assert.ok(backup && backup.state !== 'failed', backup?.problem ?? 'it is gone')
    if (backup.state === 'kept') return backup
    await sleep(50)
  }
}

async function restore({ app, witness, backups }: Story, meanwhile: () => Promise<void>): Promise<void> {
  const there = await data.host.data.backups.of(app.id)
  const one = backups.findLast(({ backup }) => there.some(({ id, state }) => id === backup.id && state === 'kept'))
  if (!one) return
  await witness.check()
  const asked = await data.host.data.restores.ask({ app: app.id, backup: one.backup.id, by: null })
  assert.ok(!isRefusal(asked), isRefusal(asked) ? asked.sentence : '')
  await meanwhile()
  for (;;) {
    const now = (await data.host.data.restores.of(app.id)).find(({ id }) => id === asked.id)
    assert.notEqual(now?.state, 'failed', now?.problem ?? '')
    if (now?.state === 'done') break
    await sleep(100)
  }
  // What was written while a backup was made is in it, or is not.
  witness.begin(one.surely)
  witness.allow(one.perhaps)
  await witness.check()
}

async function decided(id: string): Promise<void> {
  for (;;) {
    const now = await data.host.builder.builds.deployment(id)
    if (now && now.status !== 'starting') return assert.notEqual(now.status, 'failed', now.problem ?? '')
    await sleep(50)
  }
}

/** Its sandbox is not there just now. */
function missing(error: Error): void {
  if (!/no sandbox|there is no/.test(error.message)) throw error
}

test('no acknowledged write is lost, whatever happens to an app', { timeout: 600_000 * SCALE }, async (t) => {
  const move = fc.constantFrom(...(Object.keys(MOVES) as Move[]))
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 10, maxLength: 10 }), async (random) => {
      // With something to restore from.
      const moves: Move[] = ['backUpWhileBusy', ...random]
      await using opened = await openDataBench({
        PERENNIAL_IDLE_SECONDS: '1',
        PERENNIAL_APP_MEMORY_MIB: '128',
        PERENNIAL_APP_DATABASE_MIB: '128',
      })
      data = opened
      const name = 'octo/story'
      const app = await data.host.run(name, await keeperFiles({ volumes: [SMALL], database: 'postgres' }))
      const story: Story = { app, name, witness: await openWitness(data, app), backups: [], round: 0 }
      for (const one of moves) {
        story.round++
        if (one in BUSY) story.witness.resume()
        else await story.witness.pause()
        await MOVES[one](story)
        await sleep(Math.random() * 300)
        await story.witness.pause()
        await story.witness.check()
      }
      t.diagnostic(`${story.witness.acknowledged} writes through ${moves.join(', ')}`)
    }),
    { numRuns: SCALE, endOnFailure: true },
  )
})
