import assert from 'node:assert/strict'
import test from 'node:test'
import { openOutput, table } from './output.ts'

function streams(terminal: boolean) {
  const said = { answers: '', progress: '' }
  return {
    said,
    answers: { write: (text: string) => (said.answers += text) },
    progress: { write: (text: string) => (said.progress += text), isTTY: terminal },
  }
}

test('in a pipe, answers come alone on standard output and progress is whole lines', async () => {
  const to = streams(false)
  const out = openOutput({ json: false }, to)
  await out.step('Building', async (say) => say('fetched'))
  out.answer('App: http://hello', { app: 'hello' })
  assert.equal(to.said.answers, 'App: http://hello\n')
  assert.match(to.said.progress, /^ {2}fetched\n✓ Building \(0\.\d s\)\n$/)
})

test('on a terminal the step stands there while it is done, and its line is completed', async () => {
  const to = streams(true)
  await openOutput({ json: false }, to).step('Building', async () => undefined)
  assert.match(to.said.progress, /^… Building\r/)
  assert.match(to.said.progress, /Building \(0\.\d s\)\n$/)
})

test('with --json there is one object a line and nothing else', async () => {
  const to = streams(true)
  const out = openOutput({ json: true }, to)
  await out.step('Building', async (say) => say('fetched'))
  out.answer('App: http://hello', { app: 'hello' })
  assert.deepEqual(to.said, { answers: '{"app":"hello"}\n', progress: '' })
})

test("a stranger's words may say anything, but not move the cursor", async () => {
  const to = streams(true)
  const out = openOutput({ json: false }, to)
  out.answer('App: \u001b[2J\u001b]0;owned\u0007hello\r\u202e', {})
  out.note('refused: \u009b31mred\ntwo')
  assert.match(to.said.answers, /^App: [^\p{Cc}\p{Cf}]*\n$/u)
  assert.match(to.said.progress, /^refused: [^\p{Cc}\p{Cf}]*\ntwo\n$/u)
})

test('what a program gets moves no cursor either, and is what was said', () => {
  const to = streams(true)
  const said = { text: 'x\u009b31m\u202e\u{e0001}\u001b é' }
  openOutput({ json: true }, to).answer('', said)
  assert.match(to.said.answers, /^[^\p{Cc}\p{Cf}]*\n$/u)
  assert.deepEqual(JSON.parse(to.said.answers), said)
})

test('a step that fails says so and passes the reason on', async () => {
  const to = streams(false)
  const failing = openOutput({ json: false }, to).step('Building', () => Promise.reject(new Error('no disk')))
  await assert.rejects(failing, /no disk/)
  assert.match(to.said.progress, /✗ Building/)
})

test('figures in a table stand under each other', () => {
  const text = table(
    ['APP', '>PURSE'],
    [
      ['hello', '5.00'],
      ['photos', '12.00'],
    ],
  )
  assert.equal(text, 'APP     PURSE\nhello    5.00\nphotos  12.00')
})
