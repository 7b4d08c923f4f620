/** Runs one step of a long run in a process of its own, and says whether it passed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { clone } from '../packages/cli/src/bootstrap/places.ts'
import type { Step } from './areas.ts'

export async function runStep(step: Step, seed: number): Promise<boolean> {
  const words = step.program ?? (['test/run.ts', ...(step.files ?? [])] as const)
  const child = spawn(
    process.execPath,
    words.map((word) => (word === 'SEED' ? String(seed) : word)),
    { cwd: clone, stdio: 'inherit', env: { ...process.env, ...environment(step, seed) } },
  )
  const [code] = (await once(child, 'exit')) as [number | null]
  return code === 0
}

function environment(step: Step, seed: number): Record<string, string> {
  const loader = pathToFileURL(join(clone, 'test/seed.ts')).href
  return {
    TEST_SCALE: String(step.scale ?? 1),
    TEST_SEED: String(seed),
    NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${loader}`.trim(),
  }
}

export function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 31)
}
