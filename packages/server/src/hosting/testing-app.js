// The app of hosting's tests: an HTTP server that prints, dies, eats memory or answers slowly when asked to.
const { createServer } = require('node:http')
const { randomUUID } = require('node:crypto')

console.log(`listening on ${process.env.PORT}`)
const self = randomUUID()
let visits = 0
const server = createServer((request, response) => {
  if (request.headers['user-agent'] === 'perennial') return response.end('healthy')
  const { pathname, searchParams } = new URL(request.url, 'http://app')
  const count = Number(searchParams.get('count') ?? 1)
  if (pathname === '/print') for (let index = 0; index < count; index++) console.log(searchParams.get('text'))
  if (pathname === '/exit') process.exit(count)
  if (pathname === '/eat') for (const kept = []; ;) kept.push(Buffer.alloc(2 ** 20, 1))
  if (pathname === '/slow') return setTimeout(() => response.end('slow'), count)
  response.end(`hello ${++visits} from ${self}`)
})
server.listen(Number(process.env.PORT), '0.0.0.0')
process.on('SIGTERM', () => {
  console.log('stopping')
  server.close(() => process.exit(0))
})
