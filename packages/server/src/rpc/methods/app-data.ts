/** apps, data: backups, restoring, downloads. */
import { isRefusal, methods, refuse } from '@perennial/protocol'
import type { Backup, Restore } from '../../hosting/index.ts'
import { implement, type Implementation } from '../call.ts'
import type { House } from '../house.ts'
import { findApp } from './find.ts'

const backup = implement(methods.apps.backup, async ({ input, caller }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  const asked = await house.data.backups.ask({ app: app.id, by: caller.did })
  return isRefusal(asked) ? asked : shownBackup(asked)
})

const backups = implement(methods.apps.backups, async ({ input }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  const [kept, restored] = await Promise.all([house.data.backups.of(app.id), house.data.restores.of(app.id)])
  return { backups: kept.map(shownBackup), restores: restored.map(shownRestore) }
})

const restore = implement(methods.apps.restore, async ({ input, caller }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  const asked = await house.data.restores.ask({ app: app.id, backup: input.backup, by: caller.did })
  return isRefusal(asked) ? asked : shownRestore(asked)
})

const download = implement(methods.apps.download, async ({ input, at }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  const of = (await house.data.backups.of(app.id)).find(({ id }) => id === input.backup)
  const file = of && (await house.data.backups.file(of.id, input.part))
  if (!file)
    return refuse(
      'client-error/not-found',
      `The app has no such backup, or none of its ${input.part}.`,
      'apps.backups lists what there is.',
    )
  const { sizeBytes, sha256, path: source } = file
  const day = (of.takenAt ?? at).toISOString().slice(0, 16).replaceAll(':', '')
  const name = `${app.slug}-${day}-${input.part}.${input.part === 'files' ? 'tar.gz' : 'sql.gz'}`
  const { path, until } = house.downloads.offer({ source, name, sizeBytes, sha256 })
  return { path, name, sizeBytes, sha256, until }
})

export const appDataMethods: readonly Implementation<House>[] = [backup, backups, restore, download]

function shownBackup({ id, kind, state, askedAt, takenAt, endedAt, problem, files }: Backup) {
  const shown = state === 'leaving' ? 'failed' : state
  const parts = files.map(({ part, sizeBytes, sha256 }) => ({ part, sizeBytes, sha256 }))
  return { id, kind, state: shown, askedAt, takenAt, endedAt, problem, files: parts } as const
}

function shownRestore({ id, backup: of, state, askedAt, endedAt, problem }: Restore) {
  return { id, backup: of, state, askedAt, endedAt, problem }
}
