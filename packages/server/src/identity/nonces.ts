/**
 * Each signed request is taken once: tokens that only this process can make, and which numbers behind them were used.
 *
 * The secret lives as long as the process. A restart therefore refuses every earlier nonce, whose windows it no longer
 * knows; clients ask for a new token and try again, once.
 */
import { createHmac, randomBytes, randomInt } from 'node:crypto'
import {
  checkToken,
  issueToken,
  Malformed,
  NonceWindow,
  parseNonce,
  TOKEN_LIFE_SECONDS,
  type Mac,
} from '@perennial/protocol'
import type { Clock } from '../clock.ts'

export interface Nonces {
  /** A fresh token for this key. */
  issue(did: string): string
  /** True once for each nonce of a token of ours that has not expired. */
  take(did: string, nonce: string | undefined): boolean
}

/** 128 bytes each. Forgetting one would let its requests be replayed, so a full table forgets the secret instead. */
const MAX_WINDOWS = 50_000

export function openNonces({ clock, maxWindows = MAX_WINDOWS }: { clock: Clock; maxWindows?: number }): Nonces {
  let secret = randomBytes(32)
  let windows = new Map<string, { readonly window: NonceWindow; readonly until: number }>()
  const mac: Mac = (message) => createHmac('sha256', secret).update(message).digest()
  const nowSeconds = () => Math.floor(clock.now().getTime() / 1000)

  /** Everyone alive must ask for a new token; nobody can replay an old request. */
  const makeRoom = () => {
    const now = nowSeconds()
    for (const [name, { until }] of windows) if (until <= now) windows.delete(name)
    if (windows.size < maxWindows) return
    secret = randomBytes(32)
    windows = new Map()
  }

  return {
    issue: (did) => issueToken({ did, expiresAt: nowSeconds() + TOKEN_LIFE_SECONDS, serial: randomInt(65_536), mac }),
    take(did, nonce) {
      if (nonce === undefined) return false
      let parsed
      try {
        parsed = parseNonce(nonce)
      } catch (error) {
        if (error instanceof Malformed) return false
        throw error
      }
      const now = nowSeconds()
      if (checkToken(parsed.token, { did, now, mac }) !== 'good') return false
      const known = windows.get(parsed.token)
      if (known) return known.window.take(parsed.n)
      if (windows.size >= maxWindows) {
        makeRoom()
        // The secret may be a new one: then this token is of the old.
        if (checkToken(parsed.token, { did, now, mac }) !== 'good') return false
      }
      const window = new NonceWindow()
      windows.set(parsed.token, { window, until: now + TOKEN_LIFE_SECONDS })
      return window.take(parsed.n)
    },
  }
}
