/** What a run found, for people as a table and for programs as lines. */
import { PHASES } from './phases.ts'
import type { Kill, Outcome } from './campaign.ts'
import type { Findings } from './oracle.ts'

export interface Line {
  /** A phase; or `total`, with what was found at the end. */
  readonly fault: string
  readonly seed: number
  readonly kills: number
  readonly acknowledged: number
  readonly lost: number
  readonly doubled: number
  readonly orphans: number
}

export function linesOf({ kills, end }: Outcome, seed: number): Line[] {
  const line = (fault: string, some: readonly Kill[], found: readonly Findings[]): Line => ({
    fault,
    seed,
    kills: some.length,
    acknowledged: sum(some.map(({ acknowledged }) => acknowledged)),
    lost: sum(found.map(({ lost }) => lost.length)),
    doubled: sum(found.map(({ doubled }) => doubled.length)),
    orphans: sum(found.map(({ orphans }) => orphans.length)),
  })
  return [
    ...PHASES.map((phase) => {
      const some = kills.filter((kill) => kill.phase === phase)
      return line(phase, some, some)
    }),
    line('total', kills, [...kills, end]),
  ]
}

/** Everything that should not be, in words. */
export function violations({ kills, end }: Outcome): string[] {
  const kinds = ['lost', 'doubled', 'orphans', 'halfMade', 'unsound'] as const
  return [...kills, end].flatMap((found) => kinds.flatMap((kind) => found[kind].map((one) => `${kind}: ${one}`)))
}

/** Kills by phase and program, with a bar. */
export function histogram(kills: readonly Kill[]): string[] {
  const programs = ['node', 'sandboxd', 'postgres', 'haproxy'] as const
  return PHASES.map((phase) => {
    const some = kills.filter((kill) => kill.phase === phase)
    const by = programs.map((program) => `${program} ${some.filter((kill) => kill.program === program).length}`)
    return `${phase.padEnd(7)} ${'█'.repeat(some.length).padEnd(24)} ${String(some.length).padStart(3)}  (${by.join(', ')})`
  })
}

export function table(lines: readonly Line[]): string[] {
  const columns = ['fault', 'seed', 'kills', 'acknowledged', 'lost', 'doubled', 'orphans'] as const
  const row = (cells: readonly (string | number)[]) => cells.map((cell) => String(cell).padStart(13)).join('')
  return [row(columns), ...lines.map((line) => row(columns.map((column) => line[column])))]
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
