/** The way to an app's code. What is no http address is shown and leads nowhere. */
import { html, type Html } from '../html.ts'

export function repositoryLink(url: string, words = url.replace(/^https?:\/\//, '')): Html {
  if (!/^https?:\/\//.test(url)) return html`${words}`
  return html`<a href="${url}" rel="noopener noreferrer nofollow">${words}</a>`
}
