/**
 * What strangers know of their own payments, in a file of theirs: asked before a payment is sent, paid once the node
 * has acknowledged it. Each line is on the disk before the payer goes on, so the file never knows less than the payer.
 *
 *     {"what":"asked","id":"…","app":"…","amount":"250000"}
 *     {"what":"paid","id":"…","parts":{"commons":"12500","reserve":"0","purse":"237500"},"seq":"42","at":"…"}
 */
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'

export interface Asked {
  readonly id: string
  readonly app: string
  readonly amount: bigint
}

export interface Parts {
  readonly commons: bigint
  readonly reserve: bigint
  readonly purse: bigint
}

/** The node's receipt. */
export interface Paid {
  readonly id: string
  readonly parts: Parts
  readonly seq: bigint
  readonly at: string
}

export interface Payment extends Asked {
  /** Null: nothing is known; it may have been made or not. */
  readonly paid: Paid | null
}

export interface Acknowledgements extends Disposable {
  asked(payment: Asked): void
  paid(receipt: Paid): void
  /** As the file has it. */
  read(): Payment[]
}

export function openAcknowledgements(path: string): Acknowledgements {
  const file = openSync(path, 'a')
  const write = (line: object) => {
    writeSync(
      file,
      `${JSON.stringify(line, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))}\n`,
    )
    fsyncSync(file)
  }
  return {
    asked: (payment) => write({ what: 'asked', ...payment }),
    paid: (receipt) => write({ what: 'paid', ...receipt }),
    read: () => parse(readFileSync(path, 'utf8')),
    [Symbol.dispose]: () => closeSync(file),
  }
}

interface Line {
  readonly what: 'asked' | 'paid'
  readonly id: string
  readonly app: string
  readonly amount: string
  readonly parts: Record<keyof Parts, string>
  readonly seq: string
  readonly at: string
}

function parse(text: string): Payment[] {
  const payments = new Map<string, Payment>()
  for (const row of text.split('\n').filter((each) => each !== '')) {
    const { what, id, ...line } = JSON.parse(row) as Line
    const known = payments.get(id)
    if (what === 'asked') payments.set(id, known ?? { id, app: line.app, amount: BigInt(line.amount), paid: null })
    else if (known)
      payments.set(id, { ...known, paid: { id, parts: partsOf(line.parts), seq: BigInt(line.seq), at: line.at } })
    else throw new Error(`payment ${id} was acknowledged and never asked`)
  }
  return [...payments.values()]
}

function partsOf({ commons, reserve, purse }: Line['parts']): Parts {
  return { commons: BigInt(commons), reserve: BigInt(reserve), purse: BigInt(purse) }
}
