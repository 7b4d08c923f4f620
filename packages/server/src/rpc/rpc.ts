/** Opens the pipeline over a set of implementations: one door for the wire, one for our own pages, the same stations. */
import { readOutput, refuse, type InputOf, type Method, type OutputOf, type Refusal } from '@perennial/protocol'
import * as z from 'zod'
import { bind, type Caller, type Implementation } from './call.ts'
import { handle, type Arrived } from './http.ts'
import type { StationHouse } from './passage.ts'
import { pass } from './pipeline.ts'
import { forgetOldCalls } from './queries.ts'
import type { Services } from '../services.ts'

export interface Rpc {
  /** What any client could do over the wire, in this process. */
  call<M extends Method>(method: M, input: InputOf<M>, caller: Caller): Promise<OutputOf<M> | Refusal>
  /** Answers calls and what describes them; null for every other path. */
  handle(arrived: Arrived): Promise<Response | null>
}

export function openRpc<House extends StationHouse & Pick<Services, 'jobs'>>(
  house: House,
  implementations: readonly Implementation<House>[],
  /** Answers paths that are neither calls nor about them; null for every other one. */
  beside: (arrived: Arrived) => Promise<Response | null> = async () => null,
): Rpc {
  const byName = new Map(implementations.map((one) => [`${one.method.service}.${one.method.name}`, bind(one, house)]))
  house.jobs.daily('calls: forget', (on, now) => forgetOldCalls(on, now))
  return {
    async call(method, input, caller) {
      const name = `${method.service}.${method.name}`
      const implementation = byName.get(name)
      if (!implementation) throw new Error(`${name} is not implemented here`)
      // What a visitor typed may be no input at all; the answer to that is a refusal, as it is over the wire.
      const sent = z.safeEncode(method.input, input)
      if (!sent.success) return refuse('client-error/invalid-arguments', sentenceOf(sent.error))
      const passage = await pass({ implementation, sent: sent.data, caller, wire: null }, house)
      if (passage.refusal !== null) return passage.refusal
      const read = readOutput(method, passage.output)
      if (!read.ok) throw new Error(`${name} answered what it does not declare: ${read.problem}`)
      return read.value
    },
    handle: async (arrived) => (await beside(arrived)) ?? handle(arrived, byName, house),
  }
}

function sentenceOf({ issues }: z.core.$ZodError): string {
  const said = issues.map(({ message }) => message).join('; ')
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}. Nothing was charged.`
}
