/** SQL of open intervals and marks: written whole, as they are in memory, so that writing twice changes nothing. */
import type { Meter } from '@perennial/protocol'
import type { Queryable, Transaction } from '../../database.ts'
import type { Mark, RequestMark } from '../advance.ts'
import { newStream, type Stream } from '../stream.ts'

/** What is to be written: everything that belongs to these apps, as of one moment. */
export interface Snapshot {
  readonly streams: string
  readonly marks: string
  readonly gone: readonly string[]
  readonly requests: string
  readonly carries: string
}

/** Taken without a pause, so that marks and sums agree. */
export function snapshot(
  streams: readonly Stream[],
  requests: ReadonlyMap<string, RequestMark>,
  prices: (meter: Meter) => string,
): Snapshot {
  const rows = streams.map((stream) => ({
    app: stream.app,
    payer: stream.payer,
    number: stream.number,
    started_at: stream.startedMs === null ? null : new Date(stream.startedMs),
    ...stream.used,
    charged_hour: stream.chargedHour,
    charged_in_hour: stream.chargedInHour,
    used_day: stream.usedDay,
    cpu_in_day: stream.cpuInDay,
  }))
  const marks = streams.flatMap(({ app, payer, marks: all }) =>
    [...all].map(([instance, mark]) => ({
      instance,
      app,
      payer,
      boot: mark.boot,
      at_ms: mark.atMs,
      cpu_ns: mark.cpuNs,
      egress_bytes: mark.egressBytes,
      memory_bytes: mark.memoryBytes,
      disk_bytes: mark.diskBytes,
    })),
  )
  const counted = [...requests].map(([app, { boot, requests: count, bytesOut }]) => ({
    app,
    boot,
    requests: count,
    bytes_out: bytesOut,
  }))
  const carries = streams.flatMap(({ app, payer, carried }) =>
    Object.entries(carried).map(([meter, parts]) => ({
      app,
      payer,
      meter,
      price: prices(meter as Meter),
      carried: parts,
    })),
  )
  return {
    streams: json(rows),
    marks: json(marks),
    gone: streams.flatMap(({ gone }) => [...gone]),
    requests: json(counted),
    carries: json(carries),
  }
}

export async function writeSnapshot(tx: Transaction, rows: Snapshot): Promise<void> {
  await tx.query(
    `insert into meter_stream
     select * from json_to_recordset($1::json) as row (
       app uuid, payer text, number bigint, started_at timestamptz,
       cpu numeric, memory numeric, disk numeric, egress numeric, requests numeric,
       charged_hour int, charged_in_hour bigint, used_day text, cpu_in_day numeric)
     on conflict (app, payer) do update set
       number = excluded.number, started_at = excluded.started_at, cpu = excluded.cpu, memory = excluded.memory,
       disk = excluded.disk, egress = excluded.egress, requests = excluded.requests,
       charged_hour = excluded.charged_hour, charged_in_hour = excluded.charged_in_hour,
       used_day = excluded.used_day, cpu_in_day = excluded.cpu_in_day`,
    [rows.streams],
  )
  await tx.query(
    `insert into meter_mark (instance, app, payer, attached_at, boot, at_ms, cpu_ns, egress_bytes, memory_bytes, disk_bytes)
     select instance, app, payer, clock_timestamp(), boot, at_ms, cpu_ns, egress_bytes, memory_bytes, disk_bytes
       from json_to_recordset($1::json) as row (
         instance text, app uuid, payer text, boot text, at_ms bigint, cpu_ns bigint,
         egress_bytes bigint, memory_bytes bigint, disk_bytes bigint)
     on conflict (instance) do update set
       payer = excluded.payer, boot = excluded.boot, at_ms = excluded.at_ms, cpu_ns = excluded.cpu_ns, egress_bytes = excluded.egress_bytes,
       memory_bytes = excluded.memory_bytes, disk_bytes = excluded.disk_bytes`,
    [rows.marks],
  )
  if (rows.gone.length > 0) await tx.query('delete from meter_mark where instance = any($1)', [rows.gone])
  await tx.query(
    `insert into meter_requests
     select * from json_to_recordset($1::json) as row (app uuid, boot text, requests bigint, bytes_out bigint)
     on conflict (app) do update set
       boot = excluded.boot, requests = excluded.requests, bytes_out = excluded.bytes_out`,
    [rows.requests],
  )
  await writeCarries(tx, rows.carries)
}

/** `carries`: a JSON array of rows of meter_carry. */
export async function writeCarries(tx: Transaction, carries: string): Promise<void> {
  await tx.query(
    `insert into meter_carry
     select * from json_to_recordset($1::json) as row (app uuid, payer text, meter text, price text, carried numeric)
     on conflict (app, payer, meter) do update set price = excluded.price, carried = excluded.carried`,
    [carries],
  )
}

interface StreamRow {
  app: string
  payer: string
  number: bigint
  started_at: Date | null
  cpu: string
  memory: string
  disk: string
  egress: string
  requests: string
  charged_hour: number
  charged_in_hour: bigint
  used_day: string
  cpu_in_day: string
}

interface MarkRow {
  instance: string
  app: string
  payer: string
  boot: string
  at_ms: bigint
  cpu_ns: bigint
  egress_bytes: bigint
  memory_bytes: bigint
  disk_bytes: bigint
}

/** What a node that starts finds: streams with marks and carries, holds apart. */
export async function readStreams(on: Queryable, prices: (meter: Meter) => string): Promise<Stream[]> {
  const streams = (await on.query<StreamRow>('select * from meter_stream')).map(streamOf)
  const at = new Map(streams.map((stream) => [key(stream), stream]))
  for (const row of await on.query<MarkRow>('select * from meter_mark order by attached_at')) {
    at.get(key(row))?.marks.set(row.instance, markOf(row))
  }
  const carries = await on.query<{ app: string; payer: string; meter: Meter; price: string; carried: string }>(
    'select * from meter_carry',
  )
  for (const row of carries) {
    const stream = at.get(key(row))
    if (stream && row.meter !== 'build' && row.price === prices(row.meter))
      stream.carried[row.meter] = BigInt(row.carried)
  }
  return streams
}

export async function readRequestMarks(on: Queryable): Promise<Map<string, RequestMark>> {
  const rows = await on.query<{ app: string; boot: string; requests: bigint; bytesOut: bigint }>(
    'select app, boot, requests, bytes_out as "bytesOut" from meter_requests',
  )
  return new Map(rows.map(({ app, ...mark }) => [app, mark]))
}

function streamOf(row: StreamRow): Stream {
  return Object.assign(newStream(row.app, row.payer), {
    number: row.number,
    startedMs: row.started_at?.getTime() ?? null,
    used: {
      cpu: BigInt(row.cpu),
      memory: BigInt(row.memory),
      disk: BigInt(row.disk),
      egress: BigInt(row.egress),
      requests: BigInt(row.requests),
    },
    chargedHour: row.charged_hour,
    chargedInHour: row.charged_in_hour,
    usedDay: row.used_day,
    cpuInDay: BigInt(row.cpu_in_day),
  })
}

function markOf(row: MarkRow): Mark {
  return {
    boot: row.boot,
    atMs: Number(row.at_ms),
    cpuNs: row.cpu_ns,
    egressBytes: row.egress_bytes,
    memoryBytes: row.memory_bytes,
    diskBytes: row.disk_bytes,
  }
}

export function key({ app, payer }: { app: string; payer: string }): string {
  return `${app} ${payer}`
}

/** Big integers as digits: PostgreSQL reads them exactly. */
export function json(value: unknown): string {
  return JSON.stringify(value, (_name, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner))
}
