/**
 * Keeps open pages current. One watch a subject, however many look at it: it asks once a second and sends each part
 * whose markup has changed, rendered by the same function as the page.
 *
 *   event: part    markup of one part, to replace the element of its id
 *   event: lines   new log lines, oldest first; its id is the last one's seq, so a page that was cut off goes on there
 *   event: title   the document's title · event: say  a sentence for screen readers · event: turn  load the page anew
 */
import type { Clock } from '../clock.ts'
import type { Diagnostics } from '../diagnostics.ts'
import { networkOf } from '../identity/index.ts'
import { eventStream } from '../rpc/index.ts'
import type { Html } from './html.ts'
import { logLine } from './parts/log.ts'
import type { LogLine } from './views.ts'

/** What a subject looks like at one moment. */
export interface Look {
  /** Each markup begins with an element that has an id. */
  readonly parts: readonly Html[]
  readonly title?: string
  /** Said aloud when it changes. */
  readonly sentence?: string
  /** The page is another one now. */
  readonly turn?: boolean
  /** Lines after the seq that was asked for. */
  readonly lines?: readonly LogLine[]
}

export interface Subject {
  readonly name: string
  readonly look: (after: bigint | null) => Promise<Look>
  /** A second unless said otherwise. */
  readonly everyMs?: number
}

export interface Live {
  /** A stream of what changes. `after`: the last log line that the page has. */
  watch(
    subject: Subject,
    from: { readonly address: string; readonly after: bigint | null; readonly signal: AbortSignal },
  ): Response
  close(): Promise<void>
}

interface Watch {
  readonly listeners: Set<Listener>
  readonly stop: AbortController
  parts: Map<string, string>
  sentence: string | undefined
  title: string | undefined
  after: bigint | null
}

interface Listener {
  send(message: Message): void
}
type Message = { readonly event: string; readonly data: string; readonly id?: string }

const LOOK_EVERY_MS = 1000
/** The gateway closes a connection on which nothing was said for a minute. */
const HEARTBEAT_MS = 15_000
const MAX_LISTENERS = 2000
const MAX_PER_ADDRESS = 64
/** A reader who is this far behind is cut off; the browser comes back and goes on where it was. */
const MAX_WAITING = 500

export function openLive({ clock, diagnostics }: { clock: Clock; diagnostics: Diagnostics }): Live {
  // Both hold at most as many as there are listeners.
  const watches = new Map<string, { watch: Watch; done: Promise<void> }>()
  const perAddress = new Map<string, number>()
  let total = 0

  const run = async ({ name, look, everyMs = LOOK_EVERY_MS }: Subject, watch: Watch): Promise<void> => {
    for (let tick = 1; !watch.stop.signal.aborted; tick++) {
      try {
        tell(watch, await look(watch.after))
        if (tick % Math.max(1, Math.floor(HEARTBEAT_MS / everyMs)) === 0)
          broadcast(watch, { event: 'still', data: 'here' })
      } catch (error) {
        diagnostics.debug(`the live page ${name} could not be looked at; the next second tries again`, { error })
      }
      await clock.sleep(everyMs, watch.stop.signal)
    }
  }

  const join = (subject: Subject, listener: Listener, after: bigint | null): Watch => {
    const found = watches.get(subject.name)
    // Whoever looks back further than the watch does makes it look again from there; lines have numbers, so the
    // others drop what they have.
    if (found) {
      if (after !== null && (found.watch.after === null || after < found.watch.after)) found.watch.after = after
      for (const [id, markup] of found.watch.parts) listener.send({ event: 'part', data: markup, id: `part-${id}` })
      found.watch.listeners.add(listener)
      return found.watch
    }
    const watch: Watch = {
      listeners: new Set([listener]),
      stop: new AbortController(),
      parts: new Map(),
      sentence: undefined,
      title: undefined,
      after,
    }
    watches.set(subject.name, { watch, done: run(subject, watch) })
    return watch
  }

  return {
    watch(subject, { address: from, after, signal }) {
      const address = networkOf(from)
      const mine = perAddress.get(address) ?? 0
      if (total >= MAX_LISTENERS || mine >= MAX_PER_ADDRESS)
        return new Response('Too many pages are open.', {
          status: 429,
          headers: { 'retry-after': '30', 'content-type': 'text/plain' },
        })
      perAddress.set(address, mine + 1)
      total++
      const box = mailbox(after, signal)
      const watch = join(subject, box, after)
      return eventStream(box.messages(), () => {
        total--
        const left = (perAddress.get(address) ?? 1) - 1
        if (left > 0) perAddress.set(address, left)
        else perAddress.delete(address)
        watch.listeners.delete(box)
        if (watch.listeners.size > 0) return
        watch.stop.abort()
        if (watches.get(subject.name)?.watch === watch) watches.delete(subject.name)
      })
    },
    async close() {
      const open = [...watches.values()]
      for (const { watch } of open) {
        watch.stop.abort()
        broadcast(watch, { event: 'end', data: 'the node stops' })
      }
      await Promise.all(open.map(({ done }) => done))
    },
  }
}

function tell(watch: Watch, look: Look): void {
  for (const part of look.parts) {
    const markup = String(part)
    const id = /^<[^>]* id="([^"]+)"/.exec(markup)?.[1]
    if (id === undefined) throw new Error('a live part begins with an element that has an id')
    if (watch.parts.get(id) === markup) continue
    watch.parts.set(id, markup)
    broadcast(watch, { event: 'part', data: markup })
  }
  if (look.lines && look.lines.length > 0) {
    watch.after = look.lines.at(-1)!.seq
    for (const line of look.lines)
      broadcast(watch, { event: 'lines', data: String(logLine(line)), id: line.seq.toString() })
  }
  if (look.title !== undefined && look.title !== watch.title) {
    if (watch.title !== undefined) broadcast(watch, { event: 'title', data: look.title })
    watch.title = look.title
  }
  if (look.sentence !== undefined && look.sentence !== watch.sentence) {
    if (watch.sentence !== undefined) broadcast(watch, { event: 'say', data: look.sentence })
    watch.sentence = look.sentence
  }
  if (look.turn) broadcast(watch, { event: 'turn', data: 'now' })
}

function broadcast(watch: Watch, message: Message): void {
  for (const listener of watch.listeners) listener.send(message)
}

/** What waits to be written to one reader. */
function mailbox(after: bigint | null, signal: AbortSignal): Listener & { messages(): AsyncGenerator<string> } {
  const waiting: string[] = []
  let seen = after ?? -1n
  let ended = false
  let wake = () => {}
  signal.addEventListener('abort', () => {
    ended = true
    wake()
  })
  return {
    send({ event, data, id }) {
      // Who does not read at all is not written for.
      if (ended) return
      if (event === 'lines') {
        if (BigInt(id!) <= seen) return
        seen = BigInt(id!)
      }
      if (event === 'end' || waiting.length > MAX_WAITING) ended = true
      // Markup may have line breaks; each is a field of its own and comes together again as it was.
      const named = event === 'lines' ? `id: ${id}\n` : ''
      waiting.push(
        `${named}event: ${event}\n${data
          .split(/\r\n|\n|\r/)
          .map((line) => `data: ${line}\n`)
          .join('')}\n`,
      )
      wake()
    },
    async *messages() {
      yield 'retry: 2000\n\n'
      for (;;) {
        const next = waiting.splice(0).join('')
        if (next !== '') yield next
        else if (ended) return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}
