import { BlockList } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressTest } from '../../src/rules/address.ts'

describe('an address', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.9.8.7/8', '10.1.1.1', true],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['0.0.0.0/0', '8.8.8.8', true],
    ['0.0.0.0/0', '::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '8.8.8.8', false],
    ['2001:db8::/32', '2001:DB8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::ffff:10.0.0.1', '10.0.0.1', true],
    ['10.0.0.0/8', '::ffff:10.1.1.1', true],
    ['::ffff:10.0.0.0/104', '10.1.1.1', true],
    ['10.0.0.0/8', 'not an address', false],
    ['10.0.0.0/8', '10.0.0', false],
    ['10.0.0.0/8', '', false],
  ])('in %s: %s', (range, text, isInside) => {
    expect(addressTest(range)?.(text)).toBe(isInside)
  })

  it.each([
    '',
    'localhost',
    '10.0.0.0/33',
    '::/129',
    '10.0.0/8',
    '10.0.0.1/',
    '/8',
    '1.2.3.4/8/8',
    '::ffff:1.2.3.4/95',
  ])('is none, nor a range: %j', (text) => {
    expect(addressTest(text)).toBeUndefined()
  })

  it('is inside what the platform says', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (network, own, bits) => {
        const list = new BlockList()
        list.addSubnet(network, bits, 'ipv4')
        expect(addressTest(`${network}/${bits}`)?.(own)).toBe(list.check(own, 'ipv4'))
      }),
    )
  })

  it('of the longer kind is inside what the platform says', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), fc.integer({ min: 0, max: 128 }), (network, own, bits) => {
        const list = new BlockList()
        list.addSubnet(network, bits, 'ipv6')
        const test = addressTest(`${network}/${bits}`)
        fc.pre(test !== undefined && !/^[0:]+:ffff/i.test(network + own))
        expect(test?.(own)).toBe(list.check(own, 'ipv6'))
      }),
    )
  })

  it('is inside its own range of any size', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.integer({ min: 0, max: 128 }), (own, bits) => {
        expect(addressTest(`${own}/${bits}`)?.(own)).not.toBe(false)
      }),
    )
  })
})
