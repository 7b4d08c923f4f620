// The app of hosting's tests: an HTTP server that prints, dies, eats memory or answers slowly when asked to.
const { createServer } = require('node:http')

console.log(`listening on ${process.env.PORT}`)
const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://app')
  const count = Number(searchParams.get('count') ?? 1)
  if (pathname === '/print') for (let index = 0; index < count; index++) console.log(searchParams.get('text'))
  if (pathname === '/exit') process.exit(count)
  if (pathname === '/eat') for (const kept = []; ;) kept.push(Buffer.alloc(2 ** 20, 1))
  if (pathname === '/slow') return setTimeout(() => response.end('slow'), count)
  response.end(`hello from ${process.pid}`)
})
server.listen(Number(process.env.PORT), '0.0.0.0')
process.on('SIGTERM', () => {
  console.log('stopping')
  server.close(() => process.exit(0))
})
