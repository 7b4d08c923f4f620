/**
 * A forge's word that something was pushed, told apart from anyone else's by a secret that the forge was given.
 *
 *   GitHub            x-hub-signature-256: sha256=<hex>            HMAC-SHA256 of the body
 *   Gitea, Forgejo    x-gitea-signature, x-forgejo-signature: <hex>  the same
 *   GitLab            x-gitlab-token: <the secret itself>
 *
 *   { "ref": "refs/heads/main", "after": "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "repository": { "clone_url": … } }
 *
 * The body is read only after its signature holds. Whoever overhears a delivery can send it again: `Deliveries`
 * knows the last ones by what was signed, not by a header that anyone can change.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { isRefusal, refuse, type Refusal } from '@perennial/protocol'
import { z } from 'zod'
import { parseRef } from './ref.ts'

export interface Delivery {
  /** Any case. */
  readonly headers: Pick<Headers, 'get'>
  readonly body: Uint8Array
}

export type Webhook =
  | {
      readonly kind: 'push'
      /** `refs/heads/main`, `refs/tags/v1`. */
      readonly ref: string
      /** What it is now; null: it was deleted. */
      readonly commit: string | null
      /** Where the forge says that the repository is; whether it is the app's is for the caller to compare. */
      readonly repository: string | null
      readonly id: string
    }
  /** The forge tries the address out. */
  | { readonly kind: 'ping'; readonly id: string }

export const LONGEST_DELIVERY_BYTES = 2 * 2 ** 20
const SHORTEST_SECRET = 16
const SIGNATURES = ['x-hub-signature-256', 'x-forgejo-signature', 'x-gitea-signature'] as const
const EVENTS = ['x-github-event', 'x-forgejo-event', 'x-gitea-event', 'x-gitlab-event'] as const
const PUSHES = new Set(['push', 'push hook', 'tag push hook'])

const id = z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/)
const address = z.string().max(500).optional().catch(undefined)
const shape = z.object({
  ref: z.string().max(300),
  after: id.optional(),
  // GitLab's tags: `after` is the tag's own object.
  checkout_sha: id.nullish(),
  repository: z.object({ clone_url: address }).optional().catch(undefined),
  project: z.object({ git_http_url: address }).optional().catch(undefined),
})

export function readWebhook({ headers, body }: Delivery, secret: string): Webhook | Refusal {
  if (body.length > LONGEST_DELIVERY_BYTES)
    return refuse('client-error/too-large', `A delivery has at most ${LONGEST_DELIVERY_BYTES / 2 ** 20} MiB.`)
  if (secret.length < SHORTEST_SECRET || !isSigned({ headers, body }, secret))
    return refuse(
      'access-denied',
      'The delivery is not signed with the secret of this app.',
      'Set the secret that the app’s page shows its admin as the secret of the forge’s webhook.',
    )
  const delivered = digestOf(body)
  const event = first(headers, EVENTS)?.toLowerCase() ?? ''
  if (event === 'ping') return { kind: 'ping', id: delivered }
  if (!PUSHES.has(event))
    return refuse('client-error/invalid-arguments', 'Only pushes are understood.', 'Let the forge send push events.')
  return readPush(body, headers.get('content-type') ?? '', delivered)
}

function isSigned({ headers, body }: Delivery, secret: string): boolean {
  const signature = first(headers, SIGNATURES)
  if (signature !== null) {
    const made = createHmac('sha256', secret).update(body).digest('hex')
    return equal(signature.toLowerCase().replace(/^sha256=/, ''), made)
  }
  const token = headers.get('x-gitlab-token')
  return token !== null && equal(token, secret)
}

/** In a time that says nothing of where the two differ, or of their lengths. */
function equal(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}

function first(headers: Delivery['headers'], names: readonly string[]): string | null {
  for (const name of names) {
    const value = headers.get(name)
    if (value !== null) return value
  }
  return null
}

function readPush(body: Uint8Array, type: string, delivered: string): Webhook | Refusal {
  const read = shape.safeParse(documentOf(body, type))
  if (!read.success) return notAPush()
  const { ref, after, checkout_sha: checkout, repository, project } = read.data
  if (!/^refs\/(?:heads|tags)\//.test(ref) || isRefusal(parseRef(ref))) return notAPush()
  const commit = ref.startsWith('refs/tags/') && checkout !== undefined ? checkout : (after ?? checkout)
  if (commit === undefined) return notAPush()
  return {
    kind: 'push',
    ref,
    commit: commit === null || /^0+$/.test(commit) ? null : commit,
    repository: repository?.clone_url ?? project?.git_http_url ?? null,
    id: delivered,
  }
}

/** JSON, or a form whose one field is JSON. */
function documentOf(body: Uint8Array, type: string): unknown {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
  const form = type.toLowerCase().startsWith('application/x-www-form-urlencoded')
  try {
    return JSON.parse(form ? (new URLSearchParams(text).get('payload') ?? '') : text) as unknown
  } catch {
    return null // It is refused as what it is not.
  }
}

function notAPush(): Refusal {
  return refuse('client-error/invalid-arguments', 'The delivery names no branch or tag and the commit that it is now.')
}

function digestOf(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}

/** The last deliveries of each app, so that one that is sent again does nothing again. */
export class Deliveries {
  readonly #apps = new Map<string, Set<string>>()
  readonly #mostApps: number
  readonly #mostIds: number

  constructor({ apps = 10_000, ids = 64 }: { apps?: number; ids?: number } = {}) {
    this.#mostApps = apps
    this.#mostIds = ids
  }

  /** Whether it is new; from then on it is not. Taken once it was acted on, so that what failed may be sent again. */
  take(app: string, id: string): boolean {
    const ids = this.#apps.get(app) ?? new Set<string>()
    if (ids.has(id)) return false
    ids.add(id)
    dropOldest(ids, this.#mostIds)
    // The app that was heard of last comes last.
    this.#apps.delete(app)
    this.#apps.set(app, ids)
    dropOldest(this.#apps, this.#mostApps)
    return true
  }
}

function dropOldest(kept: Map<string, unknown> | Set<string>, most: number): void {
  for (const key of kept.keys()) {
    if (kept.size <= most) return
    kept.delete(key)
  }
}
