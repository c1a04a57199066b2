/** Patterns of paths. */
import fc from 'fast-check'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { alternatives, filesOf, isPattern, matcher } from '../../inputs/_glob.ts'

describe('a pattern', () => {
  it.each([
    ['/a/x.log', '/a/x.log', true],
    ['/a/x.log', '/a/xxlog', false],
    ['/a/*.log', '/a/x.log', true],
    ['/a/*.log', '/a/b/x.log', false],
    ['/a/*.log', '/a/.x.log', false],
    ['/a/.*', '/a/.x', true],
    ['/a/x*', '/a/x', true],
    ['/a/?.log', '/a/x.log', true],
    ['/a/?.log', '/a/.log', false],
    ['/a/?.log', '/a/.b.log', false],
    ['/a/**/x', '/a/x', true],
    ['/a/**/x', '/a/b/c/x', true],
    ['/a/**/x', '/a/.b/x', false],
    ['/a/{b,c}/x', '/a/c/x', true],
    ['/a/{b,c}/x', '/a/d/x', false],
    ['/a/b\\*', '/a/b*', true],
    ['/a/b\\*', '/a/bc', false],
    ['/a/b-[1](2)+^$|.log', '/a/b-[1](2)+^$|.log', true],
    ['*.gz', '/var/log/a.gz', true],
    ['*.gz', '/var/a.gz/b', false],
    ['a\n*', '/x/a\nb', true],
  ])('%s is met by %s: %s', (pattern, path, expected) => {
    expect(matcher([pattern])(path)).toBe(expected)
  })

  it('stands for its alternatives, nested ones too', () => {
    expect(alternatives('a.{log,{json,txt}}')).toEqual(['a.json', 'a.log', 'a.txt'].sort((a, b) => order(a) - order(b)))
    expect(alternatives('{a,b}{c,d}')).toEqual(['ac', 'ad', 'bc', 'bd'])
    expect(alternatives('a{b')).toEqual(['a{b'])
    expect(alternatives('a{,b}')).toEqual(['a', 'ab'])
    expect(alternatives('\\{a,b}')).toEqual(['\\{a,b}'])
    expect(() => alternatives('{0,1,2,3,4,5,6,7,8,9}'.repeat(4))).toThrow('stands for too many patterns')
  })

  const order = (text: string): number => ['a.log', 'a.json', 'a.txt'].indexOf(text)

  it('is told from a name', () => {
    expect(['/a/b.log', '/a/[b].log', '/a/*.log', '/a/?', '{a,b}'].map(isPattern)).toEqual([
      false,
      false,
      true,
      true,
      true,
    ])
  })

  it('that is any text never hangs and meets itself when nothing in it is special', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
        fc.string({ maxLength: 30 }),
        (pattern, path) => {
          matcher([pattern])(path)
          if (!/^\.|[*?{\\/]/.test(pattern)) expect(matcher([pattern])(`/x/${pattern}`)).toBe(true)
        },
      ),
    )
  })
})

describe('the files that fit', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'yarak-glob-'))
    for (const name of [
      'b.log',
      'a.log',
      '.hidden.log',
      'c.txt',
      'one/a.log',
      'one/two/a.log',
      '.git/a.log',
      'x/y/z.txt',
    ]) {
      mkdirSync(dirname(join(dir, name)), { recursive: true })
      writeFileSync(join(dir, name), name)
    }
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const found = async (pattern: string): Promise<string[]> =>
    (await filesOf(join(dir, pattern), (folder) => expect.unreachable(folder))).map((path) => relative(dir, path))

  it('are found in order, folders left out', async () => {
    expect(await found('*')).toEqual(['a.log', 'b.log', 'c.txt'])
    expect(await found('*/a.log')).toEqual(['one/a.log'])
    expect(await found('**/a.log')).toEqual(['a.log', 'one/a.log', 'one/two/a.log'])
    expect(await found('one/**')).toEqual(['one/a.log', 'one/two/a.log'])
    expect(await found('{a,c,b}.{log,txt}')).toEqual(['a.log', 'b.log', 'c.txt'])
    expect(await found('none/*.log')).toEqual([])
    expect(await found('a.log/*.log')).toEqual([])
  })

  it('are found through links to files and folders, in no circle', async () => {
    symlinkSync(join(dir, 'one'), join(dir, 'link'))
    symlinkSync(join(dir, 'c.txt'), join(dir, 'link.log'))
    symlinkSync(join(dir, 'nowhere'), join(dir, 'broken.log'))
    symlinkSync(dir, join(dir, 'one', 'up'))
    expect(await found('link/*.log')).toEqual(['link/a.log'])
    expect(await found('*.log')).toEqual(['a.log', 'b.log', 'link.log'])
    expect(await found('**/*.txt')).toEqual(['c.txt', 'x/y/z.txt'])
  })

  it('are found from here when the pattern is relative', async () => {
    expect(await filesOf('test/inputs/glob.test.{ts,js}', () => {})).toEqual(['test/inputs/glob.test.ts'])
  })

  it.skipIf(process.getuid?.() === 0)('and folders that may not be read are told of', async () => {
    mkdirSync(join(dir, 'closed'), { mode: 0 })
    const told: string[] = []
    expect(await filesOf(join(dir, 'closed/*'), (folder) => void told.push(folder))).toEqual([])
    expect(told).toEqual([join(dir, 'closed')])
  })
})
