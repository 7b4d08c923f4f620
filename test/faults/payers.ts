/** Strangers who pay, several at once, and who ask again with the same id when they heard no answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@perennial/client'
import { isRefusal, methods, newId } from '@perennial/protocol'
import type { Acknowledgements, Asked, Paid, Payment } from './acknowledgements.ts'
import type { Chance } from './chance.ts'

export interface Payers {
  /** Answers whether it was acknowledged. */
  pay(app: string, amount: bigint): Promise<boolean>
  /** Sends an acknowledged payment once more; null if its receipt is the same, else what is different. */
  again(payment: Payment & { readonly paid: Paid }): Promise<string | null>
  /** Pays now this app, now that one, until aborted. */
  run(apps: readonly { readonly id: string }[], signal: AbortSignal): Promise<void>
}

const ANSWER_MS = 20_000

export function openPayers(
  drawn: Chance,
  { strangers, file }: { strangers: readonly Client[]; file: Acknowledgements },
): Payers {
  const ask = ({ id, app, amount }: Asked) =>
    drawn
      .pick(strangers)
      .call(methods.funding.contribute, { id, app, amount }, { signal: AbortSignal.timeout(ANSWER_MS) })

  /** What the file is to keep of an answer; null for none, or a refusal: the payment is asked for again, or never known of. */
  const send = async (payment: Asked): Promise<Paid | null> => {
    try {
      const answer = await ask(payment)
      if (isRefusal(answer)) return null
      const { id, parts, seq, at } = answer
      return { id, parts, seq, at: at.toISOString() }
    } catch {
      // The node was killed, or is being started: whether it was paid is not known.
      return null
    }
  }

  const pay = async (app: string, amount: bigint): Promise<boolean> => {
    const payment = { id: newId(), app, amount }
    file.asked(payment)
    // Half of them never come back when they hear nothing.
    for (let tries = drawn.pick([1, 4]); tries > 0; tries--) {
      const paid = await send(payment)
      if (paid) {
        file.paid(paid)
        return true
      }
      await sleep(500)
    }
    return false
  }

  return {
    pay,
    async again({ paid, ...payment }) {
      const answer = await ask(payment)
      if (isRefusal(answer)) return `payment ${payment.id} was acknowledged and is refused now: ${answer.sentence}`
      const { id, parts, seq, at } = answer
      const now: Paid = { id, parts, seq, at: at.toISOString() }
      const same = (['commons', 'reserve', 'purse'] as const).every((part) => now.parts[part] === paid.parts[part])
      if (same && now.seq === paid.seq && now.at === paid.at) return null
      return `payment ${id} has another receipt now: ${words(now)} where it was ${words(paid)}`
    },
    async run(apps, signal) {
      while (!signal.aborted) {
        const several = drawn.pick([1, 1, 3])
        const app = drawn.pick(apps).id
        const payments = Array.from({ length: several }, () => pay(app, BigInt(100_000 + 1_000 * drawn.below(150))))
        await Promise.all(payments)
        await sleep(500 + drawn.below(3_500), undefined, { signal }).catch(() => undefined)
      }
    },
  }
}

function words({ parts, seq, at }: Paid): string {
  return `${parts.commons} + ${parts.reserve} + ${parts.purse} at row ${seq}, ${at}`
}
