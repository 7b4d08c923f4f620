/** An answer of "no" to the caller: what is wrong and the next step, in words it may show. */
import type { ErrorCode } from '../verbs.ts'

export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
