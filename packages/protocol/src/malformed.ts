/**
 * What every parser of this package throws when bytes from outside break the rule they claim to follow.
 *
 * One class, so that a caller turns "their input is wrong" into a refusal with a single `instanceof`,
 * and never hides a bug of ours behind the same catch.
 */
export class Malformed extends Error {
  override readonly name = 'Malformed'
  readonly code = 'malformed'
}
