/** ledger: accounts and their rows, open to everyone but for what callers have of their own. */
import { isRefusal, Malformed, methods, refuse, transferWord, type Refusal } from '@perennial/protocol'
import type { Account, StatementRow } from '@perennial/ledger'
import { implement, type Call, type Implementation } from '../call.ts'
import type { House } from '../house.ts'

const ROWS = 50
/** Accounts of people are private: in others' statements they have one name for all. */
const PRIVATE = /^caller\//

const account = implement(methods.ledger.account, async (call, house: House) => {
  const found = await mayRead(call.input.account, call, house)
  return isRefusal(found) ? found : shown(found, house)
})

const statement = implement(methods.ledger.statement, async (call, house: House) => {
  const { account: name, after, before, limit = ROWS } = call.input
  const found = await mayRead(name, call, house)
  if (isRefusal(found)) return found
  const newestFirst = after === undefined
  // One more than asked for tells whether there is a next page.
  const rows = await house.ledger.statement({ account: found.id, after, before, newestFirst, limit: limit + 1 })
  const page = rows.slice(0, limit)
  return {
    account: shown(found, house),
    rows: page.map((row) => rowOf(row, name)),
    next: rows.length > limit ? page.at(-1)!.seq : null,
  }
})

export const ledgerMethods: readonly Implementation<House>[] = [account, statement]

async function mayRead(name: string, { caller }: Pick<Call, 'caller'>, { ledger }: House): Promise<Account | Refusal> {
  const found = await ledger.account(name)
  const own = caller.did !== null && name === `caller/${caller.did}`
  if (PRIVATE.test(name) && !own) return refuse('access-denied', 'This account is private: only its owner may read it.')
  return (
    found ??
    refuse(
      'client-error/not-found',
      `The ledger has no account ${name}.`,
      'Accounts are named on the pages of their apps.',
    )
  )
}

function shown({ name, public: isPublic, floor, balance, held, available }: Account, { priceBook }: House) {
  return { name, asset: priceBook.asset, public: isPublic, floor, balance, held, available }
}

function rowOf({ seq, id, kind, code, at, debit, credit, amount, balance, leaf }: StatementRow, own: string) {
  const side = (name: string) => (name !== own && PRIVATE.test(name) ? 'members' : name)
  return {
    seq,
    id,
    kind,
    code: wordOf(code),
    at,
    debit: side(debit.name),
    credit: side(credit.name),
    amount,
    balance,
    leaf: leaf.toString('hex'),
  }
}

/** A number that this version has no word for is shown as it is: the books outlive versions. */
function wordOf(code: number): string {
  try {
    return transferWord(code)
  } catch (error) {
    if (error instanceof Malformed) return `code-${code}`
    throw error
  }
}
