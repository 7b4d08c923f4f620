/**
 * HAProxy kept as it should be: running, with every route told, whatever died.
 *
 * `routes` is what should be (the caller's, changed before `apply`); `#actual` is what HAProxy was last known to have.
 * All work on HAProxy passes one queue; changes that wait together become one batch. When a batch fails, HAProxy is
 * looked at anew (or started anew) and everything is told again: there is no state to repair by hand.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Diagnostics } from '../diagnostics.ts'
import { dismissStrays, observe, parseMeters, showMeters, type Meter } from './observe.ts'
import { emptyActual, freshActual, FULL, plan, routesOf, type Actual, type Route } from './plan.ts'
import { askOld, configure, oldWorkers, reload, running, start, stop, watch, type Worker } from './process.ts'
import { ask, RuntimeUnreachable, tell } from './runtime.ts'
import { ACTIVATOR, files, fingerprint, slotName, type Template } from './template.ts'
import { serverName, type Endpoint } from './names.ts'

/** One process's meters; `id` is the process. */
export interface WorkerMeters {
  readonly id: string
  readonly meters: readonly Meter[]
}

export interface DataPlaneOptions {
  readonly template: Template
  readonly routes: Map<string, Route>
  readonly diagnostics: Diagnostics
  /** Reads the meters, for the last time before this worker is replaced. */
  readonly beforeReload: () => Promise<unknown>
}

export class DataPlane {
  readonly #routes: Map<string, Route>
  readonly #diagnostics: Diagnostics
  #template: Template
  #actual: Actual = emptyActual(0)
  #worker: Worker | null = null
  /** Workers of before a reload, by pid; they follow route changes as far as they can. */
  readonly #old = new Map<number, string>()
  readonly #beforeReload: () => Promise<unknown>
  #changed = new Set<string>()
  #flushed: Promise<void> | null = null
  #queue: Promise<unknown> = Promise.resolve()
  #unwatch = () => {}
  #closed = false

  constructor(options: DataPlaneOptions) {
    this.#template = options.template
    this.#routes = options.routes
    this.#diagnostics = options.diagnostics
    this.#beforeReload = options.beforeReload
  }

  /** Adopts a HAProxy that outlived its node, and its routes to apps that are in `routes`; or starts one. */
  open(): Promise<void> {
    return this.#exclusive(() => this.#bringUp({ learn: true }))
  }

  /** Resolves when HAProxy follows `routes` for this app. */
  apply(app: string): Promise<void> {
    this.#changed.add(app)
    // Whatever is added until the queue reaches this flush goes out with it.
    return (this.#flushed ??= this.#exclusive(() => this.#flush()))
  }

  /** Every living process's meters, read now; of one app, or of all. */
  async meters(app?: string): Promise<WorkerMeters[]> {
    const answer = await ask(files(this.#template.folder).runtime, `show info;${showMeters(app)}`)
    const field = (name: string) => new RegExp(`^${name}: (\\d+)$`, 'm').exec(answer)?.[1] ?? ''
    const all: WorkerMeters[] = [{ id: `${field('Pid')}-${field('Start_time_sec')}`, meters: parseMeters(answer) }]
    for (const [pid, id] of this.#old) {
      const old = await this.#askOld(pid, showMeters(app))
      if (old.includes('# table:')) all.push({ id, meters: parseMeters(old) })
      else this.#old.delete(pid) // It has answered its last request.
    }
    return all
  }

  /** Deletes servers that left and answer nothing any more; their slots are free again. True when `which` is gone. */
  tidy(which?: { app: string; endpoint: Endpoint }): Promise<boolean> {
    return this.#exclusive(async () => {
      let gone = true
      for (const [index, slot] of this.#actual.slots.entries()) {
        if (slot.app !== null && which && slot.app !== which.app) continue
        for (const [name, state] of slot.servers) {
          if (state !== 'leaving' || (which && name !== serverName(which.endpoint))) continue
          if (await deleteServer(files(this.#template.folder).runtime, `${slotName(index)}/${name}`))
            slot.servers.delete(name)
          else gone = false
        }
        if (slot.servers.size === 0) slot.app = null
      }
      return gone && (which === undefined || !(await this.#busyInOld(which.app)))
    })
  }

  /** An old worker does not say of which instance its requests are: any of the app's counts, or of any app. */
  async #busyInOld(app?: string): Promise<boolean> {
    for (const pid of this.#old.keys())
      if (parseMeters(await this.#askOld(pid, showMeters(app))).some(({ inFlight }) => inFlight > 0)) return true
    return false
  }

  /** `serving`: leave HAProxy running for the next node to adopt. */
  async close(options: { serving: boolean; graceMs: number }): Promise<void> {
    this.#closed = true
    this.#unwatch()
    await this.#queue
    if (options.serving) return
    // Told to stop, the worker is an old one too: only its master still passes questions on to it.
    if (this.#worker) this.#old.set(this.#worker.pid, this.#worker.id)
    const hasEnded = (error: unknown) => {
      if (error instanceof RuntimeUnreachable) return false
      throw error
    }
    await stop(this.#template.folder, options.graceMs, () => this.#busyInOld().catch(hasEnded))
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => undefined) // Whoever asked for the work gets its error.
    return done
  }

  async #flush(): Promise<void> {
    const apps = this.#changed
    this.#changed = new Set()
    this.#flushed = null
    try {
      await this.#tell(apps)
    } catch (error) {
      this.#diagnostics.warn('HAProxy did not take a change; it is told everything again', { error })
      await this.#bringUp()
    }
  }

  async #bringUp({ learn = false } = {}): Promise<void> {
    if (this.#closed) return
    const file = files(this.#template.folder)
    const worker = await running(this.#template.folder)
    if (worker) {
      this.#worker = worker
      this.#template = { ...this.#template, slots: Math.max(worker.slots, this.#template.slots) }
      this.#actual = await observe(file, worker.slots)
      await dismissStrays(file, this.#actual)
      await this.#rememberOld()
      if (learn)
        for (const route of routesOf(this.#actual)) if (this.#routes.has(route.app)) this.#routes.set(route.app, route)
    }
    if (!worker) await this.#configureAnd(() => start(this.#template))
    else if (worker.fingerprint !== fingerprint(this.#template) || worker.slots !== this.#template.slots)
      await this.#reload(worker)
    this.#watch()
    await this.#tell(new Set([...this.#routes.keys(), ...[...this.#actual.hosts.values()].map(({ app }) => app)]))
  }

  /** A new worker knows every host and has empty slots: until it is told more, the activator passes requests on. */
  async #configureAnd(begin: () => Promise<Worker>): Promise<void> {
    const routes = [...this.#routes.values()]
    await configure(this.#template, routes.map(({ app, host }) => `${host} ${app}/${ACTIVATOR}\n`).join(''))
    this.#worker = await begin()
    this.#actual = freshActual(this.#template.slots, routes, this.#actual)
  }

  /** The old worker forgets its meters as it stops: what it counts after this reading is charged to nobody. */
  async #reload(worker: Worker): Promise<void> {
    await this.#beforeReload()
    await this.#configureAnd(() => reload(this.#template, worker))
    await this.#rememberOld()
  }

  async #rememberOld(): Promise<void> {
    for (const pid of await oldWorkers(this.#template.folder)) {
      const started = /^Start_time_sec: (\d+)$/m.exec(await this.#askOld(pid, 'show info'))?.[1]
      if (started !== undefined) this.#old.set(pid, `${pid}-${started}`)
    }
  }

  async #tell(apps: ReadonlySet<string>): Promise<void> {
    const file = files(this.#template.folder)
    const commands: string[] = []
    for (const app of apps) {
      const planned = plan(this.#actual, app, this.#routes.get(app), {
        map: file.map,
        connections: this.#template.perApp,
      })
      if (planned === FULL) return this.#grow()
      commands.push(...planned)
    }
    await tell(file.runtime, commands)
    await this.#tellOld(apps)
  }

  /**
   * An old worker takes no new connections and no new servers. What still comes over a kept connection, at most one
   * request each, goes to the activator from here on, which knows where the app is.
   */
  async #tellOld(apps: ReadonlySet<string>): Promise<void> {
    for (const pid of this.#old.keys())
      for (const [host, { app }] of this.#actual.hosts)
        if (apps.has(app))
          await this.#askOld(pid, `set map ${files(this.#template.folder).map} ${host} ${app}/${ACTIVATOR}`)
  }

  #askOld(pid: number, command: string): Promise<string> {
    return askOld(this.#template.folder, pid, command)
  }

  async #grow(): Promise<void> {
    const old = this.#worker
    if (!old) throw new Error('HAProxy has to be open before it can grow')
    this.#template = { ...this.#template, slots: this.#template.slots * 2 }
    this.#diagnostics.info(`HAProxy is reloaded with ${this.#template.slots} slots`)
    await this.#reload(old)
    this.#watch()
    await this.#tell(new Set(this.#routes.keys()))
  }

  /** A reload closes the watch too, so a closed one only says: look. */
  #watch(): void {
    this.#unwatch()
    this.#unwatch = watch(this.#template.folder, () => void this.#exclusive(() => this.#revive()))
  }

  async #revive(): Promise<void> {
    while (!this.#closed) {
      try {
        const before = this.#worker?.id
        await this.#bringUp()
        if (this.#worker?.id !== before) this.#diagnostics.warn('HAProxy was gone and has been started again')
        return
      } catch (error) {
        if (!(error instanceof RuntimeUnreachable))
          this.#diagnostics.error('HAProxy cannot be started; trying again', { error })
        await sleep(500)
      }
    }
  }
}

/**
 * False while it answers something. A connection that became idle after the server left its slot is still kept for
 * reuse; only entering maintenance closes those, so it does that once more.
 */
async function deleteServer(socketPath: string, server: string): Promise<boolean> {
  const deleted = async () => (await ask(socketPath, `del server ${server}`)).includes('Server deleted.')
  if (await deleted()) return true
  await tell(socketPath, [`set server ${server} state ready`, `set server ${server} state maint`])
  return deleted()
}
