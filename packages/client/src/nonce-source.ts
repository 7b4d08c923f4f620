/** The client's side of nonces: one token at a time, and a count behind it that never repeats. */
import { formatNonce, Malformed, tokenExpiry } from '@perennial/protocol'

/** A token this close to its end is not used: the request might arrive after it. */
const SPARE_SECONDS = 30

export class NonceSource {
  #current: { readonly token: string; readonly expiry: number; n: number } | undefined

  /** Undefined when there is no token: the node then refuses and offers one. */
  next(nowSeconds: number): string | undefined {
    if (!this.#current || this.#current.expiry - SPARE_SECONDS <= nowSeconds) return undefined
    return formatNonce({ token: this.#current.token, n: this.#current.n++ })
  }

  /**
   * A token that the node offers. It is taken when the present one was refused, or ends earlier by half its life, so
   * that calls under way keep counting behind the same token and the node has few of them to remember.
   */
  offer({ token, refused }: { readonly token: string; readonly refused: string | undefined }): void {
    const expiry = expiryOf(token)
    if (expiry === undefined || token === this.#current?.token) return
    const spent = refused !== undefined && this.#current !== undefined && refused.startsWith(`${this.#current.token}:`)
    if (!this.#current || spent || expiry > this.#current.expiry + 300) this.#current = { token, expiry, n: 0 }
  }
}

function expiryOf(token: string): number | undefined {
  try {
    return tokenExpiry(token)
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}
