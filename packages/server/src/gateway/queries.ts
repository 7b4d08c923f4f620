/** The gateway's tables: routes, written before HAProxy is told, and the counts of HAProxy's workers. */
import type { Queryable } from '../database.ts'
import type { CountRow } from './counters.ts'
import type { Route } from './plan.ts'

export async function loadRoutes(database: Queryable): Promise<Route[]> {
  const rows = await database.query<{ app: string; host: string; address: string | null; port: number | null }>(
    'select app, host, address, port from gateway_route',
  )
  return rows.map(({ app, host, address, port }) => ({
    app,
    host,
    endpoint: address === null || port === null ? null : { address, port },
  }))
}

export async function storeRoute(database: Queryable, { app, host, endpoint }: Route): Promise<void> {
  await database.query(
    `insert into gateway_route (app, host, address, port) values ($1, $2, $3, $4)
     on conflict (app) do update set host = excluded.host, address = excluded.address, port = excluded.port`,
    [app, host, endpoint?.address ?? null, endpoint?.port ?? null],
  )
}

export async function deleteRoute(database: Queryable, app: string): Promise<void> {
  await database.query('delete from gateway_route where app = $1', [app])
}

export async function loadCounts(database: Queryable): Promise<CountRow[]> {
  return database.query<CountRow>(
    'select app, process, requests, bytes_in as "bytesIn", bytes_out as "bytesOut" from gateway_count',
  )
}

/** One statement: a value that moves from a worker's row into the base is never in both, or in neither. */
export async function storeCounts(database: Queryable, rows: readonly CountRow[]): Promise<void> {
  await database.query(
    `with changed as (
       select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
                  as row (app, process, requests, bytes_in, bytes_out)
     ), gone as (
       delete from gateway_count using changed
        where gateway_count.app = changed.app and gateway_count.process = changed.process
          and changed.requests + changed.bytes_in + changed.bytes_out = 0
     )
     insert into gateway_count select * from changed where requests + bytes_in + bytes_out > 0
         on conflict (app, process) do update
        set requests = excluded.requests, bytes_in = excluded.bytes_in, bytes_out = excluded.bytes_out`,
    [
      rows.map((row) => row.app),
      rows.map((row) => row.process),
      rows.map((row) => row.requests),
      rows.map((row) => row.bytesIn),
      rows.map((row) => row.bytesOut),
    ],
  )
}
