import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { placeOf } from '../../../src/config/document.ts'
import { createProblems } from '../../../src/config/problems.ts'
import { readDocument } from '../../../src/config/read.ts'
import { isBlank, isEmpty, move, put, reroot, type Row, type Values, valueAt } from '../../../src/config/values/move.ts'

const read = (text: string) => readDocument('values.yaml', text, createProblems(), { references: undefined })

const moved = (text: string, rows: readonly Row[]) => {
  const problems = createProblems()
  const values: Values = {}
  move(read(text), rows, values, problems)
  return { values, told: problems.list().map(({ line, column, message }) => `${line}:${column}: ${message}`) }
}

describe('moving', () => {
  const ROWS: readonly Row[] = [
    { key: 'a.b', to: 'x.y' },
    { key: 'a.list', to: 'list', as: (value) => [value] },
    { key: 'a.never', to: 'never', as: () => undefined },
    { key: 'gone.one', tell: 'is not there' },
    { key: 'gone.two', tell: 'is not there' },
    { key: 'usual', to: 'usual', tell: 'is odd', usual: { n: 1 } },
    { key: 'ui', tell: 'there is none', when: (value) => valueAt(value, ['enabled']) === true },
    { key: 'read' },
  ]

  it('takes a value to its place, as it is or otherwise', () => {
    expect(moved('a: { b: { c: 1 }, list: 2, never: 3 }\nread: { any: thing }\n', ROWS)).toEqual({
      values: { x: { y: { c: 1 } }, list: [2] },
      told: [],
    })
  })

  it('tells of what has no counterpart, the same of several at once', () => {
    expect(moved('gone:\n  one: 1\n  two: 2\n', ROWS).told).toEqual(['2:3: gone.one, gone.two: is not there'])
  })

  it('tells of what no row knows, but not of what is in a value that one knows', () => {
    expect(moved('a: { b: { z: 1 }, typo: 1 }\nother: {}\n', ROWS).told).toEqual([
      '1:19: a.typo is no value of that chart',
      '2:1: other is no value of that chart',
    ])
  })

  it('says nothing of what is empty, usual, or off', () => {
    const text = "gone: { one: '', two: [] }\nusual: { n: 1 }\nui: { enabled: false, port: 1 }\na: { b: {} }\n"
    expect(moved(text, ROWS)).toEqual({ values: {}, told: [] })
    expect(moved('usual: { n: 2 }\nui: { enabled: true }\n', ROWS)).toEqual({
      values: { usual: { n: 2 } },
      told: ['1:1: usual: is odd', '2:1: ui: there is none'],
    })
  })

  it('adds to a map that is there', () => {
    const values: Values = {}
    put(values, 'a.b', { x: 1 })
    put(values, 'a.b', { y: 2 })
    put(values, String.raw`a.dots\.in/it`, 3)
    expect(values).toEqual({ a: { b: { x: 1, y: 2 }, 'dots.in/it': 3 } })
  })

  it.each([
    [undefined, true],
    [null, true],
    ['', true],
    [false, true],
    [[], true],
    [{ a: { b: '' } }, true],
    [0, false],
    [true, false],
    [{ a: { b: 'x' } }, false],
  ])('%j is empty: %s', (value, expected) => {
    expect(isEmpty(value)).toBe(expected)
    expect(isBlank(value)).toBe(expected && value !== false)
  })
})

describe('a part as a document of its own', () => {
  const whole = read('chart:\n  config:\n    someKey: [1, 2]\n    drop: 1\n    inner: { otherKey: x }\n')

  it('has its keys called otherwise, and the places of the file', () => {
    const part = reroot(whole, ['chart', 'config'], (path) =>
      path.at(-1) === 'drop' ? undefined : String(path.at(-1)).toLowerCase(),
    )
    expect(part.value).toEqual({ somekey: [1, 2], inner: { otherkey: 'x' } })
    const at = (...path: (string | number)[]) => {
      const { start = 0, end = 0 } = placeOf(part, path)?.value ?? {}
      return part.text.slice(start, end)
    }
    expect([at('somekey', 1), at('inner', 'otherkey')]).toEqual(['2', 'x'])
    expect(placeOf(part, ['drop'])).toBeUndefined()
  })

  it('is empty when it is not there', () => {
    expect(reroot(whole, ['nowhere', 'at', 'all']).value).toEqual({})
  })

  it('is the whole when nothing is called otherwise', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), fc.jsonValue()), (value) => {
        const document = read(JSON.stringify(value))
        const copy = reroot(document, [])
        expect(copy.value).toEqual(document.value)
        for (const [key, place] of document.places) expect(copy.places.get(key)).toEqual(place)
      }),
    )
  })
})
