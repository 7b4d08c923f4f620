/**
 * The way of every call, whoever makes it (DESIGN §2). This list is the order; each station is a file of its own.
 *
 *   receive → who → may → recall → quote → hold → do → meter → charge → receipt → record
 *
 * The first refusal ends the way to the handler. What follows the handler happens all the same: what was held is
 * posted or free again, and what was done is written down. Signing the answer is the last step (answer.ts).
 */
import { newId, refuse } from '@perennial/protocol'
import type { Bound, Caller } from './call.ts'
import type { Passage, Station, StationHouse, Wire } from './passage.ts'
import { charge } from './stations/charge.ts'
import { doIt } from './stations/do.ts'
import { hold } from './stations/hold.ts'
import { may } from './stations/may.ts'
import { meter } from './stations/meter.ts'
import { quote } from './stations/quote.ts'
import { recall } from './stations/recall.ts'
import { receipt } from './stations/receipt.ts'
import { receive } from './stations/receive.ts'
import { record } from './stations/record.ts'
import { who } from './stations/who.ts'

export const TO_THE_HANDLER: readonly Station[] = [receive, who, may, recall, quote, hold, doIt]
export const AFTER_IT: readonly Station[] = [meter, charge, receipt, record]

export interface Arrival {
  readonly implementation: Bound
  readonly sent: unknown
  readonly caller: Caller
  readonly wire: Wire | null
}

export async function pass(arrival: Arrival, house: StationHouse): Promise<Passage> {
  const at = house.clock.now()
  const passage: Passage = {
    ...arrival,
    method: arrival.implementation.method,
    id: newId({ nowMs: at.getTime() }),
    at,
    input: undefined,
    digest: new Uint8Array(),
    quote: 0n,
    hold: null,
    usage: new Map(),
    output: undefined,
    charge: 0n,
    refusal: null,
    key: null,
    repeated: false,
    receipt: null,
  }
  try {
    for (const station of TO_THE_HANDLER) {
      passage.refusal = await station(passage, house)
      if (passage.refusal !== null) break
    }
    for (const station of AFTER_IT) await station(passage, house)
  } catch (error) {
    // A station failed: the ledger or the database is away. What was held gives itself back when it expires.
    house.diagnostics.error(`call ${passage.id} could not be finished`, { method: passage.method.name, error })
    passage.refusal = refuse(
      'server-error/cannot-complete-request',
      'The node could not finish this call. What was held for it is free again within an hour.',
      `Ask again, with the same id; if it stays, tell the operator ${passage.id}.`,
    )
  }
  return passage
}
