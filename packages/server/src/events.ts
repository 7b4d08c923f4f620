/**
 * What happened, as a row written in the transaction that caused it; each subscriber handles it once.
 *
 * "Once" is a job per subscriber, enqueued in that same transaction: it survives a kill and is retried, so a
 * subscriber is idempotent. The row says that it happened, for a while; an app's history is its own (app_change). An
 * event is for what merely follows (a deployed release, an empty purse); what must
 * be true at once is a call.
 */
import type { Clock } from './clock.ts'
import type { Transaction } from './database.ts'
import type { Jobs } from './jobs.ts'

/** Every event's type and data. An app's id is in `app` wherever it has one. */
export interface EventMap {
  'deployment-requested': { app: string; deployment: string }
  'release-built': { app: string; deployment: string; release: string }
  'deployment-failed': { app: string; deployment: string; sentence: string }
  'instance-ready': { app: string; instance: string }
  /** `at` as in the app's public history. */
  'state-changed': { app: string; from: string; to: string; sentence: string; at: string }
  contributed: { app: string; contribution: string }
}
export type EventType = keyof EventMap

export interface Events {
  emit<T extends EventType>(tx: Transaction, type: T, data: EventMap[T]): Promise<void>
  /** Declares a subscriber, before jobs start. `name` says who, once and for all: it is stored. */
  on<T extends EventType>(type: T, name: string, handle: (data: EventMap[T]) => Promise<void>): void
}

const KEPT_MS = 90 * 86_400_000

export function openEvents(services: { jobs: Jobs; clock: Clock }): Events {
  const { jobs, clock } = services
  const subscribers = new Map<EventType, string[]>()
  jobs.daily('events: forget', (on, now) =>
    on.query('delete from event where at < $1', [new Date(now.getTime() - KEPT_MS)]),
  )
  return {
    async emit(tx, type, data) {
      await tx.query('insert into event (type, app, data, at) values ($1, $2, $3, $4)', [
        type,
        data.app,
        JSON.stringify(data),
        clock.now(),
      ])
      for (const name of subscribers.get(type) ?? []) await jobs.enqueue(tx, `${type} > ${name}`, data)
    },
    on(type, name, handle) {
      subscribers.set(type, [...(subscribers.get(type) ?? []), name])
      jobs.handle(`${type} > ${name}`, (job) => handle(job.data as never))
    },
  }
}
