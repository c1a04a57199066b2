import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exactNumber } from '../../src/rules/number.ts'

describe('a number', () => {
  it.each<[string, number | bigint]>([
    ['0', 0n],
    ['-12', -12n],
    ['+12', 12n],
    ['007', 7n],
    ['0x1F', 31n],
    ['0XaB00AB', 0xab00abn],
    ['1769860800123456789', 1_769_860_800_123_456_789n],
    ['1.5', 1.5],
    ['-1.25', -1.25],
    ['3.', 3],
    ['1e+3', 1000],
    ['-0.1222e+10', -1_222_000_000],
    ['1e9', 1e9],
  ])('%s', (text, number) => {
    expect(exactNumber(text)).toBe(number)
  })

  it.each(['', 'x', '1x', '0x', '0xg', '-0x1', '.5', '1e', '1 2', '١', '--1', 'Infinity', 'NaN', '9'.repeat(1_001)])(
    'is none: %j',
    (text) => {
      expect(exactNumber(text)).toBeUndefined()
    },
  )

  it('keeps every digit of an integer', () => {
    fc.assert(
      fc.property(fc.bigInt(), (integer) => {
        expect(exactNumber(String(integer))).toBe(integer)
      }),
    )
  })
})
