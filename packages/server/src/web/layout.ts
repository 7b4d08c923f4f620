/**
 * The document around every page: head, way to the content, navigation, footer.
 *
 * Complete without scripts. `live` names the event stream that keeps the page's parts current; the one script
 * reads it from the document and does nothing else.
 */
import { asset } from './assets.ts'
import { html, type Content, type Html } from './html.ts'
import { mark } from './parts/shapes.ts'
import type { Frame } from './views.ts'

export type Section = 'apps' | 'commons' | 'ledger' | 'prices' | null

export interface Page {
  /** State and date stand in it, so that a tab tells them. */
  readonly title: string
  readonly section: Section
  readonly body: Content
  /** Path of the event stream of this page. */
  readonly live?: string
  /** Without scripts such a page renews itself, because something on it is under way. */
  readonly renewSeconds?: number
  /** What the footer says first; the node's usual words otherwise. */
  readonly footer?: Content
}

const SECTIONS = [
  ['apps', '/', 'Apps'],
  ['commons', '/ledger/commons', 'Commons'],
  ['ledger', '/ledger', 'Ledger'],
  ['prices', '/prices', 'Prices'],
] as const

export function layout(page: Page, frame: Frame): Html {
  const { node } = frame
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${page.title} · Perennial</title>
        <link rel="stylesheet" href="${node}${asset('style.css')}" />
        <link rel="icon" href="${node}${asset('mark.svg')}" type="image/svg+xml" />
        <meta name="theme-color" content="#f7f9f6" media="(prefers-color-scheme: light)" />
        <meta name="theme-color" content="#0f1512" media="(prefers-color-scheme: dark)" />
        ${page.renewSeconds ? html`<noscript><meta http-equiv="refresh" content="${page.renewSeconds}" /></noscript>` : null}
        ${page.live ? html`<script type="module" src="${node}${asset('live.js')}" data-stream="${page.live}"></script>` : null}
      </head>
      <body>
        <a class="skip" href="#content">To the content</a>
        <header class="top">
          <div class="width">
            <a class="brand" href="${node}/">${mark()}Perennial</a>
            <nav aria-label="Main">
              <ul>
                ${SECTIONS.map(
                  ([key, path, word]) =>
                    html`<li>
                      <a href="${node}${path}" ${key === page.section ? html` aria-current="page"` : null}>${word}</a>
                    </li>`,
                )}
              </ul>
            </nav>
          </div>
        </header>
        <main id="content" class="width" tabindex="-1">${page.body}</main>
        <p class="news" id="news" role="status"></p>
        <footer class="bottom">
          <div class="width">
            <p>
              ${page.footer ?? html`Every amount on this page is on this node’s <a href="${node}/ledger">ledger</a>.`}<br />
              Amounts in
              ${frame.asset}${frame.asset === 'TEST' ? ', push-button credit that is worth nothing elsewhere' : null}.
              Times in UTC.
            </p>
            <ul>
              <li><a href="${node}/prices">Prices</a></li>
              <li><a href="${node}/openapi.json">API</a></li>
            </ul>
          </div>
        </footer>
      </body>
    </html> `
}
