/** The command line as a person uses it, against a real node: every command, for people and with --json. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { gitRemote } from '@perennial/testnet/git-remote'
import { openTestNode } from '@perennial/testnet'
import { command, type Finished } from '../../packages/cli/src/bootstrap/command.ts'
import { clone, launcher } from '../../packages/cli/src/bootstrap/places.ts'

test('a stranger deploys, looks, pays, stops and runs an app from the command line', async (t) => {
  await using remote = await gitRemote({ repositories: { 'octo/hello': join(clone, 'apps/hello') } })
  await using node = await openTestNode({ remotes: [remote] })
  const home = mkdtempSync('/tmp/perennial-home-')
  t.after(() => rmSync(home, { recursive: true }))
  const run = (...words: string[]): Promise<Finished> =>
    command([launcher, ...words], { env: { PATH: process.env['PATH'], HOME: home, PERENNIAL_NODE: node.origin } })
  let slug = ''

  await t.test('deploy follows each step and says where the app answers', async () => {
    const done = await run('deploy', remote.url('octo/hello'))
    assert.equal(done.code, 0, done.stderr)
    slug = /^App: http:\/\/([^.]+)\.localhost/m.exec(done.stdout)?.[1] ?? ''
    assert.match(done.stderr, /fetched in .* s/)
    assert.match(done.stderr, /✓ Deploying/)
    assert.equal(statSync(join(home, '.config/perennial/key')).mode & 0o777, 0o600)
    assert.equal((await node.visit(slug, '/health')).status, 200)
  })

  await t.test('fund says where the money goes; the same id again is the same payment', async () => {
    const quoted = await run('fund', slug, '5.00', '--quote')
    assert.match(quoted.stdout, /^5\.00 TEST would keep .* until \d{4}-/)
    const id = '01938f5e-7a00-7000-8000-0000000000aa'
    const paid = await run('fund', slug, '5.00', '--name', 'tern', '--id', id)
    assert.match(paid.stdout, /^Paid 5\.00 TEST .* 0\.25 to the commons\.$/m)
    const again = await run('fund', slug, '5.00', '--name', 'tern', '--id', id, '--json')
    assert.equal(again.code, 0, again.stderr)
    const { rows } = JSON.parse((await run('statement', 'commons', '--json')).stdout) as { rows: { amount: string }[] }
    assert.deepEqual(
      rows.map(({ amount }) => amount),
      ['250000'],
    )
  })

  await t.test('ps, logs, open and statement say it for people and for programs', async () => {
    assert.match((await run('ps')).stdout, new RegExp(`${slug} .* http://${slug}\\.localhost`))
    const { apps } = JSON.parse((await run('ps', '--json')).stdout) as { apps: { slug: string }[] }
    assert.deepEqual(
      apps.map((app) => app.slug),
      [slug],
    )
    assert.match((await run('logs', slug)).stdout, /web {4}listening on 8080/)
    const lines = (await run('logs', slug, '--json')).stdout.trim().split('\n')
    assert.ok(lines.some((line) => (JSON.parse(line) as { text: string }).text.includes('listening')))
    assert.match((await run('open', slug)).stdout, /^App: http.*\nPage: http/)
    assert.match((await run('statement', slug)).stdout, /contribution-purse .* \+4\.\d+/)
  })

  await t.test('only whoever deployed it may stop and run it', async () => {
    const other = await command([launcher, 'stop', slug, '--key', join(home, 'other')], {
      env: { PATH: process.env['PATH'], HOME: home, PERENNIAL_NODE: node.origin },
    })
    assert.equal(other.code, 1)
    assert.match(other.stderr, /^perennial: .*\n→ /)
    assert.match((await run('stop', slug)).stdout, /is stopped; to run it: perennial run/)
    assert.match((await run('run', slug)).stdout, /runs again: http/)
  })

  await t.test(
    'run with a command runs it once in a copy of the app, prints what it prints and ends as it ends',
    async () => {
      const done = await run('run', slug, '--', 'sh', '-c', 'echo from a copy; exit 3')
      assert.equal(done.code, 3, done.stderr)
      assert.match(done.stdout, /run-[0-9a-f]{6} from a copy\nrun-[0-9a-f]{6} exited with code 3/)
      const { runs } = JSON.parse((await run('call', 'processes', 'list', '--app', slug)).stdout) as {
        runs: { exitCode: number }[]
      }
      assert.deepEqual(
        runs.map(({ exitCode }) => exitCode),
        [3],
      )
    },
  )

  await t.test('any method of the catalogue can be called as declared', async () => {
    const done = await run('call', 'ledger', 'account', '--account', 'commons')
    assert.equal((JSON.parse(done.stdout) as { balance: string }).balance, '250000')
    assert.equal((await run('call', 'ledger', 'account')).code, 2)
    assert.equal((await run('call', 'ledger', 'account', '--account', '???')).code, 2)
  })

  await t.test('what goes wrong is said in words, with the next step and an exit code', async () => {
    const missing = await run('fund', 'no--such', '1', '--json')
    assert.equal(missing.code, 1)
    assert.equal((JSON.parse(missing.stdout) as { refusal: string }).refusal, 'client-error/not-found')
    assert.equal((await run('fund', slug, 'much')).code, 2)
    assert.equal((await run('frobnicate')).code, 2)
    assert.equal((await run('deploy', 'http://10.0.0.1/octo/hello')).code, 1)
    const nobody = await run('ps', '--node', 'http://127.0.0.1:9')
    assert.equal(nobody.code, 1)
    assert.match(nobody.stderr, /no answer from http:\/\/127\.0\.0\.1:9.*\n→ start one with perennial up/)
  })
})
