/**
 * A rail is a way for money to come in. It says whether a payment is really there; what happens then is the same for
 * all: the ledger's account `rail/<name>` goes down by what the app, its reserve and the commons go up.
 */
import type { Micros, Refusal } from '@perennial/protocol'

export interface Rail {
  /** Its account is `rail/<name>`. */
  readonly name: string
  /** The money it brings. Each app has one asset; another one is refused, never converted. */
  readonly asset: string
  /** Null: the money is there. Asked again with the same id, it answers the same and takes nothing twice. */
  receive(payment: { id: string; amount: Micros; asset: string }): Promise<Refusal | null>
}
