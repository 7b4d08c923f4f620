/** Call a node: signed requests, checked answers. For Node and browsers; what only Node can do is in `@perennial/client/node`. */
export { openClient, type Client, type ClientOptions } from './client.ts'
export { BadAnswer, NodeUnreachable } from './errors.ts'
export { type ServerEvent } from './events.ts'
