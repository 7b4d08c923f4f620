/** One life of a private cluster, as uid perennial: opens it, writes a row, then closes or waits to be killed. */
import pg from 'pg'
import { openCluster } from '../../packages/server/src/cluster.ts'
import { openDiagnostics } from '../../packages/server/src/diagnostics.ts'

const [folder = '', how] = process.argv.slice(2)
const cluster = await openCluster({ folder, diagnostics: openDiagnostics({ level: 'error' }) })
const client = new pg.Client({ connectionString: cluster.url })
await client.connect()
await client.query('create table if not exists kept (n int generated always as identity)')
await client.query('insert into kept default values')
const { rows } = await client.query<{ n: number }>('select count(*)::int as n from kept')
await client.end()
console.log(JSON.stringify({ rows: rows[0]?.n, adopted: cluster.adopted }))
if (how === 'close') await cluster.close()
else await new Promise(() => setInterval(() => undefined, 1000))
