/** The pipeline that every call passes, and its two doors: the wire, and our own pages. */
export { implement, type Caller, type Implementation } from './call.ts'
export { openDownloads } from './downloads.ts'
export type { House } from './house.ts'
export { handlers } from './methods/index.ts'
export type { StationHouse } from './passage.ts'
export { openRpc, type Rpc } from './rpc.ts'
export { eventStream } from './stream.ts'
