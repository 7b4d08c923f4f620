/**
 * Reads registries' documents in a thread of its own: parsing 20 MB takes longer than any request of the node may
 * wait, and a document made to exhaust memory ends the thread, not the node. Documents pass as files.
 */
import { Worker } from 'node:worker_threads'
import { serial } from '../../serial.ts'
import { MalformedDocument } from './malformed.ts'
import type { Job, Read } from './reading.ts'

export interface Reader {
  /** Throws `MalformedDocument` for what is none, or costs too much to read. */
  read(job: Job): Promise<Extract<Read, { listing: unknown }>>
  close(): Promise<void>
}

/** A document of the most bytes that documents.ts lets in takes about half of it. */
const MAX_HEAP_MIB = 1024
const MAX_READ_MS = 30_000
/** The thread ends when nobody asked for so long: its memory goes back. */
const IDLE_MS = 10_000

export function openReader(): Reader {
  const turn = serial()
  let thread: Thread | undefined
  let idle: NodeJS.Timeout | undefined

  async function end(): Promise<void> {
    clearTimeout(idle)
    const ending = thread
    thread = undefined
    await ending?.end()
  }

  return {
    read: (job) =>
      turn(async () => {
        clearTimeout(idle)
        thread ??= startThread()
        const answer = await thread.ask(job)
        if ('failed' in answer) {
          await end()
          throw answer.failed
        }
        idle = setTimeout(() => void end(), IDLE_MS)
        idle.unref()
        if ('malformed' in answer) throw new MalformedDocument(answer.malformed)
        return answer
      }),
    close: end,
  }
}

interface Thread {
  /** One job at a time. `failed`: this thread is of no more use. */
  ask(job: Job): Promise<Read | { readonly failed: Error }>
  end(): Promise<unknown>
}

function startThread(): Thread {
  const worker = new Worker(new URL('./reader-thread.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
  })
  worker.unref()
  let settle: (answer: Read | { readonly failed: Error }) => void = () => undefined
  let name = ''
  const costs = (what: string) =>
    new MalformedDocument(`the registry's document of ${name} takes too much ${what} to read`)
  worker.on('message', (answer: Read) => settle(answer))
  worker.on('error', (error: NodeJS.ErrnoException) =>
    settle({ failed: error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? costs('memory') : error }),
  )
  worker.on('exit', () => settle({ failed: new Error('the thread that reads documents has ended') }))
  return {
    ask(job) {
      name = job.name
      const answered = new Promise<Read | { readonly failed: Error }>((resolve) => (settle = resolve))
      const timer = setTimeout(() => settle({ failed: costs('time') }), MAX_READ_MS)
      worker.postMessage(job)
      return answered.finally(() => clearTimeout(timer))
    },
    end: () => worker.terminate(),
  }
}
