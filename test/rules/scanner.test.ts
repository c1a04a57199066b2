import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConditionError } from '../../src/rules/condition.ts'
import { createScanner } from '../../src/rules/scanner.ts'

const WORD = /[a-z]+/y
const SYMBOL = /[=()]/y

describe('a text read token by token', () => {
  it('skips blanks, and stays where a token is not next', () => {
    const scan = createScanner(' ab\n\t= "c d" ')
    expect([scan.offset(), scan.found()]).toEqual([1, 'ab'])
    expect(scan.take(SYMBOL)).toBeUndefined()
    expect(scan.take(WORD)).toBe('ab')
    expect([scan.offset(), scan.found()]).toEqual([5, '='])
    expect(scan.quoted()).toBeUndefined()
    expect(scan.take(SYMBOL)).toBe('=')
    expect(scan.found()).toBe('"')
    expect(scan.quoted()).toBe('c d')
    expect([scan.isEnd(), scan.found(), scan.offset()]).toEqual([true, 'the end', 13])
  })

  it('starts at every token anew, however often it is read', () => {
    for (let i = 0; i < 3; i++) {
      const scan = createScanner('abc')
      expect(scan.take(WORD)).toBe('abc')
      expect(scan.take(WORD)).toBeUndefined()
    }
  })

  it.each([
    ['"abc', 0],
    ['  "abc', 2],
    [`"abc'`, 0],
    [String.raw`"abc\"`, 0],
    ['"', 0],
  ])('that never closes a quote is refused at it: %s', (text, offset) => {
    const read = (): unknown => createScanner(text).quoted()
    expect(read).toThrow(ConditionError)
    expect(read).toThrow(expect.objectContaining({ offset }))
    expect(read).toThrow(/^this quote is never closed/)
  })

  it('gives a quoted text back as it was before it was escaped', () => {
    const escaped = (text: string): string => text.replaceAll(/["\\]/g, String.raw`\$&`).replace(/\\\\$/, '\\ ')
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '"', "'", '\\', ' ', '🦉', '\n') }), (text) => {
        const scan = createScanner(`"${escaped(text)}"`)
        expect(scan.quoted()).toBe(text)
        expect(scan.isEnd()).toBe(true)
      }),
    )
  })
})
