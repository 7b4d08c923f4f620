/** Host name → app → instance through HAProxy; the activator that holds requests while an app wakes; exact counts. */
export { openGateway, type Gateway, type GatewayOptions } from './gateway.ts'
export type { Waker } from './activator.ts'
export { plainPage, type Page, type PageAbout, type PageKind, type PageMaker } from './pages.ts'
