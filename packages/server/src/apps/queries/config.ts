/** SQL of settings. */
import type { Queryable, Transaction } from '../../database.ts'

export interface VarRow {
  readonly app: string
  readonly name: string
  readonly since: number
  readonly secret: boolean
  readonly value: string | null
  readonly sealed: Buffer | null
  readonly at: Date
}

export async function versionOf(on: Queryable, app: string): Promise<number> {
  const [row] = await on.query<{ version: number }>('select version from config where app = $1', [app])
  return row?.version ?? 0
}

/** The number of the change that is being made; who makes another one of this app waits for its end. */
export async function nextVersion(tx: Transaction, app: string): Promise<number> {
  const [row] = await tx.query<{ version: number }>(
    `insert into config (app, version) values ($1, 1)
     on conflict (app) do update set version = config.version + 1 returning version`,
    [app],
  )
  return row?.version ?? 1
}

const COLUMNS = 'app, name, since, secret, value, sealed, at'

/** As of a version; without one, as of now. */
export async function varsOf(on: Queryable, app: string, version?: number): Promise<VarRow[]> {
  return on.query<VarRow>(
    version === undefined
      ? `select ${COLUMNS} from config_var where app = $1 and until is null order by name`
      : `select ${COLUMNS} from config_var
          where app = $1 and since <= $2 and (until is null or until > $2) order by name`,
    version === undefined ? [app] : [app, version],
  )
}

export async function endVars(tx: Transaction, app: string, names: readonly string[], version: number): Promise<void> {
  await tx.query(`update config_var set until = $3 where app = $1 and name = any($2) and until is null`, [
    app,
    names,
    version,
  ])
}

export async function insertVar(tx: Transaction, row: VarRow): Promise<void> {
  await tx.query(`insert into config_var (${COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7)`, [
    row.app,
    row.name,
    row.since,
    row.secret,
    row.value,
    row.sealed,
    row.at,
  ])
}

/** Whatever no release from this version on can want. */
export async function forgetVars(on: Queryable, app: string, version: number): Promise<void> {
  await on.query('delete from config_var where app = $1 and until <= $2', [app, version])
}

/** Of one app, old values included, or of all. */
export async function secretsOf(on: Queryable, app?: string): Promise<VarRow[]> {
  return on.query<VarRow>(
    `select ${COLUMNS} from config_var where secret and ($1::uuid is null or app = $1) order by app, name, since`,
    [app ?? null],
  )
}

export async function resealVar(tx: Transaction, { app, name, since, sealed }: VarRow): Promise<void> {
  await tx.query('update config_var set sealed = $4 where app = $1 and name = $2 and since = $3', [
    app,
    name,
    since,
    sealed,
  ])
}
