/** What hosting needs of the gateway: where an app's requests go, and what is under way. node.ts fills it. */
export interface Router {
  /** The app's requests go to this address from now on; its earlier instance gets no new ones. */
  route(to: { app: string; host: string; address: string; port: number }): Promise<void>
  /** The app's requests are held by the activator, counted, until it is awake. */
  park(where: { app: string; host: string }): Promise<void>
  /** The app is not served: the activator answers (unpaid, stopped, unknown), and nothing is counted. */
  unroute(which: { app: string }): Promise<void>
  /** Requests and WebSockets under way now, those that the activator holds included. */
  inFlight(app: string): Promise<number>
  /** True once nothing is under way on an instance that `route` or `park` has left; false after `timeoutMs`. */
  drained(which: { app: string; address: string; port: number; timeoutMs: number }): Promise<boolean>
  /** Read now. Totals only grow, over restarts of HAProxy and of the node. */
  counts(): Promise<Count[]>
}

export interface Count {
  readonly app: string
  readonly requests: bigint
  readonly bytesIn: bigint
  readonly bytesOut: bigint
  readonly inFlight: number
}
