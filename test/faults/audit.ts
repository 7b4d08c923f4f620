/** The auditor as a child: it needs the node's user, whom alone PostgreSQL's socket lets in. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cleanEnvironment, confined } from '../../packages/cli/src/bootstrap/confine.ts'

export interface Audit extends AsyncDisposable {
  /** Which of the ledger's invariants are broken; none: it is sound, and sums to zero. */
  verify(): Promise<string[]>
}

const TRIES = 20

export async function openAudit(data: string): Promise<Audit> {
  const [program, ...words] = await confined('test/faults/auditor.ts', [join(data, 'node/pg')])
  const child = spawn(program, words, { cwd: '/', env: cleanEnvironment(), stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    async verify() {
      for (let tries = 1; ; tries++) {
        child.stdin.write('verify\n')
        const { value, done } = await lines.next()
        if (done) throw new Error('the auditor ended')
        const said = JSON.parse(value) as string[] | { failed: string }
        if (Array.isArray(said)) return said
        if (tries === TRIES) throw new Error(`the ledger could not be read: ${said.failed}`)
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}
