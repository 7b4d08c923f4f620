import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { after, test } from 'node:test'
import type { Network } from '../client/index.ts'
import { get, openTestSandbox, runToEnd, spec } from '../testing.ts'
import { fakeInternet } from '../testing-internet.ts'

const sandbox = await openTestSandbox()
const { client } = sandbox
const { doorAddress } = await client.probe()
after(() => sandbox[Symbol.asyncDispose]())

async function listen(address: string): Promise<Server & AsyncDisposable & { port: number }> {
  const server = createServer((socket) => socket.end('open\n').on('error', () => socket.destroy()))
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}

/** For each target, whether a sandbox with this network gets an answer. */
async function reach(network: Network, targets: readonly string[]): Promise<{ [target: string]: boolean }> {
  const tries = targets.map(
    (target) => `echo "${target} $(nc -w 1 ${target.replace(':', ' ')} </dev/null 2>/dev/null)"`,
  )
  const argv = ['sh', '-c', `${tries.join(' & ')} & wait`]
  const { out } = await runToEnd(client, spec({ id: 'probe', argv, network }))
  return Object.fromEntries(targets.map((target) => [target, out.includes(`${target} open`)]))
}

const none = (targets: readonly string[]) => Object.fromEntries(targets.map((target) => [target, false]))

test('a sandbox reaches its doors and nothing else of the host, of other sandboxes or of the networks around', async () => {
  await using door = await listen(doorAddress)
  await using other = await listen(doorAddress)
  await using everywhere = await listen('0.0.0.0')
  const serve = ['sh', '-c', 'while :; do echo open | nc -l -p 8080; done']
  const neighbour = await client.start(spec({ id: 'neighbour', argv: serve }))
  assert.match(await raw(neighbour.address, 8080), /open/)
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const host = addresses.filter(({ family }) => family === 'IPv4').map(({ address }) => `${address}:${everywhere.port}`)
  const targets = [
    ...host,
    `${doorAddress}:${door.port}`,
    `${doorAddress}:${other.port}`,
    `${neighbour.address}:8080`,
    '169.254.169.254:80',
  ]
  assert.deepEqual(await reach('none', targets), none(targets))
  assert.deepEqual(await reach('internet', targets), none(targets))
  const doors = [{ address: doorAddress, port: door.port }]
  assert.deepEqual(await reach({ doors }, targets), { ...none(targets), [`${doorAddress}:${door.port}`]: true })
  await client.remove({ id: 'neighbour' })
})

function raw(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const text = execFileSync('timeout', [
      '5',
      'bash',
      '-c',
      `until cat < /dev/tcp/${host}/${port}; do sleep 0.1; done`,
    ])
    if (text.length > 0) resolve(String(text))
    else reject(new Error('no answer'))
  })
}

test('a sandbox with internet reaches public addresses, its bytes are counted, and mail is not sent', async () => {
  await using internet = fakeInternet({ ports: [8080, 25] })
  const { address } = internet
  assert.deepEqual(await reach('internet', [`${address}:8080`, `${address}:25`]), {
    [`${address}:8080`]: true,
    [`${address}:25`]: false,
  })
  assert.deepEqual(await reach('none', [`${address}:8080`]), none([`${address}:8080`]))
  const send = `head -c 500000 /dev/zero | nc -w 2 ${address} 8080; sleep 100`
  await client.start(spec({ id: 'sender', argv: ['sh', '-c', send], network: 'internet' }))
  const bytes = async () => (await client.read())[0]?.egressBytes ?? 0n
  const deadline = Date.now() + 10_000
  while ((await bytes()) < 500_000n && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50))
  const sent = await bytes()
  assert.ok(sent >= 500_000n && sent < 600_000n, String(sent))
  await sandbox.crash()
  assert.ok((await bytes()) >= sent)
  await client.remove({ id: 'sender' })
})

test('a sandbox cannot take another address than its own', async () => {
  const script = 'ip addr add 10.1.2.3/32 dev eth0 2>&1; ip link set eth0 down 2>&1'
  const { out } = await runToEnd(client, spec({ id: 'spoof', user: 'root', argv: ['sh', '-c', script] }))
  assert.equal(out.match(/Operation not permitted|Permission denied/g)?.length, 2)
})

test('a sandbox sees its own processes and files, and no file of the host', async () => {
  const script = `ls /proc | grep -c '^[0-9]*$'; ls -d /sys/* /root /home /work /var/lib /boot 2>/dev/null | wc -l
    cat /etc/hostname; hostname; touch /usr/x /etc/x 2>&1; grep -c . /proc/net/tcp; id -u; cat /proc/1/cmdline | tr '\\0' ' '`
  const { out } = await runToEnd(client, spec({ id: 'alone', user: 'root', argv: ['sh', '-c', script] }))
  const [processes, folders] = out.split('\n')
  assert.ok(Number(processes) < 8)
  assert.equal(folders, '0')
  assert.match(out, /alone/)
  assert.equal(out.match(/Read-only file system/g)?.length, 2)
})

test('inside a sandbox nobody has powers, root included', async () => {
  for (const user of ['app', 'root'] as const) {
    const script = `grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr -d '\\t' | tr '\\n' ' '
      for try in 'mount -t tmpfs x /tmp' 'unshare -r true' 'chroot / true' 'mknod /tmp/sda b 8 0' 'hostname other' 'echo 1 > /proc/sys/kernel/panic' 'dmesg' 'reboot -f'
      do if sh -c "$try" >/dev/null 2>&1; then echo "ALLOWED $try"; fi; done; echo end`
    const { out } = await runToEnd(client, spec({ id: 'powers', user, argv: ['sh', '-c', script] }))
    const zero = '0'.repeat(16)
    assert.match(
      out,
      new RegExp(`CapInh:${zero} CapPrm:${zero} CapEff:${zero} CapBnd:${zero} CapAmb:${zero} NoNewPrivs:1 Seccomp:2`),
    )
    assert.ok(!out.includes('ALLOWED'), out)
    assert.match(out, /end/)
  }
})

test("a sandbox cannot change the host's devices that it was given", async () => {
  const before = statSync('/dev/null')
  const script = `for f in /dev/null /dev/zero /dev/urandom /proc/self/fd/0
    do chmod 0 $f && echo CHANGED $f; chown 1 $f && echo CHANGED $f; rm -f $f && [ $f != /proc/self/fd/0 ] && [ ! -e $f ] && echo GONE $f
    done 2>/dev/full; echo x > /dev/null && echo written`
  for (const user of ['app', 'root'] as const) {
    const { out } = await runToEnd(client, spec({ id: 'devices', user, argv: ['sh', '-c', script] }))
    assert.ok(!out.includes('CHANGED') && !out.includes('GONE'), out)
  }
  const { mode, uid, gid } = statSync('/dev/null')
  assert.deepEqual({ mode, uid, gid }, { mode: before.mode, uid: before.uid, gid: before.gid })
})

test('on the host, a sandbox runs as a user that nobody else is', async () => {
  const one = await client.start(spec({ id: 'one', user: 'root', argv: ['sleep', '100'] }))
  const two = await client.start(spec({ id: 'two', user: 'root', argv: ['sleep', '100'] }))
  const uids = [one, two].map(({ pid }) => Number(execFileSync('stat', ['-c', '%u', `/proc/${pid}`])))
  assert.ok(uids.every((uid) => uid >= 0x4000_0000))
  assert.notEqual(uids[0], uids[1])
  for (const id of ['one', 'two']) await client.remove({ id })
})

test('the port that an app listens on is reached from the host', async () => {
  const argv = ['node', '-e', `require('http').createServer((_, r) => r.end('ok')).listen(8080)`]
  const { address } = await client.start(spec({ id: 'web', image: 'node-24', argv }))
  assert.equal(await get(`http://${address}:8080`), 'ok')
  await client.remove({ id: 'web' })
})

test('no other user of the machine can read what a sandbox is given', async () => {
  const secret = 'a-value-that-stands-nowhere-else'
  const { id } = await client.start(spec({ id: 'given', argv: ['sleep', '60'], env: { SECRET: secret } }))
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups']
  const places = [sandbox.options.root, ...readdirSync('/run').filter((name) => name.startsWith('perennial-')).map((name) => `/run/${name}`)] // prettier-ignore
  const seen = spawnSync('setpriv', [...nobody, 'grep', '-rls', secret, ...places], { encoding: 'utf8' })
  assert.equal(seen.stdout, '')
  assert.notEqual(spawnSync('grep', ['-rls', secret, sandbox.options.root], { encoding: 'utf8' }).stdout, '')
  await client.remove({ id })
})
