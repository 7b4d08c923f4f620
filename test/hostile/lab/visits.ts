/** Somebody who visits an app from a process of his own, and says how long it took. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Visits } from './visitor.ts'

export interface Visitor {
  visit(path: string, forMs: number): Promise<Visits>
  [Symbol.asyncDispose](): Promise<void>
}

const file = fileURLToPath(new URL('visitor.ts', import.meta.url))

/** `enter`: words in front of the command; `host` and `from`: the name that is asked for, the address it comes from. */
export function openVisitor(who: { enter: readonly string[]; origin: string; host?: string; from?: string }): Visitor {
  const { enter, origin, host = '-', from = '-' } = who
  const [tool, ...argv] = [...enter, process.execPath, file, origin, host, from]
  const child = spawn(tool, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    async visit(path, forMs) {
      child.stdin.write(`${path} ${forMs}\n`)
      return JSON.parse(String((await answers.next()).value)) as Visits
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await once(child, 'close')
    },
  }
}
