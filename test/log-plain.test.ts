import { describe, expect, it } from 'vitest'
import { cutText, plainFields, visible } from '../src/log-plain.ts'

const throwing = {
  ok: 1,
  get bad(): never {
    throw new Error('no')
  },
}
const circle: Record<string, unknown> = { name: 'me' }
circle.self = circle
circle.list = [circle]

const ODD: unknown = JSON.parse('{"__proto__":{"a":1}}')

describe('fields as plain data', () => {
  it.each([
    ['text', 'a', 'a'],
    ['half a sign', '\ud800x', '\ufffdx'],
    ['a number', 1.5, 1.5],
    ['no number', Number.NaN, 'NaN'],
    ['an endless number', -Infinity, '-Infinity'],
    ['a large number', 2n ** 64n, '18446744073709551616'],
    ['nothing', null, null],
    ['a time', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['no time', new Date(Number.NaN), null],
    ['an address', new URL('http://x/y'), 'http://x/y'],
    ['bytes', Buffer.from('secret'), '[6 bytes]'],
    ['a list with holes', [1, undefined, () => 1], [1, null, null]],
    ['members that are nothing', { a: undefined, b: Symbol('x'), c: () => 1, d: 1 }, { d: 1 }],
    [
      'an error',
      Object.assign(new Error('no', { cause: new Error('why') }), { code: 'EPIPE' }),
      { message: 'no: why', code: 'EPIPE' },
    ],
    ['an error with an odd code', Object.assign(new Error('no'), { code: {} }), { message: 'no' }],
    ['what throws when read', throwing, { ok: 1, bad: '[unreadable]' }],
    [
      'what cannot be looked into',
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no')
          },
        },
      ),
      '[unreadable]',
    ],
    ['what is in itself', circle, { name: 'me', self: '[circular]', list: ['[circular]'] }],
    [
      'what tells itself for ever',
      {
        toJSON(): object {
          return this
        },
      },
      '[circular]',
    ],
    ['an odd name', ODD, ODD],
  ])('%s', (_name, value, expected) => {
    expect(plainFields({ value })).toStrictEqual({ value: expected })
  })

  it('of which one throws has the others', () => {
    expect(plainFields(throwing)).toEqual({ ok: 1, bad: '[unreadable]' })
  })

  it('are the same when they are plain already', () => {
    const once = plainFields({ error: new Error('no'), level: 1, list: [1n, { a: NaN }] })
    expect(plainFields(once)).toEqual(once)
  })

  it('of any depth end', () => {
    const deep = (levels: number): unknown => (levels === 0 ? 'ground' : { in: deep(levels - 1) })
    const text = JSON.stringify(plainFields({ deep: deep(5_000) }))
    expect(text).toContain('[deep]')
    expect(text.length).toBeLessThan(200)
    expect(JSON.stringify(plainFields({ deep: deep(10) }))).toContain('ground')
  })

  it('are cut where there is no room, with what is missing', () => {
    const list = Array.from({ length: 1_000 }, (_, i) => i)
    const many = Object.fromEntries(list.map((i) => [`name${i}`, 'value']))
    const cut = plainFields({ list, many, after: 'still there' }, { bytes: 1_000 })
    expect(cut.list).toEqual([
      ...list.slice(0, (cut.list as unknown[]).length - 1),
      expect.stringMatching(/^… \d+ more$/),
    ])
    expect(Object.entries(cut.many as object).at(-1)).toEqual(['…', expect.stringMatching(/^\d+ more$/)])
    expect(cut.after).toBe('still there')
    expect(Object.entries(plainFields(many, { bytes: 1_000 })).at(-1)).toEqual([
      '…',
      expect.stringMatching(/^\d+ more$/),
    ])
  })

  it('have stacks only when asked for', () => {
    const error = new Error('no')
    expect(plainFields({ error }, { stacks: true })).toEqual({ error: { message: 'no', stack: error.stack } })
  })
})

describe('text', () => {
  it('is cut by the room that it takes in JSON, never within a sign', () => {
    expect(cutText('abcdef', { left: 8 })).toBe('abcdef')
    expect(cutText('abcdefghij', { left: 6 })).toBe('abcd… 6 more')
    expect(cutText('\u0000'.repeat(100), { left: 62 })).toBe(`${'\u0000'.repeat(10)}… 90 more`)
    expect(cutText('🦅🦅🦅', { left: 7 })).toMatch(/^🦅\ufffd?… \d more$/)
    expect(cutText('abc', { left: -5 })).toBe('… 3 more')
  })

  it('shows what would be obeyed', () => {
    expect(visible('a\u001b[2J\u009b\u202e\u2028b\n')).toBe(String.raw`a\u001b[2J\u009b\u202e\u2028b\u000a`)
    expect(visible('grün 鷹 🦅 "x"')).toBe('grün 鷹 🦅 "x"')
  })
})
