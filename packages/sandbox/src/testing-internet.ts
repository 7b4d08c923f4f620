/**
 * For tests: a public address that is none, a network namespace behind a route of one address, so that what a
 * sandbox sends to "the internet" can be seen and goes nowhere.
 */
import { execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'

export interface FakeInternet extends AsyncDisposable {
  readonly address: string
}

let made = 0

export function fakeInternet({ ports }: { ports: readonly number[] }): FakeInternet {
  const number = process.pid % 250
  const name = `pfake${process.pid}${++made}`
  const address = `44.${number}.${made}.44`
  const link = `pf${process.pid}${made}`
  const ip = (text: string) => execFileSync('ip', text.split(' '))
  ip(`netns add ${name}`)
  ip(`link add ${link} type veth peer name eth0 netns ${name}`)
  ip(`addr add 192.0.2.253/32 dev ${link}`)
  ip(`link set ${link} up`)
  ip(`route add ${address}/32 dev ${link}`)
  ip(`-n ${name} link set lo up`)
  ip(`-n ${name} addr add ${address}/32 dev eth0`)
  ip(`-n ${name} link set eth0 up`)
  ip(`-n ${name} route add default dev eth0`)
  writeFileSync(`/proc/sys/net/ipv4/conf/${link}/forwarding`, '1')
  const servers = ports.map((port) => {
    const code = `require('net').createServer((s) => { s.on('error', () => {}); s.resume(); s.write('open\\n') }).listen(${port})`
    return spawn('ip', ['netns', 'exec', name, process.execPath, '-e', code], { stdio: 'inherit' })
  })
  return {
    address,
    async [Symbol.asyncDispose]() {
      for (const server of servers) server.kill('SIGKILL')
      ip(`netns del ${name}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    },
  }
}
