/** Why an app does not run: its admin stopped it, nobody pays for it, or it was never built. */
import { refuse, type Refusal } from '@perennial/protocol'
import type { App } from '../apps/index.ts'
import type { Deployment } from '../builds/index.ts'

export function whyNot(app: Pick<App, 'stopped' | 'release'>, latest: Deployment | null): Refusal {
  if (app.stopped) return refuse('access-denied', 'Its admin stopped this app.', 'Its page says what it costs to run.')
  if (app.release === null) return unbuilt(latest)
  return refuse('request-declined/payment-required', 'The app is frozen: nobody pays for it now.', 'Pay any amount.')
}

/** A first payment builds it, its build is on the way, or it has failed. */
function unbuilt(latest: Deployment | null): Refusal {
  if (latest?.status === 'waiting' && latest.problem !== null)
    return refuse('request-declined/payment-required', latest.problem, 'Pay any amount.')
  const sentence = latest?.problem ?? 'It is being built.'
  return refuse('server-error/cannot-complete-request', sentence, 'Its page shows how far it is.')
}
