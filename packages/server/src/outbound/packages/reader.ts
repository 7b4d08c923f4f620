/**
 * Reads registries' documents in a process of its own: parsing 20 MB takes longer than any request of the node may
 * wait, and a document made to exhaust memory ends that process alone (a thread that runs out of memory can end the
 * whole node: tried). Documents pass as files.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { serial } from '../../serial.ts'
import { MalformedDocument, TooCostly } from './malformed.ts'
import type { Job, Read } from './reading.ts'

export interface Reader {
  /** Throws `MalformedDocument` for what is none, or costs too much to read. */
  read(job: Job): Promise<Extract<Read, { listing: unknown }>>
  close(): Promise<void>
}

/** A document of the most bytes that documents.ts lets in takes about half of it. */
const LIMITS = { heapMib: 1024, timeoutMs: 20_000 }
/** The process ends when nobody asked for so long, or at once when it has grown so large: its memory goes back. */
const IDLE_MS = 60_000
const LARGE_BYTES = 300 * 2 ** 20

export function openReader(limits = LIMITS): Reader {
  const turn = serial()
  let program: Program | undefined
  let idle: NodeJS.Timeout | undefined

  async function end(): Promise<void> {
    clearTimeout(idle)
    const ending = program
    program = undefined
    await ending?.end()
  }

  return {
    read: (job) =>
      turn(async () => {
        clearTimeout(idle)
        program ??= startProgram(limits)
        const answer = await program.ask(job)
        if ('ended' in answer) {
          await end()
          throw answer.ended
        }
        if (answer.rssBytes > LARGE_BYTES) await end()
        else {
          idle = setTimeout(() => void end(), IDLE_MS)
          idle.unref()
        }
        if ('malformed' in answer.read) throw new MalformedDocument(answer.read.malformed)
        return answer.read
      }),
    close: end,
  }
}

type Answer = { readonly read: Read; readonly rssBytes: number } | { readonly ended: Error }

interface Program {
  /** One job at a time. `ended`: this process is of no more use. */
  ask(job: Job): Promise<Answer>
  end(): Promise<void>
}

function startProgram({ heapMib, timeoutMs }: typeof LIMITS): Program {
  const path = fileURLToPath(new URL('./reader-process.ts', import.meta.url))
  const child = spawn(process.execPath, [`--max-old-space-size=${heapMib}`, path], {
    env: {},
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  // Neither the process nor its channel keeps a node that is closing from ending.
  child.unref()
  child.channel?.unref()
  let settle: (answer: Answer) => void = () => undefined
  let name = ''
  const costs = (what: string) => ({
    ended: new TooCostly(`the registry's document of ${name} takes too much ${what} to read`),
  })
  child.on('message', (answer: Answer) => settle(answer))
  child.on('error', (error) => settle({ ended: error }))
  const gone = new Promise<void>((resolve) =>
    child.once('exit', (_code, signal) => {
      settle(
        signal === 'SIGABRT' ? costs('memory') : { ended: new Error('the process that reads documents has ended') },
      )
      resolve()
    }),
  )
  return {
    async ask(job) {
      name = job.name
      const answered = new Promise<Answer>((resolve) => (settle = resolve))
      const timer = setTimeout(() => settle(costs('time')), timeoutMs)
      child.send(job, (error) => error && settle({ ended: error }))
      return await answered.finally(() => clearTimeout(timer))
    },
    async end() {
      child.kill('SIGKILL')
      await gone
    },
  }
}
