/** Why an app that was never built does not run: a first payment builds it, its build is on the way, or it has failed. */
import { refuse, type Refusal } from '@perennial/protocol'
import type { Deployment } from '../builds/index.ts'

export function unbuilt(latest: Deployment | null): Refusal {
  if (latest?.status === 'waiting' && latest.problem !== null)
    return refuse('request-declined/payment-required', latest.problem, 'Pay any amount.')
  const sentence = latest?.problem ?? 'It is being built.'
  return refuse('server-error/cannot-complete-request', sentence, 'Its page shows how far it is.')
}
