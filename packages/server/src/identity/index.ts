/** Who calls: keys that sign, visitors with a session, and how much of the node's time each may take. */
export { openIdentity, type Identity } from './identity.ts'
export type { Limits, LimitName } from './limits.ts'
export type { Nonces } from './nonces.ts'
export { SESSION_COOKIE, type Session, type Sessions } from './sessions.ts'
