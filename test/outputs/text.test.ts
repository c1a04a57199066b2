import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serial } from '../../outputs/_serial.ts'
import { clip, printable, printableJson } from '../../outputs/_text.ts'

const anyText = fc.string({ unit: 'binary', maxLength: 60 })

describe('clip', () => {
  it('keeps what fits, and marks what it cut', () => {
    expect(clip('abcdefghij', 10)).toBe('abcdefghij')
    expect(clip('abcdefghijk', 10)).toBe('abc… [cut]')
    expect(clip('abcdefghijk', 3)).toHaveLength(3)
  })

  it('cuts no character in two', () => {
    expect(clip('ab\u{1f989}cdefghijkl', 10)).toBe('ab… [cut]')
    expect(clip('a\ud800', 10)).toBe('a\ufffd')
  })

  it('cuts no entity in two, and counts it whole', () => {
    const escape = (text: string) => text.replaceAll('&', '&amp;')
    expect(clip('&&&', 15, escape)).toBe('&amp;&amp;&amp;')
    expect(clip('&&&', 14, escape)).toBe('&amp;… [cut]')
  })

  it('is well formed and never longer than asked', () => {
    fc.assert(
      fc.property(anyText, fc.nat(70), (text, max) => {
        const kept = clip(text, max)
        expect(kept.length).toBeLessThanOrEqual(max)
        expect(kept.isWellFormed()).toBe(true)
        if (text.isWellFormed() && text.length <= max) expect(kept).toBe(text)
      }),
    )
  })
})

/** All that must not reach a terminal. */
const OBEYED = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u

describe('printable', () => {
  it('shows what a terminal would obey', () => {
    expect(printable('a\u001b[31m\r\n\tb\u0000\u009b\u007f\u202e')).toBe(
      String.raw`a\u001b[31m\r\n\tb\u0000\u009b\u007f\u202e`,
    )
  })

  it('leaves text in any script as it is', () => {
    const text = 'Ünïcode 規則 🦉 👩‍💻 नमस्ते'
    expect(printable(text)).toBe(text)
  })

  it('leaves nothing to obey', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(printable(text)).not.toMatch(OBEYED)
      }),
    )
  })
})

describe('printableJson', () => {
  it('is the same value, on one line, with nothing to obey', () => {
    fc.assert(
      fc.property(fc.dictionary(anyText, anyText), (value) => {
        const text = printableJson(JSON.stringify(value))
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(text).not.toMatch(OBEYED)
      }),
    )
  })
})

describe('serial', () => {
  it('runs one at a time, in order, and a failure is its own', async () => {
    const inTurn = serial()
    const steps: string[] = []
    const work = (name: string) => async () => {
      steps.push(`${name} starts`)
      await new Promise(setImmediate)
      steps.push(`${name} ends`)
      if (name === 'b') throw new Error('b failed')
      return name
    }
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => inTurn(work(name))))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(steps).toEqual(['a starts', 'a ends', 'b starts', 'b ends', 'c starts', 'c ends'])
  })
})
