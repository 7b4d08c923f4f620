/**
 * How an attempt ended, stored before money moves: whatever a kill interrupts afterwards is done again from it.
 */
import type { Plan } from '../source/index.ts'

export type Outcome = Built | Failed

export interface Built {
  readonly kind: 'built'
  readonly sha256: string
  readonly sizeBytes: number
  readonly commit: string
  readonly plan: Plan
  readonly receipt: string
}

export interface Failed {
  readonly kind: 'failed'
  /** What happened. */
  readonly sentence: string
  /** What to do. */
  readonly nextStep: string | null
}

export function failed(sentence: string, nextStep: string | null = null): Failed {
  return { kind: 'failed', sentence, nextStep }
}
