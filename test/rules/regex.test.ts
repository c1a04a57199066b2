import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compileCondition } from '../../src/rules/condition.ts'
import { regexTest } from '../../src/rules/regex.ts'
import { anEvent } from '../../src/testing.ts'

describe('a regular expression', () => {
  it.each([
    ['/tmp/[a-z]+', '/tmp/x', true],
    ['/tmp/[a-z]+', '/tmp/x/y', false],
    ['tmp', '/tmp', false],
    ['^/tmp$', '/tmp', true],
    ['a|ab', 'ab', true],
    ['.*', 'two\nlines', false],
    ['(?s).*', 'two\nlines', true],
    ['(?i)BASH', 'bash', true],
    ['[[:alpha:]]+', 'abc', true],
    [String.raw`\d+\.\d+`, '3.14', true],
    ['', '', true],
    ['🦉+', '🦉🦉', true],
  ])('%s on %j', (pattern, text, matches) => {
    expect(regexTest(pattern)(text)).toBe(matches)
  })

  it.each(['(', 'a**', '(?=a)', String.raw`(a)\1`, 'a{1001}', 'x'.repeat(2_001), '(x{999}){999}'])(
    'is refused when it has no linear reading: %s',
    (pattern) => {
      expect(() => regexTest(pattern)).toThrow()
    },
  )

  it.each(['(a+)+$', '(a|aa)+', '(a*)*b', '(.*a){20}b', '([a-zA-Z]+)*c'])(
    'answers on a megabyte made to make it backtrack: %s',
    (pattern) => {
      const event = anEvent({ output_fields: { 'proc.cmdline': `${'a'.repeat(1_000_000)}!` } })
      expect(compileCondition(`proc.cmdline regex "${pattern}"`)({ event })).toBe(false)
    },
  )

  it('is never the platform’s own, which backtracks', () => {
    const sources = ['regex', 'compare', 'values'].map((name) => readFileSync(`src/rules/${name}.ts`, 'utf8'))
    expect(sources[0]).toContain("from 're2js'")
    expect(sources.join('')).not.toContain('new RegExp')
  })
})
