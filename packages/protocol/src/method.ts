/**
 * Declare a method once; everything else follows: the HTTP endpoint, the OpenAPI page, the CLI call, the form, the quote.
 *
 * A declaration has no code of its own and runs nowhere: a handler's types come from it, and so do a client's.
 */
import * as z from 'zod'
import type { Meter } from './meters.ts'
import type { Refusal } from './problem.ts'

/**
 * Who may call by default: `anyone`, signed or not · `caller`, anyone with a key · `admin`, who runs the app named
 * in the input · `operator`, who runs the node.
 */
export type DefaultPolicy = 'anyone' | 'caller' | 'admin' | 'operator'

export interface Method<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> {
  readonly service: string
  readonly name: string
  /** One sentence, for people. */
  readonly summary: string
  readonly input: Input
  readonly output: Output
  /** Changes nothing, so that GET may call it too. */
  readonly safe: boolean
  readonly policy: DefaultPolicy
  /** What a call may use up; the price book says what that costs. None: the call itself is free. */
  readonly meters: readonly Meter[]
  /** An input, as it travels, that the OpenAPI page and the conformance test show. */
  readonly example: z.input<Input>
}

export function method<Input extends z.ZodType, Output extends z.ZodType>(
  declaration: Method<Input, Output>,
): Method<Input, Output> {
  return declaration
}

/** What a handler is given, and what a client gives. */
export type InputOf<M extends Method> = z.output<M['input']>
/** What a handler returns, and what a client gets. */
export type OutputOf<M extends Method> = z.output<M['output']>

export type Handler<M extends Method, Context> = (
  input: InputOf<M>,
  context: Context,
) => Promise<OutputOf<M> | Refusal> | OutputOf<M> | Refusal

export function pathOf({ service, name }: Pick<Method, 'service' | 'name'>): string {
  return `/oc/${service}/${name}`
}

export type Read<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: string }

/** The wire's JSON, or a GET's query as an object of strings, to what the handler is given. */
export function readInput<M extends Method>(declared: M, wire: unknown): Read<InputOf<M>> {
  return read<InputOf<M>>(declared.input, wire)
}

/** A GET's query as the input that a POST's body would hold. A name given twice could be read in two ways. */
export function readQuery<M extends Method>(declared: M, query: URLSearchParams): Read<InputOf<M>> {
  const names = [...query.keys()]
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) return { ok: false, problem: `${JSON.stringify(twice.slice(0, 40))} is given twice` }
  return readInput(declared, Object.fromEntries(query))
}

/** The client's side: an answer as it travels to the value its caller is given. Members it does not know are dropped. */
export function readOutput<M extends Method>(declared: M, wire: unknown): Read<OutputOf<M>> {
  return read<OutputOf<M>>(declared.output, wire)
}

/** Throws if a client built an input its own types forbid. */
export function writeInput<M extends Method>(declared: M, input: InputOf<M>): unknown {
  return z.encode(declared.input, input)
}

/** Throws if a handler answered what its declaration forbids: a bug of ours, never the caller's. */
export function writeOutput<M extends Method>(declared: M, output: OutputOf<M>): unknown {
  return z.encode(declared.output, output)
}

function read<Value>(schema: z.ZodType, wire: unknown): Read<Value> {
  const result = schema.safeParse(wire)
  return result.success
    ? { ok: true, value: result.data as Value }
    : { ok: false, problem: z.prettifyError(result.error) }
}
