/**
 * What the activator says instead of an app. The web fills `PageMaker` with real pages; these are what is shown
 * without it: one sentence, the next step, nothing loaded from anywhere.
 */
import { STATUS_CODES } from 'node:http'

export type PageKind =
  /** No app has this name. */
  | 'unknown'
  /** The app's purse is empty: any payment brings it back. */
  | 'unpaid'
  /** The app is being woken and takes longer than a request is held. */
  | 'starting'
  /** Somebody stopped it, or it cannot be started. */
  | 'down'

export interface PageAbout {
  readonly host: string
  readonly app?: string
  readonly sentence?: string
  readonly nextStep?: string
}

export interface Page {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type PageMaker = (kind: PageKind, about: PageAbout) => Page | Promise<Page>

export const STATUS: Record<PageKind, number> = { unknown: 404, unpaid: 402, starting: 503, down: 503 }
const SENTENCE: Record<PageKind, string> = {
  unknown: 'There is no app of this name here.',
  unpaid: 'This app sleeps because its purse is empty. Any payment, from anyone, brings it back.',
  starting: 'This app is starting. Try again in a few seconds.',
  down: 'This app does not run at the moment.',
}

export const plainPage: PageMaker = (kind, about) => {
  const sentence = about.sentence ?? SENTENCE[kind]
  const title = `${STATUS[kind]} ${STATUS_CODES[STATUS[kind]]}`
  return {
    status: STATUS[kind],
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      'cache-control': 'no-store',
      ...(kind === 'starting' || kind === 'down' ? { 'retry-after': '5' } : {}),
    },
    body: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><style>body{font:1.1rem/1.5 system-ui;max-width:36rem;margin:15vh auto;padding:0 1rem}</style>
<h1>${escape(about.host)}</h1><p>${escape(sentence)}</p>${about.nextStep === undefined ? '' : `<p>${escape(about.nextStep)}</p>`}
`,
  }
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
