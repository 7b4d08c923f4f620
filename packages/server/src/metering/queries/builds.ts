/** SQL of build holds and what the allowance and the hour's budget know of builds. */
import type { Micros } from '@perennial/protocol'
import type { Queryable } from '../../database.ts'

/** What this app's builds of the hour cost its payer: charged ones, and at their full hold those under way. */
export async function buildCostSince(on: Queryable, payer: string, app: string, since: Date): Promise<Micros> {
  const [row] = await on.query<{ cost: Micros }>(
    `select (coalesce((select sum(charged) from usage_interval
                        where app = $1 and payer = $2 and cause = 'build' and ended_at >= $3), 0)
           + coalesce((select sum(hold.amount) from usage_hold as hold
                        where hold.app = $1 and hold.payer = $2 and hold.cause = 'build' and not hold.resolved), 0)
            )::bigint as cost`,
    [app, payer, since],
  )
  return row?.cost ?? 0n
}

/** CPU time of all builds of an app that one payer paid. */
export async function buildCpuOf(on: Queryable, payer: string, app: string): Promise<bigint> {
  const [row] = await on.query<{ used: string }>(
    `select coalesce(sum(line.used), 0)::text as used
       from usage_line as line join usage_interval as usage on usage.id = line.usage
      where usage.app = $1 and usage.payer = $2 and line.meter = 'build'`,
    [app, payer],
  )
  return BigInt(row?.used ?? 0)
}

/** What is carried; locks the row, or a place for it, until the transaction ends. */
export async function carryOf(
  on: Queryable,
  { app, payer, meter, price }: { app: string; payer: string; meter: string; price: string },
): Promise<bigint> {
  const [row] = await on.query<{ price: string; carried: string }>(
    `insert into meter_carry (app, payer, meter, price, carried) values ($1, $2, $3, $4, 0)
     on conflict (app, payer, meter) do update set price = meter_carry.price returning price, carried::text`,
    [app, payer, meter, price],
  )
  return row?.price === price ? BigInt(row.carried) : 0n
}
