/** Who calls: keys that sign, visitors with a session, and how much of the node's time each may take. */
export { openIdentity, type Identity } from './identity.ts'
export { networkOf } from './network.ts'
export type { Session } from './sessions.ts'
