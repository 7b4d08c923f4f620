import fc from 'fast-check'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeBase58 } from './base58.ts'
import { fromBase64, fromBase64Url, fromHex } from './bytes.ts'
import { contentDigest, digestMatches } from './digest.ts'
import { isDid, keyFromSeed, newSeed, publicKeyOf } from './keys.ts'
import { Malformed } from './malformed.ts'
import { parseAmount, parseMicros } from './micros.ts'
import { formatNonce, parseNonce, tokenExpiry } from './nonce.ts'
import { DEFAULT_PRICE_BOOK } from './price-book.default.ts'
import { formatPriceBook, parsePriceBook } from './price-book.ts'
import { problemOf, refusalOf, refuse } from './problem.ts'
import { formatReceipt, parseReceipt, signReceipt } from './receipt.ts'
import { parseDictionary, parseList } from './structured-fields.ts'
import { SCALE } from './testing/vectors.ts'
import { utf8 } from './bytes.ts'

const key = await keyFromSeed(newSeed())
const token = 'AAAAAGqxW3g.5Yw2hV0m1b0iJp6QkW3nTQ'
const receipt = await signReceipt(
  {
    format: 'perennial-receipt/1',
    id: '01938f5e-7a00-7000-8000-000000000000',
    node: key.did,
    ledger: 'l',
    asset: 'TEST',
    payer: 'app/hello/purse',
    service: 'hosting',
    from: new Date(0),
    to: new Date(1),
    priceBook: '00'.repeat(32),
    lines: [{ meter: 'cpu', used: 1n, cost: 0n }],
    total: 0n,
    transfers: [],
  },
  key,
)

/** Every reader of text from outside, with a text that it takes. */
const parsers: Record<string, { good: string; parse: (text: string) => unknown }> = {
  parseAmount: { good: '1234.567891', parse: parseAmount },
  parseMicros: { good: '-1234567891', parse: parseMicros },
  parsePriceBook: { good: formatPriceBook(DEFAULT_PRICE_BOOK), parse: parsePriceBook },
  parseReceipt: { good: formatReceipt(receipt), parse: parseReceipt },
  parseNonce: { good: formatNonce({ token, n: 7 }), parse: parseNonce },
  tokenExpiry: { good: token, parse: tokenExpiry },
  publicKeyOf: { good: key.did, parse: publicKeyOf },
  isDid: { good: key.did, parse: isDid },
  decodeBase58: { good: key.did.slice(9), parse: decodeBase58 },
  fromHex: { good: 'c0ffee', parse: fromHex },
  fromBase64: { good: 'c29tZXRoaW5nIQ==', parse: fromBase64 },
  fromBase64Url: { good: 'c29tZXRoaW5nIQ', parse: fromBase64Url },
  digestMatches: { good: contentDigest(utf8('x')), parse: (text) => digestMatches(text, utf8('x')) },
  parseDictionary: { good: 'oc=("@method" "x";req);created=17;tag="a/1", b=:AAAA:', parse: parseDictionary },
  parseList: { good: '"a";b=?0, (c d), 5', parse: parseList },
  refusalOf: {
    good: JSON.stringify(problemOf(refuse('access-denied', 'No.'))),
    parse: (text) => refusalOf(lenient(text)),
  },
}

function lenient(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A text with some of it cut, doubled, or replaced by what parsers trip over. */
function damaged(good: string): fc.Arbitrary<string> {
  const scrap = fc.oneof(
    fc.constantFrom(
      '',
      '\0',
      '\n',
      '\u2028',
      '\ud800',
      '"',
      '\\',
      '{',
      '[',
      '-',
      '.',
      ':',
      ';',
      '=',
      '0',
      'e9',
      '__proto__',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc.nat(5_000).map((length) => '9'.repeat(length)),
  )
  return fc
    .tuple(fc.nat(good.length), fc.nat(8), scrap)
    .map(([at, cut, by]) => good.slice(0, at) + by + good.slice(at + cut))
}

for (const [name, { good, parse }] of Object.entries(parsers)) {
  test(`${name} takes what it should, and answers or refuses whatever else it is given`, () => {
    assert.doesNotThrow(() => parse(good), 'the control')
    const texts = fc.oneof(
      damaged(good),
      damaged(good),
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constant('x'.repeat(200_000)),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parse(text)
        } catch (error) {
          assert.ok(error instanceof Malformed, String(error))
        }
      }),
      { numRuns: 150 * SCALE },
    )
  })
}
