/** Runs one payload in one sandbox to its end, or to its time-out, and says what came of it. */
import { readFileSync } from 'node:fs'
import type { Exit, Reading, SandboxClient, SandboxSpec } from '../../../packages/sandbox/src/client/index.ts'

export const mebibyte = 2 ** 20

export interface Outcome {
  readonly exit: Exit
  /** It was still running after the time-out and was stopped. */
  readonly timedOut: boolean
  /** Everything it printed. */
  readonly said: string
  readonly reading: Reading | undefined
}

/** A small spec to start from; `script` is for busybox's shell. */
export function spec(
  given: Pick<SandboxSpec, 'id'> & Partial<SandboxSpec> & ({ script: string } | { argv: readonly string[] }),
): SandboxSpec {
  const { script, ...rest } = { script: undefined, ...given }
  return {
    image: 'static',
    writableBytes: 16 * mebibyte,
    argv: script === undefined ? [] : ['sh', '-c', script],
    env: {},
    cwd: '/app',
    user: 'app',
    limits: { memoryBytes: 64 * mebibyte, pids: 64, cpuPercent: 100 },
    network: 'none',
    ...rest,
  }
}

export async function runPayload(
  client: SandboxClient,
  wanted: SandboxSpec,
  { timeoutMs = 20_000 }: { timeoutMs?: number } = {},
): Promise<Outcome> {
  const { id } = wanted
  await client.start(wanted)
  try {
    const ended = await client.wait({ id, timeoutMs })
    const exit = ended ?? (await client.stop({ id, graceMs: 0 })).exit
    if (!exit) throw new Error(`sandbox ${id} was stopped and has no exit`)
    const reading = (await client.read()).find((one) => one.id === id)
    return { exit, timedOut: ended === null, said: printed(client, id), reading }
  } finally {
    await client.remove({ id })
  }
}

/** What a sandbox printed so far: lines such as `2026-07-01T10:00:00.000000000+00:00 stdout F text`. */
export function printed(client: SandboxClient, id: string): string {
  const lines = readFileSync(client.logPath(id), 'utf8').split('\n')
  return lines
    .map((line) => /^\S+ std(?:out|err) ([FP]) (.*)$/s.exec(line))
    .map((found) => (found ? `${found[2]}${found[1] === 'F' ? '\n' : ''}` : ''))
    .join('')
}
