/** Holds an app's processes still, or away, while something is done to its data; always in the app's turn. */
import { SandboxRefused, type SandboxClient } from '@perennial/sandbox/client'
import type { Database } from '../database.ts'
import type { Stage } from './data/index.ts'
import type { Keeper } from './keeper.ts'
import { everyLive } from './queries.ts'

export interface StageDeps {
  readonly database: Database
  readonly sandbox: SandboxClient
  readonly inTurn: <T>(app: string, act: (keeper: Keeper) => Promise<T>) => Promise<T>
}

export function openStage({ database, sandbox, inTurn }: StageDeps): Stage {
  async function running(app: string): Promise<string[]> {
    const ids = new Set((await everyLive(database, app)).map(({ id }) => id))
    return (await sandbox.list()).filter(({ id, state }) => ids.has(id) && state === 'running').map(({ id }) => id)
  }

  return {
    still: (app, work) =>
      inTurn(app, async () => {
        const ids = await running(app)
        try {
          await Promise.all(ids.map((id) => sandbox.freeze({ id }).catch(onlyRefused)))
          return await work()
        } finally {
          await Promise.all(ids.map((id) => sandbox.thaw({ id }).catch(onlyRefused)))
        }
      }),
    cleared: (app, reason, work) =>
      inTurn(app, async (keeper) => {
        await keeper.close(reason)
        try {
          return await work()
        } finally {
          await keeper.keep()
        }
      }),
  }
}

/** It ended meanwhile, which whoever looks after it notices. */
function onlyRefused(error: unknown): void {
  if (!(error instanceof SandboxRefused)) throw error
}
