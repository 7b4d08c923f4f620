/** TEST money by pressing a button: the first rail, worth nothing anywhere else and never exchanged. */
import { formatExact, refuse, type Micros } from '@perennial/protocol'
import type { Rail } from './rail.ts'

export const PUSH_BUTTON = 'push-button'
const LARGEST: Micros = 1_000_000_000n

export const pushButton: Rail = {
  name: PUSH_BUTTON,
  asset: 'TEST',
  receive: ({ amount }) =>
    Promise.resolve(
      amount <= LARGEST
        ? null
        : refuse(
            'client-error/invalid-arguments',
            `One press gives at most ${formatExact(LARGEST)} TEST; ${formatExact(amount)} was asked. Nothing was paid.`,
            'Pay less, or more than once.',
          ),
    ),
}
