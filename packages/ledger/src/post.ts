/** Posts events: checks their shape, queues them, and sends each batch to the database's `post` in one round trip. */
import { int2Array, int8Array, uuidArray } from './binary.ts'
import { BadEvent, checkEvent, flagsOf, STATUSES, type Event, type Result } from './event.ts'
import { BATCH_LIMIT, type Queue } from './queue.ts'
import type { Writer } from './writer.ts'

const POST = {
  name: 'post',
  text: 'select statuses, seqs, moved from ledger.post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
}

/** Answers in the order asked, after commit. One event, or several: they are posted in their order, linked ones as one. */
export async function post(queue: Queue<Event, Result>, events: Event | readonly Event[]): Promise<Result[]> {
  const list = Array.isArray(events) ? (events as readonly Event[]) : [events as Event]
  list.forEach(checkEvent)
  if (list.at(-1)?.linked) throw new BadEvent(`event ${list.at(-1)?.id} is linked to a next one, but it is the last`)
  const answers = await Promise.all(pieces(list).map((piece) => queue.push(piece)))
  return answers.flat()
}

export async function sendBatch(writer: Writer, events: readonly Event[], nowMs: number): Promise<Result[]> {
  const { statuses, seqs, moved } = await writer.ask<{
    statuses: number[]
    seqs: (bigint | undefined)[]
    moved: (bigint | undefined)[]
  }>({
    ...POST,
    values: [
      writer.epoch,
      uuidArray(events.map((event) => event.id)),
      int8Array(events.map((event) => event.debit)),
      int8Array(events.map((event) => event.credit)),
      int8Array(events.map((event) => event.amount)),
      int2Array(events.map((event) => event.code)),
      int2Array(events.map(flagsOf)),
      events.some((event) => event.ref) ? uuidArray(events.map((event) => event.ref)) : null,
      events.some((event) => event.expires) ? int8Array(events.map(expirySeconds)) : null,
      new Date(nowMs).toISOString(),
    ],
  })
  return statuses.map((number, i) => {
    const status = STATUSES[number]
    if (!status) throw new Error(`the ledger answered an unknown status ${number}; is its schema newer than this code?`)
    const [seq, amount] = [seqs[i], moved[i]]
    return seq === undefined || amount === undefined ? { status } : { status, seq, amount }
  })
}

function expirySeconds({ expires }: Event): bigint | undefined {
  return expires && BigInt(Math.floor(expires.getTime() / 1000))
}

/** As few pieces as fit a batch each; a chain is never cut. */
function pieces(events: readonly Event[]): Event[][] {
  if (events.length <= BATCH_LIMIT) return events.length ? [[...events]] : []
  const all: Event[][] = [[]]
  let chain: Event[] = []
  for (const event of events) {
    chain.push(event)
    if (event.linked) continue
    if (chain.length > BATCH_LIMIT)
      throw new BadEvent(`a chain of ${chain.length} events is longer than ${BATCH_LIMIT}`)
    if (all.at(-1)!.length + chain.length > BATCH_LIMIT) all.push([])
    all.at(-1)!.push(...chain)
    chain = []
  }
  return all
}
