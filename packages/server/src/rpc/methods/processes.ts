/** processes: run a command once, look how it ended. */
import { isRefusal, methods, refuse } from '@perennial/protocol'
import type { Run } from '../../hosting/index.ts'
import { implement, type Implementation } from '../call.ts'
import type { House } from '../house.ts'
import { findApp } from './find.ts'

const LISTED = 20

const run = implement(methods.processes.run, async ({ input, caller }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  if (app.release === null)
    return refuse(
      'client-error/conflict',
      `${app.name} has no release yet, so there is nothing to run. Nothing was charged.`,
      'Deploy it first.',
    )
  const request = { app: app.id, process: null, argv: input.command, by: caller.did }
  return shown(await house.database.transaction((tx) => house.hosting.runs.request(tx, request)))
})

const get = implement(methods.processes.get, async ({ input }, house: House) => {
  const found = await house.hosting.runs.find(input.id)
  if (!found) return refuse('client-error/not-found', 'There is no such command here. Nothing was charged.')
  return shown(found)
})

const list = implement(methods.processes.list, async ({ input }, house: House) => {
  const app = await findApp(input.app, house)
  if (isRefusal(app)) return app
  return { runs: (await house.hosting.runs.list(app.id, input.limit ?? LISTED)).map(shown) }
})

function shown({ id, process, argv, askedAt, startedAt, endedAt, exitCode, sentence }: Run) {
  return { id, process, command: [...argv], askedAt, startedAt, endedAt, exitCode, sentence }
}

export const processMethods: readonly Implementation<House>[] = [run, get, list]
