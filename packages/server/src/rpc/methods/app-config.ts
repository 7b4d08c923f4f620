/** apps, settings: look, set, unset; and an earlier release once more. */
import { isRefusal, methods, type Refusal } from '@perennial/protocol'
import type { NewSetting } from '../../apps/index.ts'
import type { Transaction } from '../../database.ts'
import { implement, type Implementation } from '../call.ts'
import type { House } from '../house.ts'
import { findApp } from './find.ts'

const config = implement(methods.apps.config, async ({ input }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  const { settings, database } = house
  return { version: await settings.version(database, app.id), settings: await settings.list(app.id) }
})

const setConfig = implement(methods.apps.setConfig, async ({ input, caller }, house: House) => {
  const vars: Readonly<Record<string, NewSetting>> = input.vars
  return change({ app: input.app, by: caller.did }, house, (tx, app) => house.settings.set(tx, app, vars))
})

const unsetConfig = implement(methods.apps.unsetConfig, async ({ input, caller }, house: House) =>
  change({ app: input.app, by: caller.did }, house, (tx, app) => house.settings.unset(tx, app, input.names)),
)

const rollback = implement(methods.apps.rollback, async ({ input, caller }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  const number = input.release === undefined ? null : Number(input.release)
  const deployment = await house.database.transaction((tx) =>
    house.builds.rollBack(tx, app.id, { number, by: caller.did }),
  )
  return typeof deployment === 'string' ? { deployment } : deployment
})

export const appConfigMethods: readonly Implementation<House>[] = [config, setConfig, unsetConfig, rollback]

/** The settings and the deployment that brings them about are one transaction: none is set that nobody is told of. */
async function change(
  { app: name, by }: { app: string; by: string | null },
  house: House,
  make: (tx: Transaction, app: string) => Promise<number | Refusal | null>,
): Promise<{ version: number; deployment: string | null } | Refusal> {
  const found = await findApp(name, house)
  if (isRefusal(found)) return found
  return house.database.transaction(async (tx) => {
    const version = await make(tx, found.id)
    if (version === null) return { version: await house.settings.version(tx, found.id), deployment: null }
    if (typeof version !== 'number') return version
    return { version, deployment: await house.builds.reconfigured(tx, found.id, by) }
  })
}
