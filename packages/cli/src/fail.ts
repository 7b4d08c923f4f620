/** How a command ends when it does not succeed: what happened, what to do next, and an exit code that scripts can read. */

/** 0 done · 1 refused or failed · 2 wrong usage, or it cannot be done here. */
export type ExitCode = 1 | 2

/** Ends a command. Anything else that is thrown is shown the same way, with exit code 1. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly exitCode: ExitCode
  readonly nextStep: string | undefined
  /** The node's status, for programs. */
  readonly refusal: string | undefined

  constructor(
    sentence: string,
    options: { exitCode?: ExitCode; nextStep?: string | undefined; refusal?: string; cause?: unknown } = {},
  ) {
    super(sentence, { cause: options.cause })
    this.exitCode = options.exitCode ?? 1
    this.nextStep = options.nextStep
    this.refusal = options.refusal
  }
}
