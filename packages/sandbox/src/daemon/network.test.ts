import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import test from 'node:test'
import { openTestSandbox } from '../testing.ts'

test('what is sent to a sandbox that is gone never leaves the machine', async () => {
  let subnet: string
  const routeOf = (network: string) => {
    const address = network.replace('0.0/16', '99.99')
    try {
      return execFileSync('ip', ['route', 'get', address], { encoding: 'utf8', stdio: 'pipe' })
    } catch (error) {
      return String(error)
    }
  }
  {
    await using sandbox = await openTestSandbox()
    subnet = (await sandbox.client.probe()).subnet
    assert.match(routeOf(subnet), /No route to host/)
    await sandbox.crash()
    assert.match(routeOf(subnet), /No route to host/)
  }
  assert.doesNotMatch(routeOf(subnet), /No route to host/)
})
