/**
 * What a handler is given, and how a method gets its handler.
 *
 * A handler sees who calls, with what and when, and says what it used; it never sees HTTP, a signature or a price.
 * Payments and policies are stations around it, so that none of its lines changes when they come.
 */
import type { InputOf, Method, OutputOf, Refusal, Usage } from '@perennial/protocol'

export interface Caller {
  /** did:key of whoever signed, or of the key that the node keeps for a visitor. Null: nobody said. */
  readonly did: string | null
  readonly via: 'signature' | 'session' | 'none'
  /** Of the connection, for limits. */
  readonly address: string
  /** Given when an app was deployed; makes its bearer that app's admin. */
  readonly adminToken?: string | undefined
}

export interface Call<Input = unknown> {
  readonly id: string
  readonly at: Date
  readonly input: Input
  readonly caller: Caller
  /** Aborts when the call takes too long. */
  readonly signal: AbortSignal
  /** Adds to what this call has used; the charge follows from the sum. */
  readonly meter: (usage: Usage) => void
}

export interface Implementation<House> {
  readonly method: Method
  readonly handle: (call: Call<never>, house: House) => Promise<unknown>
  /** The most that a call with this input can use and its caller pays. Without it calls are free to their caller. */
  readonly ceiling: ((input: never) => Usage) | undefined
}

/** Types meet here: the handler's input and output are those of the declaration. */
export function implement<House, M extends Method>(
  method: M,
  handle: (call: Call<InputOf<M>>, house: House) => Promise<OutputOf<M> | Refusal>,
  ceiling?: (input: InputOf<M>) => Usage,
): Implementation<House> {
  return { method, handle: handle as (call: Call<never>, house: House) => Promise<unknown>, ceiling }
}

/** An implementation in its house: what the pipeline sees. */
export interface Bound {
  readonly method: Method
  readonly handle: (call: Call) => Promise<unknown>
  readonly ceiling: ((input: unknown) => Usage) | undefined
}

export function bind<House>({ method, handle, ceiling }: Implementation<House>, house: House): Bound {
  return { method, handle: (call) => handle(call as Call<never>, house), ceiling: ceiling as Bound['ceiling'] }
}
