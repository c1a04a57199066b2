import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { globTest, iglobTest, pathTest } from '../../src/rules/glob.ts'

describe('a glob', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'anything\nat all', true],
    ['?', '', false],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'axxbyy', false],
    ['**a', 'a', true],
    ['/etc/*', '/etc', false],
    ['[ab].c+', 'b.c+', true],
    ['[ab]', 'c', false],
    ['[!ab]', 'c', true],
    ['[^ab]', 'a', false],
    ['[a-c0-9]x', '7x', true],
    ['[a-c]', 'd', false],
    ['[a-]', '-', true],
    ['[]x]', ']', true],
    ['[!]x]', ']', false],
    [String.raw`[\]x]`, ']', true],
    [String.raw`[\a-\c]`, 'b', true],
    ['[[:digit:][:upper:]]', 'Q', true],
    ['[[:digit:][:upper:]]', 'q', false],
    ['[![:space:]]', ' ', false],
    ['[[:nosuch:]]', 'n', false],
    ['[ab', '[ab', true],
    ['[', '[', true],
    [String.raw`\*`, '*', true],
    [String.raw`\*`, 'x', false],
    ['\\', '\\', true],
    ['?', '🦉', true],
    ['??', '🦉', false],
    ['*??', '🦉', false],
    ['[🐁-🦉]', '🦊', false],
    ['[🐁-🦉]', '🦀', true],
    ['*../*../*', 'tar ../../etc', true],
    ['/home/*/.ssh/*', '/home/a/b/.ssh/id', true],
  ])('%j on %j', (pattern, text, matches) => {
    expect(globTest(pattern)(text)).toBe(matches)
  })

  it('matches as a plain recursive reading does', () => {
    const naive = (pattern: string, text: string): boolean => {
      if (pattern === '') return text === ''
      const [first, rest] = [pattern[0], pattern.slice(1)]
      if (first === '*') return naive(rest, text) || (text !== '' && naive(pattern, text.slice(1)))
      return text !== '' && (first === '?' || first === text[0]) && naive(rest, text.slice(1))
    }
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '.'), maxLength: 8 })
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 10 })
    fc.assert(
      fc.property(pattern, text, (one, other) => {
        expect(globTest(one)(other)).toBe(naive(one, other))
      }),
      { numRuns: 1_000 },
    )
  })

  it('takes no longer for a pattern made to take long', () => {
    expect(globTest(`${'a*'.repeat(50)}b`)('a'.repeat(20_000))).toBe(false)
  })

  it('is for any case on demand', () => {
    expect(iglobTest('/ETC/[a-c]*')('/etc/Bashrc')).toBe(true)
    expect(globTest('/ETC/*')('/etc/bashrc')).toBe(false)
  })
})

describe('a path', () => {
  it.each([
    ['/var/run', '/var/run', true],
    ['/var/run', '/var/run/docker.sock', true],
    ['/var/run', '/var/running', false],
    ['/var/run/', '//var//run/x', true],
    ['/var/run', '/var', false],
    ['/', '/anything', true],
    ['/', '', true],
    ['/home/*/.ssh', '/home/eve/.ssh/id_rsa', true],
    ['/home/*/.ssh', '/home/a/b/.ssh', false],
    ['/proc/[0-9]*/environ', '/proc/12/environ', true],
    ['/a\\b', '/a\\b', true],
  ])('at or under %s: %s', (prefix, path, isUnder) => {
    expect(pathTest([prefix])(path)).toBe(isUnder)
    expect(pathTest(['/never', prefix])(path)).toBe(isUnder)
  })

  it('is under none of no paths', () => {
    expect(pathTest([])('/etc')).toBe(false)
  })
})
