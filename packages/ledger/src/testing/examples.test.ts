/**
 * The examples are documents, so psql runs them and prints exactly what stands in their .out files.
 * After a change that is meant: UPDATE_EXAMPLES=1 node --test examples.test.ts, and read the difference.
 */
import { binary, testDatabase } from '@perennial/testnet/postgres'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { template } from './test-ledger.ts'

const folder = new URL('../../examples/', import.meta.url)

for (const name of readdirSync(folder).filter((file) => file.endsWith('.sql'))) {
  test(`examples/${name} prints what its .out says`, async () => {
    await using database = await testDatabase(template)
    const options = ['-X', '-a', '--no-psqlrc', '-v', 'VERBOSITY=terse', '-d', database.url]
    const env = { ...process.env, PGOPTIONS: '-c search_path=ledger' }
    // Errors among the answers, where they happen: 2>&1.
    const script = 'exec "$0" "$@" 2>&1'
    const { stdout } = await promisify(execFile)(
      'sh',
      ['-c', script, binary('psql'), ...options, '-f', fileURLToPath(new URL(name, folder))],
      { env },
    )
    const printed = stdout.replaceAll(/^psql:.*?: (ERROR:)/gm, '$1')
    const golden = new URL(name.replace('.sql', '.out'), folder)
    if (process.env['UPDATE_EXAMPLES']) writeFileSync(golden, printed)
    assert.equal(printed, readFileSync(golden, 'utf8'))
  })
}
