/** Verifies the whole ledger from the database itself, once for each line on standard input; runs as the node's user. */
import { createInterface } from 'node:readline'
import pg from 'pg'
import { types } from '../../packages/ledger/src/types.ts'
import { verify } from '../../packages/ledger/src/verify.ts'

const [folder = ''] = process.argv.slice(2)
for await (const _ of createInterface(process.stdin)) {
  const readers = new pg.Pool({
    host: folder,
    database: 'perennial',
    user: 'perennial',
    options: '-c role=ledger_reader',
    types,
  })
  readers.on('error', () => undefined) // The server was killed while the connection was idle; the next line opens another.
  const broken = await verify(readers).catch((error: Error) => ({ failed: error.message }))
  await readers.end()
  console.log(JSON.stringify(broken))
}
