/** The app that an input names, or the refusal that says there is none. */
import { refuse, type Refusal } from '@perennial/protocol'
import type { App } from '../../apps/index.ts'
import type { House } from '../house.ts'

export async function findApp(slugOrId: string, { apps }: Pick<House, 'apps'>): Promise<App | Refusal> {
  return (
    (await apps.find(slugOrId)) ??
    refuse(
      'client-error/not-found',
      `There is no app ${slugOrId} here. Nothing was charged.`,
      'Look for it on the front page, or run it from its repository.',
    )
  )
}

/** Milliseconds that an amount buys, as whole seconds; null: more than anyone plans for. */
export function seconds(buysMs: number | null): number | null {
  return buysMs === null ? null : Math.floor(buysMs / 1000)
}
