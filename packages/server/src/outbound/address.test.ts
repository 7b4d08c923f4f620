import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { whyNotPublic } from './address.ts'

const runs = 500 * Number(process.env['TEST_SCALE'] ?? 1)

test('private, loopback, link-local, metadata, carrier, multicast and documentation addresses are not public', () => {
  for (const address of [
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '10.255.255.255',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.0.1',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.7',
    '203.0.113.80',
    '224.0.0.1',
    '239.1.1.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::7f00:1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '100::1',
    'fc00::1',
    'fd12::1',
    'fe80::1',
    'fe80::1%eth0',
    '2606:4700::1%eth0',
    'fec0::1',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    '4000::1',
  ])
    assert.notEqual(whyNotPublic(address), null, address)
})

test('the neighbours of the special ranges are public', () => {
  for (const address of [
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '126.255.255.255',
    '128.0.0.1',
    '169.253.255.255',
    '169.255.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '198.17.255.255',
    '198.20.0.0',
    '223.255.255.255',
    '2606:4700::1',
    '2a00:1450::1',
    '2001:4860:4860::8888',
  ])
    assert.equal(whyNotPublic(address), null, address)
})

test('an IPv4 address inside an IPv6 one is never public, whichever it is', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.constantFrom('::ffff:', '::', '64:ff9b::'), (address, prefix) => {
      assert.notEqual(whyNotPublic(prefix + address), null)
    }),
    { numRuns: runs },
  )
})

test('any text is an answer, and what is not an address is not public', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), (text) => {
      const why = whyNotPublic(text)
      assert.ok(why === null || why.length > 0)
    }),
    { numRuns: runs },
  )
})
