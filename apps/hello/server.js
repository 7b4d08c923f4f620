/**
 * The sample app: a page that counts its visitors, says how long it has been awake, and logs what it does.
 *
 * It knows nothing of Perennial. It listens on PORT, answers /health, and ends when told to: that is all a host asks.
 */
import { createServer } from 'node:http'

const startedAt = Date.now()
let visits = 0

/** Everything that comes from outside is escaped, even on the smallest page. */
const escape = (text) => text.replaceAll(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)

const page = (host) => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Hello</title>
<style>
  body { margin: 12vh auto; max-width: 32rem; padding: 0 1rem; font: 1.1rem/1.6 Georgia, serif; color: #14201a; background: #f7f9f6 }
  h1 { font-weight: 400; font-size: 2.6rem; margin: 0 }
  output { font-variant-numeric: tabular-nums }
</style>
<h1>Hello.</h1>
<p>You reached ${escape(host)}. You are visitor <output>${visits}</output> since this copy of the app woke up,
<output>${Math.round((Date.now() - startedAt) / 1000)}</output> seconds ago.</p>
<p>It runs for as long as anyone pays for it.</p>
</html>
`

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://hello')
  if (pathname === '/health') return void response.end('ok\n')
  if (pathname === '/count') return void response.end(`${visits}\n`)
  if (pathname !== '/') {
    response.statusCode = 404
    return void response.end('Nothing here.\n')
  }
  visits += 1
  console.log(`visit ${visits}`)
  response.setHeader('content-type', 'text/html; charset=utf-8')
  response.setHeader('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
  response.end(page(request.headers.host ?? 'me'))
})

server.listen(Number(process.env.PORT ?? 3000), () => console.log(`listening on ${server.address().port}`))

process.once('SIGTERM', () => {
  console.log(`closing after ${visits} visits`)
  server.close()
  server.closeIdleConnections()
})
