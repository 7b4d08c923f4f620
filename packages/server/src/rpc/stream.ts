/**
 * Watching a safe method: `Accept: text/event-stream` on its GET. Each look passes all stations like any call.
 *
 *   event: value   data: the answer, when it has changed       (every method)
 *   event: line    id: its seq, data: one log line             (apps.logs, which goes on after what was sent)
 *   event: refusal data: the problem; the stream ends
 *
 * Unsigned: for watching, not for proof.
 */
import { problemOf } from '@perennial/protocol'
import { networkOf } from '../identity/index.ts'
import type { Bound, Caller } from './call.ts'
import type { Passage, StationHouse, Wire } from './passage.ts'
import { pass } from './pipeline.ts'

const LOOK_EVERY_MS = 1000
const HEARTBEAT_MS = 15_000
const MAX_STREAMS = 1000
const MAX_PER_ADDRESS = 50

/** By network; at most as many as there are streams. */
const open = new Map<string, number>()
let total = 0

export interface Watched {
  readonly implementation: Bound
  readonly wire: Wire
  readonly caller: Caller
  readonly signal: AbortSignal
}

export function stream(watched: Watched, house: StationHouse): Response {
  const address = networkOf(watched.caller.address)
  const mine = open.get(address) ?? 0
  if (total >= MAX_STREAMS || mine >= MAX_PER_ADDRESS)
    return new Response('Too many streams are open.', {
      status: 429,
      headers: { 'retry-after': '10', 'content-type': 'text/plain' },
    })
  open.set(address, mine + 1)
  total++
  const release = () => {
    total--
    const left = (open.get(address) ?? 1) - 1
    if (left > 0) open.set(address, left)
    else open.delete(address)
  }
  return eventStream(events(watched, house), release)
}

/** Server-sent events, one string each; `done` is called once, however it ends. */
export function eventStream(source: AsyncGenerator<string>, done: () => void): Response {
  let ended = false
  const end = () => {
    if (!ended) done()
    ended = true
  }
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await source.next()
        if (next.done) {
          end()
          controller.close()
        } else controller.enqueue(Buffer.from(next.value))
      } catch (error) {
        end()
        controller.error(error)
      }
    },
    async cancel() {
      end()
      await source.return(undefined)
    },
  })
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    },
  })
}

async function* events({ implementation, wire, caller, signal }: Watched, house: StationHouse): AsyncGenerator<string> {
  const isLog = implementation.method.service === 'apps' && implementation.method.name === 'logs'
  const url = new URL(wire.request.url)
  const resumed = wire.request.headers.get('last-event-id')
  if (isLog && resumed !== null && /^\d{1,18}$/.test(resumed)) url.searchParams.set('after', resumed)
  let last = ''
  let spokeMs = house.clock.monotonicMs()
  // The nonce of a signed request is taken by the first look; later ones are the same caller's.
  let passage = await pass(
    { implementation, sent: undefined, caller, wire: { ...wire, request: { ...wire.request, url: url.href } } },
    house,
  )
  while (!signal.aborted) {
    if (passage.refusal !== null) {
      yield event({ event: 'refusal', data: problemOf(passage.refusal, passage.id) })
      return
    }
    const fresh = isLog ? lines(passage, url) : value(passage, last)
    last = fresh.last
    if (fresh.text !== '') {
      spokeMs = house.clock.monotonicMs()
      yield fresh.text
    } else if (house.clock.monotonicMs() - spokeMs > HEARTBEAT_MS) {
      spokeMs = house.clock.monotonicMs()
      yield ': still here\n\n'
    }
    await house.clock.sleep(LOOK_EVERY_MS, signal)
    passage = await pass(
      { implementation, sent: Object.fromEntries(url.searchParams), caller: passage.caller, wire: null },
      house,
    )
  }
}

function value({ output }: Passage, last: string): { text: string; last: string } {
  const text = JSON.stringify(output)
  return { text: text === last ? '' : event({ event: 'value', data: output }), last: text }
}

/** Each line once; where the next look begins stands in the url. */
function lines({ output }: Passage, url: URL): { text: string; last: string } {
  const { lines: shown, next } = output as { lines: { seq: string }[]; next: string }
  url.searchParams.set('after', next)
  return { text: shown.map((line) => event({ event: 'line', id: line.seq, data: line })).join(''), last: next }
}

/** JSON has no line break outside strings, and writes those inside them as \n: one `data` field holds it. */
export function event(sent: { readonly event: string; readonly id?: string; readonly data: unknown }): string {
  const id = sent.id === undefined ? '' : `id: ${sent.id}\n`
  return `${id}event: ${sent.event}\ndata: ${JSON.stringify(sent.data)}\n\n`
}
