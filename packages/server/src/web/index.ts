/** The node's site: pages as functions of what methods answer, kept current over one stream. */
export { openWeb, type Web, type WebDeps } from './web.ts'
export type { RestingAnswer, RestingPages } from './resting.ts'
