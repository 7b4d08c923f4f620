/** The app of the gateway's bench: the least that answers, in a process of its own. `node hello.ts <port>` */
import { createServer } from 'node:http'

createServer((_request, response) => response.end('hello')).listen(Number(process.argv[2]), '127.0.0.1', () =>
  console.log('listening'),
)
