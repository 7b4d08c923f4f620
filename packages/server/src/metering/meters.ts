/**
 * All that is metered and not yet closed, in memory: which sandbox counts for whom, and what was read of it last.
 *
 * Readings come from outside of the round that stores them, so nothing here waits.
 */
import type { Meter } from '@perennial/protocol'
import type { Reading } from '@perennial/sandbox/client'
import type { Database } from '../database.ts'
import type { AccountName } from './accounts.ts'
import { UNCOUNTED, UNREAD, advance, advanceRequests, type Mark, type RequestCount } from './advance.ts'
import { key, readRequestMarks, readStreams, snapshot, writeSnapshot, type Snapshot } from './queries/streams.ts'
import { insertUsage } from './queries/usage.ts'
import { newStream, type Closed, type Stream } from './stream.ts'

export interface Meters {
  readonly streams: ReadonlyMap<string, Stream>
  ofApp(app: string): Stream[]
  ofInstance(instance: string): Stream | undefined
  stream(app: string, payer: AccountName): Stream
  add(stream: Stream, instance: string): void
  /** From here on another payer's; counted up to here stays counted. */
  move(instance: string, to: Stream, nowMs: number): void
  remove(instance: string, nowMs: number): void
  apply(readings: readonly Reading[], counts: readonly RequestCount[]): void
  /** One transaction: closed intervals, and all that changed. In memory nothing is lost if it fails. */
  store(closed: readonly Closed[]): Promise<void>
}

export async function openMeters(database: Database, prices: (meter: Meter) => string, nowMs: number): Promise<Meters> {
  // One or two an app (its purse, the start allowance); instances leave as they are detached.
  const streams = new Map<string, Stream>()
  const byApp = new Map<string, Stream[]>()
  const byInstance = new Map<string, Stream>()
  const requestMarks = await readRequestMarks(database)
  let counted = new Set<string>()

  const put = (stream: Stream): Stream => {
    streams.set(key(stream), stream)
    byApp.set(stream.app, [...(byApp.get(stream.app) ?? []), stream])
    return stream
  }
  for (const stream of await readStreams(database, prices)) {
    put(stream)
    for (const instance of stream.marks.keys()) byInstance.set(instance, stream)
    stream.quietSinceMs = stream.marks.size === 0 ? nowMs : null
  }

  /** Requests are the newest payer's who has a sandbox; what comes while nothing runs is nobody's. */
  const countRequests = (count: RequestCount): void => {
    const mark = requestMarks.get(count.app) ?? { ...UNCOUNTED }
    const payer = byApp.get(count.app)?.findLast((stream) => stream.marks.size > 0)
    const boot = count.boot ?? ''
    if (mark.boot === boot && mark.requests === count.requests && mark.bytesOut === count.bytesOut) return
    // An app that nobody here knows is not stored: its row would have nothing to refer to.
    if (!byApp.has(count.app)) return
    requestMarks.set(count.app, mark)
    advanceRequests(mark, count, payer ? payer.used : null)
    if (payer) payer.dirty = true
    counted.add(count.app)
  }

  const place = (stream: Stream, instance: string, mark: Mark): void => {
    stream.marks.set(instance, mark)
    stream.gone.delete(instance)
    byInstance.set(instance, stream)
    Object.assign(stream, { quietSinceMs: null, dirty: true })
    // The newest payer stands last.
    const others = byApp.get(stream.app)?.filter((other) => other !== stream) ?? []
    byApp.set(stream.app, [...others, stream])
  }

  const restore = (dirty: readonly Stream[], apps: ReadonlySet<string>): void => {
    for (const stream of dirty) stream.dirty = true
    counted = new Set([...counted, ...apps])
  }

  return {
    streams,
    ofApp: (app) => byApp.get(app) ?? [],
    ofInstance: (instance) => byInstance.get(instance),
    stream: (app, payer) => streams.get(key({ app, payer })) ?? put(newStream(app, payer)),
    add: (stream, instance) => place(stream, instance, { ...UNREAD }),
    move(instance, to, now) {
      const from = byInstance.get(instance)
      const mark = from?.marks.get(instance)
      if (!from || !mark || from === to) return
      from.marks.delete(instance)
      from.dirty = true
      if (from.marks.size === 0) from.quietSinceMs = now
      place(to, instance, mark)
    },
    remove(instance, now) {
      const stream = byInstance.get(instance)
      if (!stream) return
      stream.marks.delete(instance)
      stream.gone.add(instance)
      byInstance.delete(instance)
      stream.dirty = true
      if (stream.marks.size === 0) stream.quietSinceMs = now
    },
    apply(readings, counts) {
      for (const reading of readings) {
        const stream = byInstance.get(reading.id)
        const mark = stream?.marks.get(reading.id)
        if (!stream || !mark) continue
        advance(mark, reading, stream.used)
        stream.dirty = true
      }
      for (const count of counts) countRequests(count)
    },
    async store(closed) {
      const dirty = [...streams.values()].filter((stream) => stream.dirty)
      const apps = counted
      if (dirty.length === 0 && apps.size === 0 && closed.length === 0) return
      const marks = new Map([...apps].map((app) => [app, requestMarks.get(app) ?? { ...UNCOUNTED }]))
      const rows: Snapshot = snapshot(dirty, marks, prices)
      for (const stream of dirty) stream.dirty = false
      counted = new Set()
      try {
        await database.transaction(async (tx) => {
          await writeSnapshot(tx, rows)
          await insertUsage(tx, closed)
        })
      } catch (error) {
        restore(dirty, apps)
        throw error
      }
      const written = new Set(rows.gone)
      for (const stream of dirty)
        for (const instance of stream.gone) if (written.has(instance)) stream.gone.delete(instance)
    },
  }
}
