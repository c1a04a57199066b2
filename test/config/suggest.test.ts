import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance, nearest, suggestion } from '../../src/config/suggest.ts'

describe('edit distance', () => {
  it.each([
    ['', '', 0],
    ['abc', '', 3],
    ['color', 'colour', 1],
    ['kitten', 'sitting', 3],
    ['slakc', 'slack', 1],
  ])('of %j and %j is %i', (from, to, distance) => {
    expect(editDistance(from, to)).toBe(distance)
  })

  it('is symmetric, zero only for equals, and at most the longer length', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b)
        expect(distance).toBe(editDistance(b, a))
        expect(distance === 0).toBe(a === b)
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })
})

describe('suggestion', () => {
  const known = ['webhookUrl', 'channel', 'kubernetes:label', 'aws.s3']

  it.each([
    ['webhookurl', 'webhookUrl'],
    ['webhook_url', 'webhookUrl'],
    ['chanel', 'channel'],
    ['kubernetes-label', 'kubernetes:label'],
    ['awss3', 'aws.s3'],
    ['password', undefined],
  ])('for %s is %s', (wrong, right) => {
    expect(nearest(wrong, known)).toBe(right)
  })

  it('lists a few known names where none is near', () => {
    expect(suggestion('xyz', ['b', 'aaaaa'])).toBe('; known are aaaaa, b')
    expect(suggestion('xyz', [])).toBe('')
    expect(
      suggestion(
        'xyz',
        Array.from({ length: 30 }, (_, i) => `name-${i}`),
      ),
    ).toBe('')
  })
})
