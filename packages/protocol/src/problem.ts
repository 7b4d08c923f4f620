/**
 * How a node says no: one tree of statuses, each with its HTTP status, and the body that explains it (RFC 9457).
 *
 * A client branches on the status, never on text. A refusal is a value that a handler returns; what cannot be
 * answered at all is an Error and becomes `server-error`.
 */
import * as z from 'zod'
import type { Micros } from './micros.ts'
import { micros } from './wire.ts'

/** Each status a node may answer with, and the HTTP status it travels under. */
export const HTTP_STATUS = {
  'client-error/bad-request': 400,
  'client-error/version-unsupported': 400,
  'client-error/invalid-signature': 401,
  'client-error/service-unsupported': 404,
  'client-error/method-unsupported': 404,
  'client-error/wrong-verb': 405,
  'client-error/not-found': 404,
  'client-error/conflict': 409,
  'client-error/idempotency': 409,
  'client-error/too-large': 413,
  'client-error/invalid-arguments': 422,
  'client-error/digest-mismatch': 422,
  'client-error/wrong-authority': 421,
  'access-denied': 403,
  'request-declined/refresh-nonce': 401,
  'request-declined/policy': 403,
  'request-declined/reputation': 403,
  'request-declined/payment-required': 402,
  'request-declined/please-pay': 402,
  'request-declined/currency-unsupported': 402,
  'request-declined/payment/too-low': 402,
  'request-declined/rate-limit': 429,
  'server-error': 500,
  'server-error/upstream': 502,
  'server-error/cannot-complete-request': 503,
  'server-error/storage-full': 507,
} as const

export type RefusalStatus = keyof typeof HTTP_STATUS
export type OcStatus = 'ok' | RefusalStatus

export interface Refusal {
  readonly refusal: RefusalStatus
  /** What happened, and what it cost. */
  readonly sentence: string
  /** What to do about it. */
  readonly nextStep?: string
  readonly retryAfterSeconds?: number
  /** The smallest payment that turns this no into a yes. */
  readonly minimum?: Micros
}

export function refuse(
  refusal: RefusalStatus,
  sentence: string,
  nextStep?: string,
  terms: { readonly retryAfterSeconds?: number; readonly minimum?: Micros } = {},
): Refusal {
  return { refusal, sentence, ...(nextStep === undefined ? {} : { nextStep }), ...terms }
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refusal' in value && 'sentence' in value
}

/** The same request, sent again later or after a payment, may succeed. */
export function isRetryable({ refusal }: Refusal): boolean {
  return RETRYABLE.has(HTTP_STATUS[refusal])
}

export const PROBLEM_TYPE = 'application/problem+json'

const RETRYABLE = new Set<number>([402, 429, 502, 503, 507])
const URN = 'urn:opencloud:'

const problemShape = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  ocStatus: z.string(),
  nextStep: z.string().optional(),
  instance: z.string().optional(),
  retryable: z.boolean().optional(),
  retryAfterSeconds: z.number().int().nonnegative().optional(),
  minimum: micros.optional(),
})

/** The body as it travels. */
export type Problem = z.input<typeof problemShape>

/** The body of a refusal. `instance` is the id under which the node's operator finds this request. */
export function problemOf(refused: Refusal, instance?: string): Problem {
  const { refusal, sentence, minimum, ...rest } = refused
  return {
    type: URN + refusal,
    title: titleOf(refusal),
    status: HTTP_STATUS[refusal],
    detail: sentence,
    ocStatus: refusal,
    ...rest,
    ...(instance === undefined ? {} : { instance }),
    retryable: isRetryable(refused),
    ...(minimum === undefined ? {} : { minimum: minimum.toString() }),
  }
}

/** Reads a refusal's body back. A status this version does not know is read as its parent in the tree, or a server error. */
export function refusalOf(body: unknown): Refusal | undefined {
  const read = problemShape.safeParse(body)
  if (!read.success) return undefined
  const { detail, ocStatus, nextStep, retryAfterSeconds, minimum } = read.data
  return refuse(knownStatus(ocStatus), detail, nextStep, {
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(minimum === undefined ? {} : { minimum }),
  })
}

export function isRefusalStatus(text: string): text is RefusalStatus {
  return Object.hasOwn(HTTP_STATUS, text)
}

function knownStatus(text: string): RefusalStatus {
  if (isRefusalStatus(text)) return text
  if (text.startsWith('client-error/')) return 'client-error/bad-request'
  if (text.startsWith('request-declined/payment/')) return 'request-declined/payment-required'
  if (text.startsWith('request-declined/')) return 'request-declined/policy'
  return 'server-error'
}

/** `request-declined/payment/too-low` → `Payment too low`. */
function titleOf(status: RefusalStatus): string {
  const words = status.split('/').slice(-2).join(' ').replaceAll('-', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
