/**
 * A receipt: what was served, for how much, signed by who served it. A small JSON document that anyone can keep,
 * check without asking anybody, and hold against the ledger, whose transfers it names.
 */
import * as z from 'zod'
import { fromBase64Url, toBase64Url, utf8, concat, toHex } from './bytes.ts'
import { canonicalBytes, type Json } from './canonical.ts'
import { verifySignature, type Key } from './keys.ts'
import { Malformed } from './malformed.ts'
import { METERS } from './meters.ts'
import { sha256 } from './sha256.ts'
import { bigInteger, id, instant, micros } from './wire.ts'

const MAX_RECEIPT_LENGTH = 65_536
/** Before the document's bytes when they are signed, so that the signature can never pass for one of something else. */
const CONTEXT = utf8('perennial receipt/1\n')

const receiptShape = z.strictObject({
  format: z.literal('perennial-receipt/1'),
  id,
  /** did:key of the node that served, and signs. */
  node: z.string().max(100),
  ledger: z.string().max(128),
  asset: z.string().max(10),
  /** The app it was served to, or the caller of a method. */
  payer: z.string().max(200),
  /** `apps.deploy`, or `hosting` for an hour of an app. */
  service: z.string().max(100),
  from: instant,
  to: instant,
  /** SHA-256 of the price book, hex. */
  priceBook: z.string().regex(/^[0-9a-f]{64}$/),
  lines: z.array(z.strictObject({ meter: z.enum(METERS), used: bigInteger, cost: micros })).max(METERS.length),
  total: micros,
  /** Ids of the ledger's transfers. */
  transfers: z.array(id).max(64),
})

export type Receipt = z.output<typeof receiptShape>

export interface SignedReceipt {
  readonly receipt: Receipt
  readonly signature: Uint8Array
}

export async function signReceipt(receipt: Receipt, key: Key): Promise<SignedReceipt> {
  const sum = receipt.lines.reduce((total, line) => total + line.cost, 0n)
  if (sum !== receipt.total) throw new Malformed(`a receipt's lines sum to ${sum}, its total is ${receipt.total}`)
  if (receipt.node !== key.did) throw new Malformed('a receipt is signed by the node that it names')
  return { receipt, signature: await key.sign(signedBytes(receipt)) }
}

/** Whether the named node signed exactly this, and whether its lines add up. */
export async function verifyReceipt({ receipt, signature }: SignedReceipt): Promise<boolean> {
  const sum = receipt.lines.reduce((total, line) => total + line.cost, 0n)
  if (sum !== receipt.total) return false
  return verifySignature({ did: receipt.node, message: signedBytes(receipt), signature })
}

/** What goes on the log as the record's document hash. */
export function receiptHash(receipt: Receipt): string {
  return toHex(sha256(documentBytes(receipt)))
}

export function formatReceipt({ receipt, signature }: SignedReceipt): string {
  return JSON.stringify({ receipt: z.encode(receiptShape, receipt), signature: toBase64Url(signature) })
}

export function parseReceipt(text: string): SignedReceipt {
  if (text.length > MAX_RECEIPT_LENGTH) throw new Malformed(`a receipt is at most ${MAX_RECEIPT_LENGTH} characters`)
  const read = z.strictObject({ receipt: receiptShape, signature: z.string().max(100) }).safeParse(jsonOf(text))
  if (!read.success) throw new Malformed(`this is not a receipt: ${z.prettifyError(read.error)}`)
  return { receipt: read.data.receipt, signature: fromBase64Url(read.data.signature) }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Malformed(`a receipt is JSON: ${(error as Error).message}`)
  }
}

function documentBytes(receipt: Receipt): Uint8Array {
  return canonicalBytes(z.encode(receiptShape, receipt) satisfies Json)
}

function signedBytes(receipt: Receipt): Uint8Array {
  return concat(CONTEXT, documentBytes(receipt))
}
