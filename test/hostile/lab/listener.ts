/** A process that listens at the given `address:port`s, TCP and UDP, and prints which of them were reached. */
import { createSocket } from 'node:dgram'
import { createServer, isIPv6 } from 'node:net'

for (const place of process.argv.slice(2)) {
  const end = place.lastIndexOf(':')
  const address = place.slice(0, end)
  const port = Number(place.slice(end + 1))
  await new Promise<void>((resolve, reject) => {
    const server = createServer((socket) => {
      console.log(place)
      socket.on('error', () => socket.destroy())
      socket.end(`reached ${place}\n`)
    })
    server.on('error', reject).listen(port, address, resolve)
  })
  await new Promise<void>((resolve, reject) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
    socket.on('message', (_, from) => {
      console.log(place)
      socket.send(`reached ${place}\n`, from.port, from.address)
    })
    socket.on('error', reject).bind(port, address, resolve)
  })
}
console.log('ready')
