/**
 * Keeps a page's parts current: each message of the page's event stream is one part as the server would render it
 * now, and takes the place of the element with the same id.
 *
 * Our own 60 lines instead of a library: no attribute that strangers' text could carry has a meaning here, nothing
 * is evaluated, and the one way from text to markup is a Trusted Types policy that parses without running scripts.
 */
const stream = document.querySelector('script[data-stream]')?.getAttribute('data-stream')
const policy = globalThis.trustedTypes?.createPolicy('perennial', { createHTML: (text) => text }) ?? {
  createHTML: (text) => text,
}
const LOG_LINES = 200
const NEWS_EVERY_MS = 5000

function parse(text) {
  return new DOMParser().parseFromString(policy.createHTML(text), 'text/html').body
}

/** A part in which someone has the focus waits until they leave: text under a cursor does not change. */
const waiting = new Map()
function place(id, fresh) {
  const old = document.getElementById(id)
  if (!old) return
  if (old.contains(document.activeElement)) {
    waiting.set(id, fresh)
    old.addEventListener('focusout', () => setTimeout(() => waiting.has(id) && place(id, waiting.get(id))), { once: true })
    return
  }
  waiting.delete(id)
  old.replaceWith(fresh)
}

/** One announcement in five seconds at most, the latest wins. */
const news = document.getElementById('news')
let saidAt = 0
let saying
function say(sentence) {
  clearTimeout(saying)
  const waitMs = Math.max(0, saidAt + NEWS_EVERY_MS - Date.now())
  saying = setTimeout(() => {
    saidAt = Date.now()
    news.textContent = sentence
  }, waitMs)
}

if (stream) {
  const source = new EventSource(stream)
  source.addEventListener('part', (event) => {
    for (const fresh of [...parse(event.data).children]) place(fresh.id, document.adoptNode(fresh))
  })
  source.addEventListener('lines', (event) => {
    const log = document.getElementById('log')
    document.getElementById('log-empty')?.remove()
    for (const line of [...parse(`<ol>${event.data}</ol>`).querySelectorAll('li')]) log?.prepend(document.adoptNode(line))
    while (log && log.children.length > LOG_LINES) log.lastElementChild.remove()
  })
  source.addEventListener('say', (event) => say(event.data))
  source.addEventListener('title', (event) => (document.title = event.data))
  // The page has become another one (a deployment that ended): load it.
  source.addEventListener('turn', () => location.reload())
  source.addEventListener('end', () => source.close())
}
