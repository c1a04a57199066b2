import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonText, oneLine, printable, timeText } from '../../src/cli/text.ts'
import { bytesText } from '../../src/text-width.ts'

const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/

describe('what a stranger wrote', () => {
  it('is shown as it is when it is harmless', () => {
    for (const text of ['', 'naïve 🦅 日本', 'a\tb\nc', '{"a": "\\u001b"}']) expect(printable(text)).toBe(text)
  })

  it('commands nothing', () => {
    expect(printable('\u001b[2J\u009b1m\u202e')).toBe('\\u001b[2J\\u009b1m\\u202e')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(UNSAFE)
      }),
    )
  })

  it('is one line of at most so many characters', () => {
    expect(oneLine('  a\r\n\tb  ', 10)).toBe('a b')
    expect(oneLine('abcdef', 6)).toBe('abcdef')
    expect(oneLine('abcdefg', 6)).toBe('abcde…')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const line = oneLine(text, 20)
        expect(line.length).toBeLessThanOrEqual(20)
        expect(line).not.toMatch(/[\n\r\t]/)
      }),
    )
  })

  it('is the same when it is read back from JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = jsonText(value)
        expect(text).not.toMatch(UNSAFE)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })
})

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [1024 ** 3, '1 GiB'],
  [1024 ** 5, '1024 TiB'],
])('%i bytes are %s', (bytes, text) => expect(bytesText(bytes)).toBe(text))

it('times are UTC', () => expect(timeText(Date.UTC(2026, 10, 23, 8, 0, 1, 999))).toBe('2026-11-23 08:00:01'))
