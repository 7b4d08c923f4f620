/** Everything a node knows about who it is and who calls, opened from its keys. */
import { createHmac } from 'node:crypto'
import type { Key } from '@perennial/protocol'
import type { Keys } from '../keys.ts'
import type { Services } from '../services.ts'
import { openLimits, type Limits } from './limits.ts'
import { openNonces, type Nonces } from './nonces.ts'
import { openSessions, type Sessions } from './sessions.ts'

export interface Identity {
  /** Signs what the node says. */
  readonly node: Key
  readonly sessions: Sessions
  readonly nonces: Nonces
  readonly limits: Limits
  /**
   * Gives its bearer an admin's power over one app, on a loopback node and over TEST money only (DESIGN §8): for
   * whoever deployed in a browser and wants to stop the app from a shell.
   */
  readonly adminToken: (app: string) => string
  /** Names an input in the record of calls, so that nobody who reads the record can guess what was in it. */
  readonly digest: (text: string) => Buffer
}

export function openIdentity({ clock }: Pick<Services, 'clock'>, keys: Pick<Keys, 'node' | 'session'>): Identity {
  const mac = (purpose: string, message: Uint8Array | string) =>
    createHmac('sha256', keys.session.reveal()).update(`${purpose}\0`).update(message).digest()
  return {
    node: keys.node,
    sessions: openSessions({ clock, mac }),
    nonces: openNonces({ clock }),
    limits: openLimits({ clock }),
    digest: (text) => mac('input', text),
    adminToken: (app) => mac('admin', app).subarray(0, 16).toString('base64url'),
  }
}

/** HMAC under the session key; `purpose` keeps what is made for one use from being taken for another. */
export type PurposeMac = (purpose: string, message: Uint8Array | string) => Buffer
