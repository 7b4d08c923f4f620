import assert from 'node:assert/strict'
import { closeSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import test from 'node:test'
import fc from 'fast-check'
import { messageOf, openLog } from './log.ts'

const gid = process.getgid?.() ?? 0

test('a log is for its group alone, and so is what was put aside, also by an earlier version', () => {
  using folder = temporary()
  const path = `${folder.path}/thing.log`
  writeFileSync(path, 'old', { mode: 0o644 })
  writeFileSync(`${path}.1`, 'older', { mode: 0o644 })
  const log = openLog({ path, gid: 12_345, maxBytes: 10 })
  const { fd } = log.open()
  writeSync(fd, 'long enough to be put aside')
  log.rotate()
  closeSync(fd)
  for (const file of [path, `${path}.1`, `${path}.2`]) {
    const { mode, gid } = statSync(file)
    assert.deepEqual([mode & 0o777, gid], [0o640, 12_345], file)
  }
})

test('a full log is put aside while the program writes on, and only a few are kept', () => {
  using folder = temporary()
  const path = `${folder.path}/thing.log`
  const log = openLog({ path, gid, maxBytes: 100 })
  const { fd } = log.open()
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 11; i++) writeSync(fd, `round ${round}.\n`.padStart(12))
    log.rotate()
    writeSync(fd, `after ${round}.\n`)
  }
  closeSync(fd)
  assert.equal(readFileSync(path, 'utf8'), 'after 5.\n')
  assert.match(readFileSync(`${path}.1`, 'utf8'), /round 5/)
  assert.match(readFileSync(`${path}.3`, 'utf8'), /round 3/)
  assert.equal(existsSync(`${path}.4`), false)
  // Never more than its size, however fast somebody prints.
  assert.ok(statSync(`${path}.1`).size <= 100)
})

test('last words are those of this life, without frames, though the log was cut meanwhile', () => {
  using folder = temporary()
  const log = openLog({ path: `${folder.path}/thing.log`, gid, maxBytes: 40 })
  const first = log.open()
  writeSync(first.fd, 'words of an earlier life\n')
  const second = log.open()
  writeSync(second.fd, 'no room left\n    at somewhere\n{"at":"now","message":"it","error":{"message":"failed"}}\n')
  assert.equal(second.lastWords(), '  no room left\n  it: failed')
  log.rotate()
  writeSync(second.fd, '{"at":"now","mess')
  assert.equal(second.lastWords(), '  {"at":"now","mess')
  for (const { fd } of [first, second]) closeSync(fd)
})

test('any line has a message', () => {
  const line = fc.oneof(
    fc.string(),
    fc.json(),
    fc.constantFrom('null', '7', '{"at":1,"message":{}}', '{"message":"a","error":0}'),
  )
  fc.assert(fc.property(line, (text) => assert.equal(typeof messageOf(text), 'string')))
})

function temporary(): { path: string } & Disposable {
  const path = mkdtempSync('/tmp/perennial-log-')
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}
