/**
 * How values travel in JSON, used by every method's input and output.
 *
 * Each is a codec: on the wire a string that JSON holds exactly, in code a bigint, number or Date. Integers in inputs
 * are decimal strings, so that a GET's query and a POST's body read alike.
 */
import * as z from 'zod'
import { MAX_MICROS, type Micros } from './micros.ts'
import { UUID } from './id.ts'

/** Micros as decimal digits: `5000000` is 5.00. */
export const micros = z.codec(
  z
    .string()
    .regex(/^(0|-?[1-9]\d{0,15})$/, 'an amount is micros in decimal digits: 5000000 is 5.00')
    .describe('micros (millionths of the currency unit) as decimal digits'),
  z.bigint().refine((value) => value <= MAX_MICROS && value >= -MAX_MICROS, 'more than a ledger holds'),
  { decode: (text): Micros => BigInt(text), encode: (value) => value.toString() },
)

/** An amount that someone pays: micros, more than none. */
export const payment = z.codec(
  z
    .string()
    .regex(/^[1-9]\d{0,15}$/, 'a payment is positive micros in decimal digits: 5000000 is 5.00')
    .describe('micros (millionths of the currency unit) as decimal digits, more than 0'),
  z.bigint().refine((value) => value > 0n && value <= MAX_MICROS, 'more than a ledger holds'),
  { decode: (text): Micros => BigInt(text), encode: (value) => value.toString() },
)

/** A position or a count that may pass 2^53. */
export const bigCount = z.codec(
  z
    .string()
    .regex(/^(0|[1-9]\d{0,17})$/, 'a position is decimal digits')
    .describe('a position, as decimal digits'),
  z.bigint().nonnegative(),
  { decode: (text) => BigInt(text), encode: (value) => value.toString() },
)

/** An integer of any size we use, such as the byte-milliseconds of a price: up to 24 digits. */
export const bigInteger = z.codec(
  z
    .string()
    .regex(/^(0|[1-9]\d{0,23})$/, 'an integer is decimal digits')
    .describe('integer as decimal digits'),
  z.bigint().nonnegative(),
  { decode: (text) => BigInt(text), encode: (value) => value.toString() },
)

/** How many rows to answer with. */
export const pageSize = z.codec(
  z
    .string()
    .regex(/^[1-9]\d{0,2}$/, 'a limit is 1 to 999')
    .describe('how many, 1 to 999, as decimal digits'),
  z.number().int().min(1).max(999),
  { decode: (text) => Number(text), encode: (value) => value.toString() },
)

/** A moment: `2026-11-21T08:12:06.123Z`, always UTC. */
export const instant = z.codec(z.iso.datetime().describe('a moment in UTC, RFC 3339'), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})

export const id = z.string().regex(UUID, 'an id is a lower-case UUID').describe('UUID')

/** `hello--octo`: the app's host name without the apps' domain. */
export const slug = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'an app is named by its slug, such as hello--octo, or its id')

/** An app, by its slug or its id: a UUID is spelled like a slug, so one rule reads both. */
export const app = slug.describe('the slug or the id of an app')

/** A commit, a branch or a tag; never an option, a range or a path out of refs. */
export const gitRef = z
  .string()
  .max(250)
  .regex(
    /^(?!.*(?:\.\.|@\{|\/\/|\.lock$))(?!@$)[A-Za-z0-9_@][A-Za-z0-9_./+@#=,-]*$/,
    'not the name of a branch, a tag or a commit',
  )
  .describe('a branch, a tag or a commit')

/** Below the repository's top: `packages/web`. Never a hidden folder, an option, or a way up. */
export const folder = z
  .string()
  .max(200)
  .regex(/^(?:\.?\/)?(?:[A-Za-z0-9_@+~][A-Za-z0-9_@+~.,=-]*(?:\/(?!$)|\/?$))*$/, 'not a folder of a repository')
  .describe('a folder of the repository, such as packages/web')

/** Where a public repository is; whether this node fetches from there is for the node to say. */
export const repositoryUrl = z
  .string()
  .min(1)
  .max(2048, 'a repository URL has at most 2048 characters')
  .refine((text) => !hasControlOrSpace(text), 'a URL has no spaces or control characters')
  .describe('the URL of a public git repository')

/** What a payer wishes to be called in public. One line, shown as text. */
export const publicName = z
  .string()
  .trim()
  .min(1)
  .max(80, 'a public name has at most 80 characters')
  .refine((text) => !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/u.test(text), 'a public name is one line of plain text')
  .describe('what to call the payer in public')

/** `app/<id>/purse`, `commons`, `provider/did:key:z…`. */
export const accountName = z
  .string()
  .max(200)
  .regex(/^[a-z][A-Za-z0-9:/._-]*$/, 'an account is named like app/<id>/purse, commons or provider/<did>')
  .describe('an account: app/<id>/purse, commons, provider/<did>')

function hasControlOrSpace(text: string): boolean {
  return /[\p{Cc}\s]/u.test(text)
}
