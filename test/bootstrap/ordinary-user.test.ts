import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { command, type Finished } from '../../packages/cli/src/bootstrap/command.ts'
import { cleanEnvironment, confined } from '../../packages/cli/src/bootstrap/confine.ts'

/** As uid perennial, who may do no more than any other ordinary user. */
async function asOrdinaryUser(script: string, words: string[] = []): Promise<Finished> {
  return command(await confined(script, words), { env: cleanEnvironment(), cwd: '/' })
}

test('without root, up says the one root command and changes nothing', async () => {
  const { code, stderr, stdout } = await asOrdinaryUser('packages/cli/src/main.ts', ['up', '--sample'])
  assert.equal(code, 2)
  assert.match(stderr, /needs root.*Run: (sudo|su -c) .*packages\/cli\/bin\/perennial up --sample/)
  assert.equal(stderr.trim().split('\n').length, 1)
  assert.equal(stdout, '')
})

test('without root, the tests say the one root command and exit with 2', async () => {
  const { code, stderr } = await asOrdinaryUser('test/run.ts')
  assert.equal(code, 2)
  assert.match(stderr, /takes root\. Run: (sudo|su -c) .*test\/run\.ts/)
})

test('without root, doctor --fix says the one root command', async () => {
  const { code, stderr } = await asOrdinaryUser('packages/cli/src/main.ts', ['doctor', '--fix'])
  assert.equal(code, 2)
  assert.match(stderr, /perennial doctor --fix/)
})

test('our code runs as its user without privileges, and cannot change itself', async () => {
  const { stdout } = await asOrdinaryUser('test/bootstrap/who-am-i.ts')
  const said = JSON.parse(stdout) as Record<string, unknown>
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((text) => text.startsWith('perennial:'))
  assert.equal(said['uid'], Number(line?.split(':')[2]))
  assert.deepEqual(said['privileges'], { NoNewPrivs: '1', CapEff: '0000000000000000', CapBnd: '0000000000000000' })
  assert.equal(said['write'], 'EROFS')
  assert.deepEqual(said['secrets'], [])
})
