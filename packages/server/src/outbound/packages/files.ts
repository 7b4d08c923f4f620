/**
 * Files of registries, verified by what their registry lists for them, fetched once whoever waits.
 *
 * A file's listing is asked for again after a day, so what a registry took back is handed out no longer than that;
 * while the registry is away, what it said before counts.
 */
import type { Clock } from '../../clock.ts'
import type { Listed } from './listing.ts'
import { Once } from './once.ts'
import { paid, REQUEST_BYTES, type Payer } from './payer.ts'
import { Remembered } from './remembered.ts'
import type { Held, Store } from './store.ts'
import { UpstreamFailed, type Upstream } from './upstream.ts'

/** A listing and when the registry gave it. */
export interface Fact extends Listed {
  readonly knownMs: number
}

export interface FileWanted {
  /** Unlike any other file's, e.g. `npm once/-/once-1.4.0.tgz`. */
  readonly key: string
  readonly file: string
  readonly maxBytes: number
  /** What the registry lists for it now, or at most a day ago; null if it has no such file. */
  readonly ask: (payer: Payer) => Promise<Fact | null>
  /** Where it is fetched. */
  readonly urlOf: (listed: Listed, upstream: Upstream) => URL
}

export interface Files {
  /** The verified file; null if its registry has none such. */
  open(wanted: FileWanted, payer: Payer): Promise<Held | null>
}

export interface FilesDeps {
  readonly store: Store
  readonly upstream: () => Promise<Upstream>
  readonly clock: Clock
}

export const FACT_MS = 24 * 3_600_000
const TIMEOUT_MS = 10 * 60_000
const REMEMBERED = 20_000

export function openFiles({ store, upstream, clock }: FilesDeps): Files {
  const asking = new Once<Fact | null>()
  const downloading = new Once<void>()
  const remembered = new Remembered<Fact>(REMEMBERED)

  async function factOf({ key, ask }: FileWanted, payer: Payer): Promise<Fact | null> {
    const known = remembered.get(key) ?? (await noted(key))
    if (known && clock.now().getTime() - known.knownMs < FACT_MS) return known
    return await asking.run(key, async () => {
      try {
        const fact = await ask(payer)
        if (!fact) return null
        await store.keepNote(key, JSON.stringify(fact))
        return remembered.set(key, fact)
      } catch (error) {
        if (known && error instanceof UpstreamFailed) return known
        throw error
      }
    })
  }

  async function noted(key: string): Promise<Fact | undefined> {
    const note = await store.note(key)
    return note === null ? undefined : remembered.set(key, JSON.parse(note) as Fact)
  }

  async function download(wanted: FileWanted, fact: Fact, payer: Payer): Promise<Held> {
    payer.fetched(REQUEST_BYTES)
    const from = await upstream()
    const answer = await from.get(wanted.urlOf(fact, from), {
      accept: 'application/octet-stream, */*;q=0.5',
      timeoutMs: TIMEOUT_MS,
    })
    if (answer.status !== 200) {
      answer.drop()
      throw new UpstreamFailed(`the registry answered ${answer.status} for ${wanted.file}`)
    }
    return await store.receive(fact.digest, paid(answer.chunks(wanted.maxBytes), payer), wanted.file)
  }

  return {
    async open(wanted, payer) {
      const fact = await factOf(wanted, payer)
      if (!fact) return null
      const held = await store.open(fact.digest)
      if (held) return held
      const mine: { held?: Held } = {}
      await downloading.run(wanted.key, async () => {
        mine.held = await download(wanted, fact, payer)
      })
      const got = mine.held ?? (await store.open(fact.digest))
      if (!got) throw new UpstreamFailed(`${wanted.file} was lost on its way; ask again`)
      return got
    },
  }
}
