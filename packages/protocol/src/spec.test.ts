import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { RECORD_TOPICS, TRANSFER_CODES } from './codes.ts'
import { COMMONS_PERCENT, RESERVE_DAYS } from './lifecycle.ts'
import { METER_UNITS } from './meters.ts'
import { TOKEN_LIFE_SECONDS, WINDOW_SIZE } from './nonce.ts'
import { HTTP_STATUS } from './problem.ts'

const page = (name: string) => readFile(new URL(`../../../spec/${name}.md`, import.meta.url), 'utf8')

test('the spec lists every transfer code and record topic with its number', async () => {
  const text = await page('entry-and-leaf')
  for (const [word, code] of Object.entries(TRANSFER_CODES))
    assert.match(text, new RegExp(`\\| ${code} \\| ${word} \\|`))
  for (const [word, topic] of Object.entries(RECORD_TOPICS)) assert.match(text, new RegExp(`\\b${topic} ${word}[,.]`))
})

test('the spec lists every refusal under its HTTP status', async () => {
  const text = await page('call')
  for (const [status, http] of Object.entries(HTTP_STATUS)) {
    const row = text.split('\n').find((line) => new RegExp(`^\\|[^|]*\\b${http}\\b[^|]*\\|`).test(line))
    // A row names the branch once: `request-declined/payment-required, please-pay`.
    const leaf = status.split('/').at(-1)!
    assert.ok(row?.includes(leaf), `${http} ${status}`)
  }
})

test('the spec names each meter with its unit, and the figures that the code uses', async () => {
  const prices = await page('price-book')
  for (const [meter, unit] of Object.entries(METER_UNITS))
    assert.ok(prices.includes(`| \`${meter}\` | ${unit} |`), meter)
  const money = await page('money')
  assert.ok(money.includes(`amount · ${COMMONS_PERCENT} / 100`))
  assert.ok(money.includes(`${RESERVE_DAYS} days of storage rent`))
  const call = await page('call')
  assert.ok(call.includes(`lives for ${TOKEN_LIFE_SECONDS / 60} minutes`))
  assert.ok(
    call.includes(`by ${WINDOW_SIZE.toLocaleString('en')}`) ||
      call.includes(`by\n  ${WINDOW_SIZE.toLocaleString('en')}`),
  )
})
