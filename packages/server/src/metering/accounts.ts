/** The ledger's accounts by name: which there are, on what terms, and their numbers, looked up once. */
import type { Ledger } from '@perennial/ledger'
import type { Micros } from '@perennial/protocol'

/** Push-button credit is asset 1; a real rail's money will be another number, never mixed with it. */
export const ASSET = 1

export const COMMONS = 'commons'
/** The operator's gift to new apps: it pays for their first build and their first steps. */
export const ALLOWANCE = 'allowance'

export const accountOf = {
  /** Anyone may fill it; nobody can withdraw it. */
  purse: (app: string) => `app/${app}/purse`,
  /** 30 days of storage rent, for when the purse is empty. */
  reserve: (app: string) => `app/${app}/reserve`,
  /** What is held on its way to those who are paid: zero after each chain. */
  clearing: (app: string) => `app/${app}/clearing`,
  provider: (did: string) => `provider/${did}`,
  rail: (name: string) => `rail/${name}`,
}

export type AccountName = string

export interface Balance {
  readonly balance: Micros
  readonly held: Micros
  /** What may be spent or held now. */
  readonly available: Micros
}

export interface Accounts {
  /** The account's number; opens it if there is none. */
  id(name: AccountName): Promise<bigint>
  /** An account that was never used has nothing. */
  balance(name: AccountName): Promise<Balance>
}

/** Callers have accounts, too, and there may be any number of them. */
const MOST_KNOWN = 50_000

const NOTHING: Balance = { balance: 0n, held: 0n, available: 0n }

export function openAccounts(ledger: Ledger): Accounts {
  const known = new Map<AccountName, Promise<bigint>>()
  return {
    id(name) {
      const asked = known.get(name) ?? open(ledger, name)
      known.set(name, asked)
      if (known.size > MOST_KNOWN) known.delete(known.keys().next().value!)
      // A failure is the caller's to see and is tried anew next time.
      asked.catch(() => known.delete(name))
      return asked
    },
    async balance(name) {
      const account = await ledger.account(name)
      if (!account) return NOTHING
      const { balance, held } = account
      return { balance, held, available: balance - held }
    },
  }
}

/** Money comes into being on a rail's account alone; every other account has what was paid into it, and no more. */
function open(ledger: Ledger, name: AccountName): Promise<bigint> {
  const floor = name.startsWith('rail/') ? null : 0n
  return ledger.openAccount({ name, asset: ASSET, public: !name.startsWith('caller/'), floor })
}
