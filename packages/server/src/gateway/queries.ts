/** The gateway's tables: whose host is whose, and the counts of HAProxy's workers. */
import type { Queryable } from '../database.ts'
import type { CountRow } from './counters.ts'

export async function loadHosts(database: Queryable): Promise<{ app: string; host: string }[]> {
  return database.query('select app, host from gateway_host')
}

/** A host that another app had is this one's from now on. */
export async function storeHost(database: Queryable, { app, host }: { app: string; host: string }): Promise<void> {
  await database.query(
    `with taken as (delete from gateway_host where host = $2 and app <> $1)
     insert into gateway_host (app, host) values ($1, $2)
         on conflict (app) do update set host = excluded.host`,
    [app, host],
  )
}

export async function deleteHost(database: Queryable, app: string): Promise<void> {
  await database.query('delete from gateway_host where app = $1', [app])
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
