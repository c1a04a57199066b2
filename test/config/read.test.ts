import { describe, expect, it } from 'vitest'
import { createProblems } from '../../src/config/problems.ts'
import { readDocument } from '../../src/config/read.ts'
import { placeOf, spanOf } from '../../src/config/document.ts'
import { brief } from './_kit.ts'

const references = { env: { HOST: 'db', EVIL: 'x\nadmin: true # {{ }}' }, file: () => 'text\n' }

const read = (text: string) => {
  const problems = createProblems()
  const document = readDocument('a.yaml', text, problems, { references, hints: true })
  return { document, value: document.value, problems: brief(problems.list()) }
}

describe('YAML', () => {
  it('becomes plain data', () => {
    const { value, problems } = read('a: 1\nb: [x, true, null, 1.5]\nc: { d: "1" }\n7: seven\n')
    expect(value).toEqual({ a: 1, b: ['x', true, null, 1.5], c: { d: '1' }, 7: 'seven' })
    expect(problems).toEqual([])
  })

  it('keeps words that older YAML takes for truth values', () => {
    expect(read('a: yes\nb: no\nc: on\n').value).toEqual({ a: 'yes', b: 'no', c: 'on' })
  })

  it('resolves aliases and merges; own keys win', () => {
    const text = 'base: &base { a: 1, b: 2 }\nx:\n  <<: *base\n  b: 3\ny: *base\nz: { <<: [{ c: 4 }, *base], a: 5 }\n'
    expect(read(text).value).toEqual({
      base: { a: 1, b: 2 },
      x: { a: 1, b: 3 },
      y: { a: 1, b: 2 },
      z: { a: 5, b: 2, c: 4 },
    })
  })

  it('takes many uses of one small anchor', () => {
    const uses = Array.from({ length: 500 }, (_, i) => `k${i}: *a`).join('\n')
    const { value, problems } = read(`a: &a { x: [1, 2] }\n${uses}\n`)
    expect(problems).toEqual([])
    expect(value).toMatchObject({ k499: { x: [1, 2] } })
  })

  it('is read with a byte order mark', () => {
    expect(read('\uFEFFa: 1\n').value).toEqual({ a: 1 })
  })

  it.each([
    ['a:\n\tb: 1\n', '2:1 a tab cannot indent; YAML takes spaces only'],
    ['a:\n  b: 1\n c: 2\n', '3:1 this line starts at another column than its siblings above'],
    ['a: 1\n b: 2\n', '1:4 the next line is indented below a value; put it at the column of its siblings'],
    ['a: b: c\n', '1:4 a second `: ` on the line; put the text in quotes'],
    ['key\nb: 2\n', '1:1 a `:` after a key is missing here'],
    ['a: [1, 2\nb: 3\n', '2:1 a `[` or `{` above is not closed'],
    ['a: "x\nb: 2\n', '2:4 a text in quotes is not closed'],
    ['a: @x\n', '1:4 a text cannot start with `@`; put it in quotes'],
    ['a: "\\q"\n', '1:5 `\\q` means nothing in double quotes; use single quotes, or `\\\\`'],
    ["a: 'it's'\n", "1:8 nothing can follow here, but there is `s'`"],
    ['a: 1\na: 2\n', '2:1 the key `a` is there twice'],
    ['a: 1\n---\nb: 2\n', '2:1 a second document starts here (`---`); a file holds one'],
    ['a: !secret x\n', '1:4 the tag `!secret` is not supported; values are plain'],
    ['a: !!binary aGk=\n', '1:13 the tag `tag:yaml.org,2002:binary` is not supported; values are plain'],
    ['a: *nobody\n', '1:4 the alias *nobody has no anchor &nobody above it'],
    ['a: &a [*a]\n', '1:8 the alias *a stands inside what it names'],
    ['[a]: 1\n', '1:1 a key must be a plain text'],
    ['__proto__: { x: 1 }\n', '1:1 a key must be a plain text'],
    ['a: { <<: 3 }\n', '1:10 only a map can be merged by `<<`'],
    ['a: \0\n', '1:1 this is not a text file in UTF-8'],
  ])('%j gets one clear message', (text, message) => {
    expect(read(text).problems).toEqual([message])
  })

  it('refuses deep nesting and large files before it parses them', () => {
    expect(read(`a: ${'['.repeat(20_000)}`).problems).toEqual(['1:4 lists or maps are nested too deeply'])
    expect(read('- '.repeat(20_000)).problems).toEqual(['1:1 lists or maps are nested too deeply'])
    expect(read(`a: ${'x'.repeat(9_000_000)}`).problems).toEqual(['1:1 the file is larger than 8388608 bytes'])
  })

  it.each(['*', '<<'])('refuses a bomb of aliases (%s)', (kind) => {
    const use = (name: string) =>
      kind === '*' ? `[${`*${name}, `.repeat(10)}]` : `{ <<: [${`*${name}, `.repeat(10)}] }`
    const levels = [...'bcdefghi'].map((name, i) => `${name}: &${name} ${use('abcdefgh'.charAt(i))}`)
    const { document } = read(['a: &a { x: 1 }', ...levels].join('\n'))
    expect(document.parsed).toBe(false)
  })

  it('has a place for every part', () => {
    const text = 'a:\n  b: [x, "y z"]\n'
    const { document } = read(text)
    const { start, end } = spanOf(document, ['a', 'b', 1])
    expect(text.slice(start, end)).toBe('"y z"')
    expect(spanOf(document, ['a', 'b'], { key: true })).toEqual({ start: 5, end: 6 })
    expect(spanOf(document, ['a', 'nothing', 'here'])).toEqual({ start: 0, end: 1 })
  })

  it.each([
    ['a: >-\n  one two\n  one three\n', 'one two one three', 8, 'one'],
    ['a: "say \\"hi\\" there"\n', 'say "hi" there', 9, 'there'],
    ['a: |\n  x and\n  y\n', 'x and\ny\n', 6, 'y'],
  ])('finds a part of a folded or quoted text: %j', (text, decoded, offset, word) => {
    const { document, value } = read(text)
    expect(value).toEqual({ a: decoded })
    const { start, end } = spanOf(document, ['a'], { offset })
    expect(text.slice(start, end)).toBe(word)
    expect(start).toBe(text.lastIndexOf(word))
  })
})

describe('references', () => {
  it('are resolved in values, never in keys, and inject no YAML', () => {
    const { document, value } = read('a: ${env:HOST}\nb: ${env:EVIL}\n"${env:HOST}": 1\nc: "${file:/x}"\n')
    expect(value).toEqual({ a: 'db', b: 'x\nadmin: true # {{ }}', '${env:HOST}': 1, c: 'text' })
    expect(placeOf(document, ['a'])).toMatchObject({ from: 'env HOST', reference: true })
    expect(placeOf(document, ['c'])).toMatchObject({ from: 'file /x' })
  })

  it('that fail are told at their place', () => {
    expect(read('a: x-${env:NONE}-${env:HOST}\n').problems).toEqual([
      '1:6 the environment variable NONE is not set; a default is ${env:NONE:-...}',
    ])
  })
})
