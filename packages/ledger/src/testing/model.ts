/**
 * The ledger as one would first write it, in memory: slow, and easy to believe.
 *
 * It keeps no arrays of its own making and undoes nothing: a chain is tried on a copy of everything, which is kept or
 * thrown away. The differential test holds the SQL against it.
 */
import { KINDS, type Kind } from '@perennial/protocol'
import type { Event, Result, Status } from '../event.ts'

const LARGEST = 9_000_000_000_000_000n

export interface ModelAccount {
  asset: number
  floor: bigint | null
  balance: bigint
  held: bigint
  version: bigint
}

export interface ModelRow {
  seq: bigint
  id: string
  kind: Kind
  code: number
  debit: bigint
  credit: bigint
  amount: bigint
  ref: bigint | null
  expires: bigint | null
  debitBalance: bigint
  debitHeld: bigint
  creditBalance: bigint
  debitVersion: bigint
  creditVersion: bigint
}

export interface Model {
  accounts: Map<bigint, ModelAccount>
  rows: ModelRow[]
}

/** Posts a batch as `post` would, and returns what it would answer. */
export function postToModel(model: Model, events: readonly Event[], nowSeconds: bigint): Result[] {
  const results: Result[] = []
  for (let from = 0; from < events.length;) {
    let to = from
    while (events[to]?.linked) to += 1
    const chain = events.slice(from, to + 1)
    results.push(...postChain(model, chain, nowSeconds, to >= events.length))
    from = to + 1
  }
  return results
}

function postChain(model: Model, chain: readonly Event[], nowSeconds: bigint, open: boolean): Result[] {
  const trial = structuredClone(model)
  const failed = (at: number, status: Status): Result[] =>
    chain.map((_, i) => ({ status: i === at ? status : 'chain-failed' }))
  const results: Result[] = []
  for (const event of chain) {
    const result = postOne(trial, event, nowSeconds)
    const isChain = chain.length > 1 || open
    if (isChain && result.status !== 'created' && result.status !== 'exists')
      return failed(results.length, result.status)
    results.push(result)
    const firstKnown = results.findIndex(({ status }) => status === 'exists')
    if (firstKnown >= 0 && results.some(({ status }) => status === 'created'))
      return failed(firstKnown, 'exists-differently')
  }
  if (open) return failed(chain.length - 1, 'chain-open')
  Object.assign(model, trial)
  return results
}

function postOne(model: Model, event: Event, nowSeconds: bigint): Result {
  const { id, kind = 'transfer', debit, credit, amount: asked, code, upTo = false, ref } = event
  const expires = event.expires ? BigInt(Math.floor(event.expires.getTime() / 1000)) : null
  const moves = kind === 'transfer' || kind === 'hold'
  const contradicts = moves
    ? ref !== undefined || debit === undefined || credit === undefined || (kind === 'transfer' && expires !== null)
    : ref === undefined ||
      debit !== undefined ||
      credit !== undefined ||
      expires !== null ||
      (kind !== 'post' && (upTo || asked !== undefined))
  if (contradicts) return { status: 'contradiction' }

  const hold = ref === undefined ? undefined : model.rows.find((row) => row.id === ref)
  const known = model.rows.find((row) => row.id === id)
  if (known) {
    const same =
      known.kind === kind &&
      known.code === code &&
      (moves
        ? known.debit === debit && known.credit === credit && known.expires === expires
        : known.ref === hold?.seq) &&
      (kind === 'void' ||
        kind === 'expire' ||
        known.amount === asked ||
        (upTo && asked !== undefined && asked > known.amount))
    return same ? { status: 'exists', seq: known.seq, amount: known.amount } : { status: 'exists-differently' }
  }

  if (moves) {
    if (debit === credit) return { status: 'same-account' }
    const [payer, payee] = [model.accounts.get(debit!), model.accounts.get(credit!)]
    if (!payer || !payee) return { status: 'no-such-account' }
    if (payer.asset !== payee.asset) return { status: 'different-assets' }
    if (asked === undefined || asked <= 0n) return { status: 'bad-amount' }
    if (expires !== null && expires <= nowSeconds) return { status: 'hold-expired' }
    const available = payer.floor === null ? null : payer.balance - payer.held - payer.floor
    const amount = upTo && available !== null && available < asked ? available : asked
    if (amount <= 0n) return { status: 'below-floor' }
    if (amount > LARGEST) return { status: 'too-large' }
    if (available !== null && amount > available) return { status: 'below-floor' }
    if (kind === 'hold') {
      if (payer.held + amount > LARGEST) return { status: 'too-large' }
      payer.held += amount
    } else {
      if (payer.balance - amount < -LARGEST || payee.balance + amount > LARGEST) return { status: 'too-large' }
      payer.balance -= amount
      payee.balance += amount
    }
    return write(model, { id, kind, code, debit: debit!, credit: credit!, amount, ref: null, expires })
  }

  if (hold?.kind !== 'hold') return { status: 'no-such-hold' }
  if (model.rows.some((row) => row.ref === hold.seq)) return { status: 'already-resolved' }
  const late = hold.expires !== null && hold.expires <= nowSeconds
  if (kind !== 'expire' && late) return { status: 'hold-expired' }
  if (kind === 'expire' && !late) return { status: 'hold-not-expired' }
  const [payer, payee] = [model.accounts.get(hold.debit)!, model.accounts.get(hold.credit)!]
  let amount = hold.amount
  if (kind === 'post') {
    if (asked === undefined || asked <= 0n || (asked > hold.amount && !upTo)) return { status: 'bad-amount' }
    amount = asked < hold.amount ? asked : hold.amount
    if (payer.balance - amount < -LARGEST || payee.balance + amount > LARGEST) return { status: 'too-large' }
    payer.balance -= amount
    payee.balance += amount
  }
  payer.held -= hold.amount
  return write(model, { id, kind, code, debit: hold.debit, credit: hold.credit, amount, ref: hold.seq, expires: null })
}

type What = Pick<ModelRow, 'id' | 'kind' | 'code' | 'debit' | 'credit' | 'amount' | 'ref' | 'expires'>

function write(model: Model, what: What): Result {
  const [payer, payee] = [model.accounts.get(what.debit)!, model.accounts.get(what.credit)!]
  payer.version += 1n
  payee.version += 1n
  const seq = BigInt(model.rows.length + 1)
  model.rows.push({
    ...what,
    seq,
    debitBalance: payer.balance,
    debitHeld: payer.held,
    creditBalance: payee.balance,
    debitVersion: payer.version,
    creditVersion: payee.version,
  })
  return { status: 'created', seq, amount: what.amount }
}

/** The model's rows as the database prints them. */
export function asDatabaseRow(row: ModelRow): Record<string, unknown> {
  return {
    seq: row.seq,
    id: row.id,
    kind: KINDS[row.kind],
    code: row.code,
    debit: row.debit,
    credit: row.credit,
    amount: row.amount,
    ref: row.ref,
    expires: row.expires,
    debit_balance: row.debitBalance,
    debit_held: row.debitHeld,
    credit_balance: row.creditBalance,
    debit_version: row.debitVersion,
    credit_version: row.creditVersion,
  }
}
