import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  defused,
  type FieldLimits,
  fieldsOf,
  fit,
  fitFields,
  jsonBytes,
  keepingLink,
  markdown,
  textOf,
  utf8Bytes,
} from '../../outputs/_chat.ts'
import { message, type MessageField } from '../../src/plugin.ts'
import { aNotice, anEvent } from '../../src/testing.ts'
import { answered, digest, TRACE_URL } from './_chat.ts'

const hostile = fc.string({
  unit: fc.constantFrom(
    '@',
    '<',
    '>',
    '[',
    ']',
    '(',
    ')',
    '*',
    '_',
    '`',
    '\\',
    '#',
    '1',
    '.',
    '-',
    ' ',
    '\n',
    'a',
    '!',
    '|',
  ),
  maxLength: 80,
})

describe('defused', () => {
  it.each([
    ['@all', '@\u200ball'],
    ['x @here.', 'x @\u200bhere.'],
    ['_@channel', '_@\u200bchannel'],
    ['<!channel>', '<\u200b!channel>'],
    ['<users/all>', '<\u200busers/all>'],
    ['<@U123>', '<\u200b@\u200bU123>'],
    ['<https://evil.example|click>', '<\u200bhttps://evil.example|click>'],
    ['[click](https://evil.example)', '[click]\u200b(https://evil.example)'],
    ['![x](y)', '![x]\u200b(y)'],
  ])('takes the meaning from %j', (text, safe) => {
    expect(defused(text)).toBe(safe)
  })

  it.each(['root@host', 'a < b', 'curl http://x/?a=1&b=2 | sh', 'a[0] (b)'])('leaves %j as it is', (text) => {
    expect(defused(text)).toBe(text)
  })

  it('leaves no mention and no hidden link in any text', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(defused(text)).not.toMatch(/(?<![A-Za-z0-9])@[^\u200b]|<[^\s\u200b]|\]\(/)
        expect(defused(text).replaceAll('\u200b', '')).toBe(text)
      }),
    )
  })
})

/** What a reader of CommonMark sees. */
const read = (text: string): string => text.replaceAll(/\\([\\`*_~|[\]#>+=.)-])/g, '$1').replaceAll('\u200b', '')

describe('markdown', () => {
  it.each([
    ['*bold* _it_ ~~no~~ `code` ||spoiler||', String.raw`\*bold\* \_it\_ \~\~no\~\~ \`code\` \|\|spoiler\|\|`],
    ['[a](b)', '\\[a\\]\u200b(b)'],
    ['# heading', String.raw`\# heading`],
    ['a\n  - item\n1. one\n12) two\n> quote', 'a\n  \\- item\n1\\. one\n12\\) two\n\\> quote'],
    ['title\n===', 'title\n\\==='],
    ['back\\*slash', String.raw`back\\\*slash`],
    ['a-b 1.2 (x) c#', 'a-b 1.2 (x) c#'],
  ])('escapes %j', (text, safe) => {
    expect(markdown(text)).toBe(safe)
  })

  it('shows every text as it was', () => {
    fc.assert(fc.property(hostile, (text) => void expect(read(markdown(text))).toBe(text)))
  })

  it('leaves no unescaped mark', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        expect(markdown(text).replaceAll(/\\[^\n]/g, 'x')).not.toMatch(/[*_`~|[\]\\]|^\s*[-+#>=]/m)
      }),
    )
  })
})

describe('fit', () => {
  it('keeps what fits, escaped, and marks what it cut', () => {
    expect(fit('a_b', 4, markdown)).toBe('a\\_b')
    expect(fit('abcdefghijk', 10)).toBe('abc… [cut]')
    expect(fit('a_b_c_d_e_f_g', 12, markdown)).toBe('a\\_… \\[cut\\]')
  })

  it.each([
    ['units', (text: string) => text.length],
    ['bytes of JSON', jsonBytes],
    ['bytes', utf8Bytes],
  ])('is well formed and never larger than asked, in %s', (_name, sizeOf) => {
    const text = fc.string({
      unit: fc.constantFrom('_', '[', 'x', '\u{1f989}', '\ud800', '\u0000', '"', '規'),
      maxLength: 90,
    })
    fc.assert(
      fc.property(text, fc.nat(100), (text, max) => {
        const kept = fit(text, max, markdown, sizeOf)
        expect(sizeOf(kept)).toBeLessThanOrEqual(max)
        expect(kept.isWellFormed()).toBe(true)
        expect(kept).not.toMatch(/(?<!\\)(\\\\)*\\$/)
        if (sizeOf(markdown(text.toWellFormed())) <= max) expect(kept).toBe(markdown(text.toWellFormed()))
      }),
    )
  })

  it('counts what JSON makes of a text', () => {
    expect([jsonBytes('a"\u0000規'), utf8Bytes('a規')]).toEqual([1 + 2 + 6 + 3, 4])
  })
})

const same = (text: string): string => text
const LIMITS: FieldLimits = { count: 6, name: 20, value: 30, total: 200 }
const ours = (name: string, value: string): MessageField => ({ name, value })
const own = (name: string, value: string): MessageField => ({ name, value, isField: true })

describe('fitFields', () => {
  it('keeps all that fit, in order', () => {
    const fields = [ours('rule', 'R'), own('a', '1'), ours('time', 'T')]
    expect(fitFields(fields, LIMITS, same)).toEqual(fields.map((one) => ({ ...one, raw: one })))
  })

  it('leaves out fields of the event rather than its rule and time, and says how many', () => {
    const many = Array.from({ length: 10 }, (_, i) => own(`f${i}`, 'v'))
    const shown = fitFields([ours('rule', 'R'), ...many, ours('time', 'T')], LIMITS, same)
    expect(shown.map(({ name, value }) => [name, value])).toEqual([
      ['rule', 'R'],
      ['f0', 'v'],
      ['f1', 'v'],
      ['f2', 'v'],
      ['time', 'T'],
      ['cut', '7 more fields'],
    ])
  })

  it('cuts only the longest when its own are too long together, so that an address stays whole', () => {
    const fields = [ours('event', 'x'.repeat(500)), ours('trace', 'https://jaeger.example.com/trace/1')]
    const [event, trace] = fitFields(fields, { ...LIMITS, value: 400 }, same)
    expect(trace?.value).toBe('https://jaeger.example.com/trace/1')
    expect(event?.value).toMatch(/^x{50,}… \[cut\]$/)
  })

  it('tells the escape which field a value is of', () => {
    const [one] = fitFields([own('n', 'v')], LIMITS, (text, of) => (of ? `${of.name}=${text}` : `(${text})`))
    expect(one).toMatchObject({ name: '(n)', value: 'n=v' })
  })

  it('is within count and total whatever the fields are', () => {
    const field = fc.record({
      name: fc.string({ maxLength: 50 }),
      value: fc.string({ maxLength: 300 }),
      isField: fc.constant(true as const),
    })
    fc.assert(
      fc.property(fc.array(field, { maxLength: 40 }), fc.string({ maxLength: 900 }), (fields, rule) => {
        const shown = fitFields([ours('rule', rule), ...fields], LIMITS, markdown)
        expect(shown.length).toBeLessThanOrEqual(LIMITS.count)
        expect(shown.reduce((sum, { name, value }) => sum + name.length + value.length, 0)).toBeLessThanOrEqual(200)
        expect(shown[0]?.name).toBe('rule')
      }),
    )
  })
})

describe('fieldsOf', () => {
  it('puts the fields of an event in order, its own where the star is', () => {
    const event = anEvent({ output_fields: { rule: 'a field called rule', 'a.b': true }, tags: [] })
    const names = fieldsOf(aNotice({ event }), ['time', '*', 'rule']).map(({ name, isField }) => [name, isField])
    expect(names).toEqual([
      ['time', undefined],
      ['a.b', true],
      ['rule', true],
      ['rule', undefined],
    ])
  })

  it('leaves out what is not named, but for the number of alerts', () => {
    expect(fieldsOf(digest(), ['rule']).map(({ name }) => name)).toEqual(['rule', 'alerts'])
  })

  it('gives those of a report as they are', () => {
    expect(fieldsOf(answered(), [])).toEqual(message(answered()).fields)
  })
})

describe('textOf', () => {
  it('tells of the number of alerts where nothing else does', () => {
    const shown = message(digest())
    expect(textOf(shown)).toBe(anEvent().output)
    expect(textOf(shown, true)).toBe(
      `${anEvent().output}\nalerts: 3 from 2026-01-31T11:59:00Z to 2026-01-31T12:00:00.123456789Z`,
    )
  })
})

describe('keepingLink', () => {
  it('escapes all but the address of the trace', () => {
    const escape = keepingLink(answered(), markdown)
    expect(escape(TRACE_URL)).toBe(TRACE_URL)
    expect(escape(`${TRACE_URL} x_y`)).toContain('x\\_y')
    expect(keepingLink(aNotice(), markdown)('a_b')).toBe('a\\_b')
  })
})
