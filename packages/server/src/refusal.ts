/**
 * A "no" as a value: what the caller may do about it travels with it.
 *
 * `refusal` is a path of the OC-Status tree (spec/call.md), `sentence` says what happened and what it cost,
 * `nextStep` what to do. Failures are Errors, bugs are asserts; neither is ever a Refusal.
 */
export interface Refusal {
  readonly refusal: string
  readonly sentence: string
  readonly nextStep?: string
}

export function refuse(refusal: string, sentence: string, nextStep?: string): Refusal {
  return nextStep === undefined ? { refusal, sentence } : { refusal, sentence, nextStep }
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refusal' in value && 'sentence' in value
}
