/**
 * A repository's README as HTML that may stand on a page of ours: CommonMark and tables, written out from the parser's
 * tokens by a list of what is allowed, so that nothing else can appear. Raw HTML loses its tags, images become their
 * words, links lead only to the web and give no rank; nothing is loaded from anywhere.
 */
import markdownIt, { type Token } from 'markdown-it'
import type { Fetched } from './fetched.ts'

export interface ReadmeText {
  readonly name: string
  readonly text: string
}

export interface Readme {
  /** Safe to be written into a page as it is. Its largest heading is an `h3`. */
  readonly html: string
  /** There is more of it in the repository. */
  readonly cut: boolean
}

/** Longer ones are cut at the end of a line. */
const LONGEST = 65_536
const LONGEST_HTML = 524_288
/** The parser takes quadratic time for some paragraphs; a longer one is shown as it is written. */
const LONGEST_PARAGRAPH = 8_192
const LONGEST_ADDRESS = 2_000
const SHIFT = 2
const NAMES = /^readme(?:\.(?:md|markdown|txt|rst|adoc|org))?$/i
const MARKDOWN = /^readme(?:\.(?:md|markdown))?$/i

/** The folder's README, else the repository's; null: it has none. */
export function findReadme({ files, top }: Pick<Fetched, 'files' | 'top'>): ReadmeText | null {
  for (const listing of [files, top.files]) {
    const names = [...listing.keys()].filter((name) => NAMES.test(name))
    const name = names.find((one) => MARKDOWN.test(one)) ?? names[0]
    if (name !== undefined) return { name, text: listing.get(name) ?? '' }
  }
  return null
}

export function renderReadme({ name, text }: ReadmeText): Readme {
  const { kept, cut } = shorten(text.replace(/^\uFEFF/, '').toWellFormed())
  if (!MARKDOWN.test(name)) return { html: asItIs(kept), cut }
  const out = new Writer()
  writeBlocks(parser.parse(kept, {}), out)
  return { html: out.full ? asItIs(kept) : out.text, cut }
}

function shorten(text: string): { kept: string; cut: boolean } {
  if (text.length <= LONGEST) return { kept: text, cut: false }
  const newline = text.lastIndexOf('\n', LONGEST)
  return { kept: text.slice(0, newline > LONGEST / 2 ? newline : LONGEST).toWellFormed(), cut: true }
}

const parser = markdownIt({ html: true, linkify: false, typographer: false })
// Every link is read as one, and judged below by where it leads.
parser.validateLink = () => true
parser.core.ruler.at('inline', (state) => {
  for (const token of state.tokens) {
    if (token.type !== 'inline') continue
    token.children = []
    if (token.content.length <= LONGEST_PARAGRAPH) {
      state.md.inline.parse(token.content, state.md, state.env, token.children)
      continue
    }
    const plain = new state.Token('text', '', 0)
    plain.content = token.content
    token.children.push(plain)
  }
})

/** What is written, up to a bound: a few words can refer to a long address thousands of times. */
class Writer {
  text = ''
  full = false

  write(html: string): void {
    if (this.text.length + html.length > LONGEST_HTML) this.full = true
    if (!this.full) this.text += html
  }
}

/** Blocks that are themselves, opened and closed; and what stands for headings. */
const BLOCKS = new Map([
  ['paragraph', 'p'],
  ['blockquote', 'blockquote'],
  ['bullet_list', 'ul'],
  ['list_item', 'li'],
  ['table', 'table'],
  ['thead', 'thead'],
  ['tbody', 'tbody'],
  ['tr', 'tr'],
  ['th', 'th'],
  ['td', 'td'],
])
const INLINES = new Map([
  ['em', 'em'],
  ['strong', 'strong'],
  ['s', 's'],
])

function writeBlocks(tokens: readonly Token[], out: Writer): void {
  for (const token of tokens) {
    if (out.full) return
    if (!token.hidden) writeBlock(token, out)
  }
}

function writeBlock(token: Token, out: Writer): void {
  const { type, content } = token
  const [, name = '', edge] = /^(.+)_(open|close)$/.exec(type) ?? []
  const closing = edge === 'close' ? '/' : ''
  if (type === 'inline') writeInline(token.children ?? [], out)
  else if (type === 'fence' || type === 'code_block') out.write(`<pre><code>${escape(content)}</code></pre>\n`)
  else if (type === 'hr') out.write('<hr>\n')
  else if (type === 'html_block') writeHtml(content, out)
  else if (name === 'heading') out.write(`<${closing}h${Math.min(6, Number(token.tag.slice(1)) + SHIFT)}>`)
  else if (name === 'ordered_list') out.write(closing ? '</ol>\n' : `<ol${startOf(token)}>`)
  else if (BLOCKS.has(name)) out.write(`<${closing}${BLOCKS.get(name)}>${closing ? '\n' : ''}`)
}

function startOf(token: Token): string {
  const start = Number(token.attrGet('start') ?? 1)
  return Number.isSafeInteger(start) && start !== 1 ? ` start="${start}"` : ''
}

function writeInline(tokens: readonly Token[], out: Writer): void {
  /** For each link that is open: whether it was written as one. */
  const links: boolean[] = []
  for (const token of tokens) {
    const { type, content } = token
    const [, name = '', edge] = /^(.+)_(open|close)$/.exec(type) ?? []
    if (type === 'text') out.write(escape(content))
    else if (type === 'code_inline') out.write(`<code>${escape(content)}</code>`)
    else if (type === 'softbreak') out.write('\n')
    else if (type === 'hardbreak') out.write('<br>\n')
    else if (type === 'image') out.write(escape(content))
    else if (INLINES.has(name)) out.write(`<${edge === 'close' ? '/' : ''}${INLINES.get(name)}>`)
    else if (type === 'link_open') {
      const href = webAddress(String(token.attrGet('href') ?? ''))
      links.push(href !== null)
      if (href !== null) out.write(`<a href="${escape(href)}" rel="nofollow ugc noopener">`)
    } else if (type === 'link_close' && links.pop() === true) out.write('</a>')
  }
}

/** A block of raw HTML as the words in it; programs and styles have none. */
function writeHtml(content: string, out: Writer): void {
  if (/^\s{0,3}<(?:script|style|!)/i.test(content)) return
  const words = content
    .replace(/<[^<>]*>/g, ' ')
    .replace(/[ \t]+/g, ' ')
    .trim()
  if (words !== '') out.write(`<p>${escape(words)}</p>\n`)
}

/** Null: it leads somewhere else than the web. */
function webAddress(href: string): string | null {
  if (href.length > LONGEST_ADDRESS) return null
  const url = URL.parse(href)
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) return null
  return url.username === '' && url.password === '' ? url.href : null
}

function asItIs(text: string): string {
  return `<pre>${escape(text)}</pre>`
}

const ESCAPES = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
])

/** Text turns around at no point, and has no other control characters than a tab and a newline. */
function escape(text: string): string {
  return text
    .replace(/[\u202A-\u202E\u2066-\u2069]|(?![\t\n])\p{Cc}/gu, '')
    .replace(/[&<>"']/g, (character) => ESCAPES.get(character) ?? '')
}
