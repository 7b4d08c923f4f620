/** Do: the handler runs. A refusal of its is passed on; an Error is ours to mend, and the caller is told where to find it. */
import { isRefusal, writeOutput, refuse } from '@perennial/protocol'
import type { Call } from '../call.ts'
import type { Station } from '../passage.ts'

const TIMEOUT_MS = 30_000

export const doIt: Station = async (passage, house) => {
  const { id, at, input, caller, method, implementation, usage } = passage
  if (passage.repeated) return null
  const call: Call = {
    id,
    at,
    input,
    caller,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    meter(used) {
      for (const [meter, amount] of Object.entries(used) as [keyof typeof used, bigint][])
        usage.set(meter, (usage.get(meter) ?? 0n) + amount)
    },
  }
  try {
    const result = await implementation.handle(call)
    if (isRefusal(result)) return result
    passage.output = writeOutput(method, result)
    return null
  } catch (error) {
    house.diagnostics.error(`${method.service}.${method.name} failed`, { call: id, error })
    return refuse(
      'server-error',
      'The node failed to do this. Nothing was charged for the call.',
      `Try again; if it stays, tell the operator ${id}.`,
    )
  }
}
