/**
 * Freezes an instance in RAM without losing a request that comes at that very moment.
 *
 * New requests go to the activator first, which holds them until this is over. Then nothing may be under way: HAProxy
 * counts a request for its app before it looks the route up, so "none" means that none is left on the old route.
 * After the freeze that is read once more. Whoever calls serialises with waking, per app.
 */
import type { Router } from './router.ts'

/** An idle app is quiet at once; one that answers its last request gets a moment for it. */
const QUIET_WITHIN_MS = 500

export interface Doze {
  readonly router: Router
  readonly app: string
  readonly host: string
  readonly address: string
  readonly port: number
  readonly freeze: () => Promise<unknown>
  readonly thaw: () => Promise<unknown>
}

/** `busy`: somebody came; the app runs and is routed as before. */
export async function doze({ router, app, host, address, port, freeze, thaw }: Doze): Promise<'frozen' | 'busy'> {
  await router.park({ app, host })
  // Drained first: no connection to the app is kept, which it would find timed out when it wakes.
  if (
    (await router.drained({ app, address, port, timeoutMs: QUIET_WITHIN_MS })) &&
    (await router.inFlight(app)) === 0
  ) {
    await freeze()
    if ((await router.inFlight(app)) === 0) return 'frozen'
    await thaw()
  }
  await router.route({ app, host, address, port })
  return 'busy'
}
