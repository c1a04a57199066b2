import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutText, plainLine, textWidth } from '../src/text-width.ts'

describe('a text of a stranger', () => {
  it.each([
    ['a\nb\tc\r\nd', 'a b c d'],
    ['\u001b[2Jx', '\\u001b[2Jx'],
    ['\u0007\u009b', '\\u0007\\u009b'],
    ['a\u202eb\u2066c\u200fd\u061ce', 'a\\u202eb\\u2066c\\u200fd\\u061ce'],
    ['a\u2028b', 'a b'],
    ['tag\u{e0041}', 'tag\\u{e0041}'],
    ['half \ud800', 'half \ufffd'],
    ['👩‍💻 naïve', '👩‍💻 naïve'],
  ])('%j is shown as %j', (given, shown) => {
    expect(plainLine(given)).toBe(shown)
  })

  it('never holds what a terminal obeys', () => {
    const text = fc.string({ unit: 'binary' })
    fc.assert(fc.property(text, (given) => !/[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/u.test(plainLine(given))))
  })
})

describe('the width', () => {
  it.each([
    ['', 0],
    ['plain', 5],
    ['naïve', 5],
    ['e\u0301', 1],
    ['日本語', 6],
    ['ｗ', 2],
    ['한국', 4],
    ['🦅', 2],
    ['👩‍💻', 2],
    ['🇪🇺', 2],
    ['❤', 1],
    ['❤\ufe0f', 2],
    ['└─ …', 4],
  ])('of %j is %d', (given, width) => {
    expect(textWidth(given)).toBe(width)
  })
})

describe('a cut', () => {
  it.each([
    ['terminal', 8, 'terminal'],
    ['terminal', 5, 'term…'],
    ['日本語', 6, '日本語'],
    ['日本語', 5, '日本…'],
    ['日本語', 4, '日…'],
    ['👩‍💻👩‍💻', 3, '👩‍💻…'],
    ['x', 1, 'x'],
    ['xy', 1, '…'],
  ])('of %j to %d columns is %j', (given, columns, cut) => {
    expect(cutText(given, columns)).toBe(cut)
  })

  it('fits, and is the beginning', () => {
    const text = fc.string({ unit: 'grapheme' })
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 30 }), (given, columns) => {
        const cut = cutText(given, columns)
        expect(textWidth(cut)).toBeLessThanOrEqual(Math.max(columns, 1))
        expect(given.startsWith(cut.replace(/…$/, ''))).toBe(true)
      }),
    )
  })
})
