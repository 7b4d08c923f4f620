import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { isRefusal } from '@perennial/protocol'
import { FakeClock } from '../clock.ts'
import { openDiagnostics, Secret } from '../diagnostics.ts'
import { openEvents } from '../events.ts'
import { openJobs } from '../jobs.ts'
import { openConfigKey } from '../keys.ts'
import { serverDatabase } from '../testing.ts'
import { openSeal } from './config-seal.ts'
import { scrubber } from './config-scrub.ts'
import { openApps, openConfig, openLogs, type App, type AppConfig, type NewSetting } from './index.ts'

const SCALE = Number(process.env['TEST_SCALE'] ?? 1)
const key = (fill: number) => new Secret(new Uint8Array(32).fill(fill))
const shown = (value: string): NewSetting => ({ value, secret: false })
const secret = (value: string): NewSetting => ({ value, secret: true })

interface Bench {
  readonly database: Awaited<ReturnType<typeof serverDatabase>>['database']
  readonly folder: string
  readonly app: App
  readonly config: AppConfig
  /** As the next start of a node finds it. */
  reopen(): Promise<AppConfig>
  set(settings: Record<string, NewSetting>): Promise<unknown>
  readonly logged: string[]
}

async function withConfig(work: (bench: Bench) => Promise<void>): Promise<void> {
  await using served = await serverDatabase()
  const { database } = served
  const folder = mkdtempSync(join(tmpdir(), 'perennial-keys-'))
  const clock = new FakeClock()
  const logged: string[] = []
  const diagnostics = openDiagnostics({ level: 'debug', write: (line) => logged.push(line) })
  const jobs = openJobs({ database, clock, diagnostics, owner: 'test' })
  const services = { database, clock, diagnostics, events: openEvents({ jobs, clock }), jobs, config: {} as never }
  const origin = { slug: 'a--b', url: 'https://forge.example/b/a', forge: 'forge.example', owner: 'b', name: 'a' }
  const app = await database.transaction((tx) => openApps(services).create(tx, origin, {}))
  const open = async () => openConfig(services, { key: await openConfigKey(folder) })
  const config = await open()
  try {
    await work({
      database,
      folder,
      app,
      config,
      reopen: open,
      set: (settings) => database.transaction((tx) => config.set(tx, app.id, settings)),
      logged,
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('settings are given to processes by version, and everyone sees the public ones', () =>
  withConfig(async ({ database, app, config, set }) => {
    assert.equal(await set({ GREETING: shown('hello'), TOKEN: secret('correct horse') }), 1)
    assert.equal(await set({ GREETING: shown('hi') }), 2)
    assert.equal(await set({ GREETING: shown('hi'), TOKEN: secret('correct horse') }), null, 'nothing changed')
    assert.equal(await database.transaction((tx) => config.unset(tx, app.id, ['TOKEN', 'NONE'])), 3)
    assert.deepEqual(await config.environment(app.id, 0), {})
    assert.deepEqual(await config.environment(app.id, 1), { GREETING: 'hello', TOKEN: 'correct horse' })
    assert.deepEqual(await config.environment(app.id, 2), { GREETING: 'hi', TOKEN: 'correct horse' })
    assert.deepEqual(await config.environment(app.id, 3), { GREETING: 'hi' })
    await set({ TOKEN: secret('battery staple') })
    const list = (await config.list(app.id)).map(({ name, value, secret: hidden }) => [name, value, hidden])
    assert.deepEqual(list, [['GREETING', 'hi', false], ['TOKEN', null, true]]) // prettier-ignore
    await config.forget(database, app.id, 4)
    assert.deepEqual(await config.environment(app.id, 4), { GREETING: 'hi', TOKEN: 'battery staple' })
    assert.deepEqual(await config.environment(app.id, 1), {})
  }))

test('what cannot be a setting is refused in words that do not repeat it', () =>
  withConfig(async ({ set }) => {
    for (const [name, value] of [
      ['PORT', '1'],
      ['1ST', 'x'],
      ['A-B', 'x'],
      ['LONG', 'swordfish'.repeat(4000)],
      ['NUL', 'swordfish\0'],
    ] as const) {
      const refused = await set({ [name]: secret(value) })
      assert.ok(isRefusal(refused), name)
      assert.doesNotMatch(JSON.stringify(refused), /swordfish/)
    }
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`A${index}`, shown('x')]))
    assert.ok(isRefusal(await set(many)))
  }))

test('a secret is in no table as it is, and in nothing that the node prints', () =>
  withConfig(async ({ database, config, set, app, logged }) => {
    await set({ TOKEN: secret('swordfish-9000') })
    await config.generate(app.id, { names: ['MADE', 'TOKEN'], version: 1 })
    const { MADE, TOKEN } = await config.environment(app.id, 1)
    assert.equal(TOKEN, 'swordfish-9000')
    assert.match(MADE ?? '', /^[0-9a-f]{64}$/)
    await config.generate(app.id, { names: ['MADE'], version: 1 })
    assert.equal((await config.environment(app.id, 1))['MADE'], MADE, 'made once, and kept')
    const tables = await database.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'ledger')`,
    )
    for (const { name } of tables) {
      const rows = await database.query<{ text: string }>(`select row_to_json(t)::text as text from ${name} t`)
      const text = rows.map((row) => row.text).join('\n') + logged.join('')
      for (const value of ['swordfish', Buffer.from('swordfish-9000').toString('hex'), MADE ?? ''])
        assert.ok(!text.includes(value), name)
    }
  }))

test('a value is sealed for its app and its name, and one bit changed opens nothing', () => {
  const [old, next] = [key(1), key(2)]
  const place = { app: '00000000-0000-7000-8000-000000000001', name: 'TOKEN' }
  const sealed = openSeal([old]).seal(place, new Secret('swordfish'))
  assert.equal(openSeal([next, old]).open(place, sealed).reveal(), 'swordfish')
  assert.equal(openSeal([next, old]).isCurrent(sealed), false)
  assert.throws(() => openSeal([next]).open(place, sealed), /under a key that is not here/)
  assert.throws(() => openSeal([old]).open({ ...place, name: 'OTHER' }, sealed))
  assert.throws(() => openSeal([old]).open({ ...place, app: place.app.replace('1', '2') }, sealed))
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.nat(7), (at, bit) => {
      const broken = Buffer.from(sealed)
      broken[at] = (broken[at] ?? 0) ^ (1 << bit)
      assert.throws(() => openSeal([old]).open(place, broken))
    }),
    { numRuns: 200 * SCALE },
  )
})

test('the key is a file of its own that nobody else may read, and is replaced without losing a value', () =>
  withConfig(async ({ folder, app, config, set, reopen }) => {
    const file = join(folder, 'config')
    assert.equal(statSync(file).mode & 0o777, 0o600)
    await set({ ONE: secret('first value'), TWO: secret('second value') })
    await set({ ONE: secret('third value') })
    const before = readFileSync(file, 'utf8')
    await config.rotate()
    assert.notEqual(readFileSync(file, 'utf8'), before)
    assert.equal(existsSync(`${file}.next`), false)
    for (const now of [config, await reopen()]) {
      assert.deepEqual(await now.environment(app.id, 1), { ONE: 'first value', TWO: 'second value' })
      assert.deepEqual(await now.environment(app.id, 2), { ONE: 'third value', TWO: 'second value' })
    }
    chmodSync(file, 0o644)
    await assert.rejects(reopen(), /can be read by others/)
  }))

test('a rotation that a kill cut off is ended by the next start, wherever it was', () =>
  withConfig(async ({ folder, app, set, reopen }) => {
    await set({ ONE: secret('first value') })
    const file = join(folder, 'config')
    const old = readFileSync(file, 'utf8')
    // Killed after the next key was made, before anything was sealed under it.
    writeFileSync(`${file}.next`, `${'ab'.repeat(32)}\n`, { mode: 0o600 })
    const second = await reopen()
    assert.equal((await second.environment(app.id, 1))['ONE'], 'first value')
    await second.recover()
    assert.equal(readFileSync(file, 'utf8'), `${'ab'.repeat(32)}\n`)
    // Killed after everything was sealed, before the old key went.
    writeFileSync(`${file}.next`, readFileSync(file, 'utf8'), { mode: 0o600 })
    writeFileSync(file, old)
    const third = await reopen()
    await third.recover()
    assert.equal((await (await reopen()).environment(app.id, 1))['ONE'], 'first value')
    assert.equal(existsSync(`${file}.next`), false)
  }))

test('what an app prints is stored without its secrets, in whatever form it prints them', () =>
  withConfig(async ({ database, app, config, set }) => {
    const value = 'pass/word+with "quotes" & Ünïcode'
    await set({
      TOKEN: secret(value),
      SHORT: secret('abc'),
      PEM: secret('-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n'),
    })
    await config.environment(app.id, 1)
    const clock = new FakeClock()
    const logs = openLogs({ database, clock, diagnostics: openDiagnostics({ level: 'error' }) }, config)
    const bytes = Buffer.from(value)
    const lines = [
      `it is ${value}!`,
      bytes.toString('hex'),
      bytes.toString('base64'),
      bytes.toString('base64url'),
      Buffer.from(`user:${value}`).toString('base64'),
      Buffer.from(`ab${value}cd`).toString('base64'),
      `https://host/?token=${encodeURIComponent(value)}`,
      JSON.stringify({ token: value }),
      'line two of the key: MIIEvQIBADANBg',
      'abc is too short to be taken out',
    ]
    await logs.append(app.id, 'web', lines)
    const stored = (await logs.tail({ app: app.id })).map(({ text }) => text)
    assert.equal(stored.length, lines.length)
    for (const [index, text] of stored.slice(0, 9).entries()) assert.match(text, /\[(TOKEN|PEM)\]/, lines[index] ?? '')
    assert.equal(stored[0], 'it is [TOKEN]!')
    assert.equal(stored[8], 'line two of the key: [PEM]')
    assert.equal(stored[9], lines[9])
    // A value that a process was given later is taken out from then on.
    await set({ LATER: secret('given afterwards') })
    await config.environment(app.id, 2)
    await logs.append(app.id, 'web', ['given afterwards'])
    assert.equal((await logs.tail({ app: app.id, limit: 1 }))[0]?.text, '[LATER]')
    await logs.close()
  }))

test('no secret of eight characters or more is left in a text, wherever it stands and however it is written', () => {
  const value = fc.string({ minLength: 8, maxLength: 60, unit: 'binary' }).filter((text) => !text.includes('\0'))
  const around = fc.string({ maxLength: 20 })
  fc.assert(
    fc.property(value, around, around, fc.nat(5), (text, before, after, form) => {
      const scrub = scrubber([{ name: 'S', value: text }])
      const bytes = Buffer.from(text)
      const whole = Buffer.from(`${before}${text}${after}`)
      const printed = [
        `${before}${text}${after}`,
        `${before}${bytes.toString('hex')}${after}`,
        `${before}${encodeURIComponent(text)}${after}`,
        whole.toString('base64'),
        whole.toString('base64url'),
        JSON.stringify(`${before}${text}${after}`),
      ][form]!
      assert.match(scrub?.(printed) ?? '', /\[S\]/)
    }),
    { numRuns: 1000 * SCALE },
  )
})
