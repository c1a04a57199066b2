import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { YarakError } from '../src/errors.ts'
import type { Scope } from '../src/names.ts'
import { createTemplates, FILTER_NAMES } from '../src/template.ts'
import { anEvent, oddEvents } from '../src/testing.ts'

const { compile, compileValue } = createTemplates()

const about = (fields: Record<string, unknown>, more: Partial<Scope> = {}): Scope => ({
  event: anEvent({ output_fields: fields }),
  ...more,
})

const SCOPE = about(
  {
    'k8s.pod.name': 'web-1',
    'proc.aname[2]': 'systemd',
    'user.uid': 0,
    flag: true,
    'evt.time': 1_769_860_800_123_456_789n,
    list: ['a', 'b'],
    map: { a: 1 },
    none: null,
    empty: '',
  },
  { context: { index: 1 } },
)

const failureOf = (text: string, scope = SCOPE): YarakError => {
  try {
    compile(text).render(scope)
  } catch (error) {
    return error as YarakError
  }
  throw new Error('it did not fail')
}

describe('a template', () => {
  it.each<[string, unknown]>([
    ['plain text', 'plain text'],
    ['', ''],
    ['{{ k8s.pod.name }}', 'web-1'],
    ['{{k8s.pod.name}}', 'web-1'],
    ['{{- k8s.pod.name -}}', 'web-1'],
    ['{{ user.uid }}', 0],
    ['{{ flag }}', true],
    ['{{ list }}', ['a', 'b']],
    ['{{ map }}', { a: 1 }],
    ['{{ evt.time }}', 1_769_860_800_123_456_789n],
    ['{{ empty }}', ''],
    ['{{ proc.aname[2] }}', 'systemd'],
    ['{{ fields["proc.aname[2]"] }}', 'systemd'],
    ["{{ fields['k8s.pod.name'] }}", 'web-1'],
    ['{{ tags[1] }}', 'shell'],
    [' {{ user.uid }}', ' 0'],
    ['uid {{ user.uid }} of {{ k8s.pod.name }}', 'uid 0 of web-1'],
    ['{{ list }} {{ map }} {{ evt.time }}', '["a","b"] {"a":1} 1769860800123456789'],
    ['{{ list }} {{ map }} {{ evt.time | append: "" }}', '["a","b"] {"a":1} 1769860800123456789'],
    ['{{ k8s.pod.name | upcase }}', 'WEB-1'],
    ['{{ list | join: "+" }} {{ list | first }} {{ list[context.index] }}', 'a+b a b'],
    ['{% for one in list %}{{ forloop.index }}{{ one }}{% endfor %}', '1a2b'],
    ['{% if flag and user.uid == 0 %}root{% else %}other{% endif %}', 'root'],
    ['{% if nothing %}yes{% else %}no{% endif %}', 'no'],
    ['{% assign rule = "mine" %}{{ rule }}', 'mine'],
    ['{% raw %}{{ rule }}{% endraw %}', '{{ rule }}'],
    ['a {{- user.uid -}} b', 'a0b'],
    ['{{ nothing | default: "x" }}', 'x'],
    ['{{ none | default: "x" }}', 'x'],
    ['{{ 1769860800 | date: "%H:%M" }}', '12:00'],
  ])('%s', (text, value) => {
    expect(compile(text).render(SCOPE)).toEqual(value)
  })

  it.each([
    ['{{ nothing }}', '', /^\{\{ nothing \}\} has no value; give one with \| default:$/],
    ['{{ none }}', '', /none \}\} has no value/],
    ['a {{ nothing.at.all }} b', 'a  b', /nothing\.at\.all \}\} has no value/],
    ['a {{ nothing | upcase }} b', 'a  b', /^template, line 1, column \d+: nothing has no value$/],
    ['{% for one in list %}{{ one.more }}{% endfor %}', '', /one\.more has no value/],
    ['{{ steps.mark.outcome }}', '', /has no value/],
    ['{{ constructor }}', '', /has no value/],
    ['{{ constructor.constructor | upcase }}', '', /has no value/],
    ['{{ process.env.HOME | upcase }}', '', /has no value/],
    ['{{ __proto__ | upcase }}', '', /has no value/],
  ])('without a value fails, or is empty where that is asked for: %s', (text, empty, message) => {
    expect(failureOf(text)).toMatchObject({ code: 'failed', permanent: true, reason: 'missing-value' })
    expect(failureOf(text).message).toMatch(message)
    expect(compile(text).render(SCOPE, 'empty') ?? '').toBe(empty)
  })

  it.each([
    ['{{ rule', /^template, line 1, column 1: /],
    ['{{ rule | nothing }} x', /undefined filter: nothing/],
    ['\n{% nothing %}', /^template, line 2, column 1: tag "nothing" not found$/],
    ['{% if x %}', /not closed/],
    ['{% include "a" %}', /tag "include" not found/],
    ['{% render "a" %}', /tag "render" not found/],
    ['{% layout "a" %}', /tag "layout" not found/],
    ['{% block a %}{% endblock %}', /tag "block" not found/],
    [`{{ rule | upcase }}${' '.repeat(100_001)}`, /parse length limit exceeded/],
  ])('that is wrong is not compiled: %#', (text, message) => {
    const error = failureOf(text)
    if (error.code === 'failed') expect(error.message).toMatch(/undefined filter/)
    else expect(error.code).toBe('config')
    expect(error.message).toMatch(message)
    expect(error.message).not.toContain('\n')
  })

  it.each([
    '{% for i in (1..100000000) %}{{ i }}{% endfor %}',
    '{% for i in (1..9000) %}{% for j in (1..9000) %}{{ rule | upcase }}{% endfor %}{% endfor %}',
  ])('that takes too much fails: %s', (text) => {
    expect(failureOf(text)).toMatchObject({ code: 'failed', reason: 'template', permanent: true })
  })

  it.each(oddEvents())('takes any event: $name', ({ event }) => {
    const text = compile('{{ output }} {{ fields }} {{ tags }}').render({ event })
    const liquid = compile('{{ output }} {{ fields }} {{ tags }}{% if true %}{% endif %}').render({ event })
    expect(liquid).toBe(text)
  })
})

describe('a filter', () => {
  it.each<[string, unknown, string, string]>([
    ['slug', 'Terminal shell in container!', 'slug', 'terminal-shell-in-container'],
    ['slug', '--..Ünïcode..--', 'slug', 'n-code'],
    ['slug', null, 'slug', ''],
    ['json', ['a"', 2n ** 64n], 'json', String.raw`["a\"",18446744073709551616]`],
    ['json', null, 'json', 'null'],
    ['shell', `it's; $(id) "x"`, 'shell', String.raw`'it'\''s; $(id) "x"'`],
    ['shell', 7, 'shell', "'7'"],
    ['md', '*a* [b](c) `d` <e>', 'md', String.raw`\*a\* \[b\]\(c\) \`d\` \<e\>`],
    ['html', `<a href="x">&'`, 'html', '&lt;a href=&quot;x&quot;&gt;&amp;&#39;'],
    ['url', 'a/b?c=d&e#f é', 'url', 'a%2Fb%3Fc%3Dd%26e%23f%20%C3%A9'],
    ['url', 'lone \ud800', 'url', 'lone%20%EF%BF%BD'],
    ['trunc', 'x'.repeat(81), 'trunc', `${'x'.repeat(79)}…`],
    ['trunc', 'x'.repeat(80), 'trunc', 'x'.repeat(80)],
    ['trunc', 'abcdef', 'trunc: 3', 'ab…'],
    ['trunc', 'ab🦉cd', 'trunc: 4', 'ab…'],
    ['trunc', 'abc', 'trunc: 0', '…'],
    ['keys', { b: 1, a: 2 }, 'keys', '["a","b"]'],
    ['keys', ['x', 'y'], 'keys', '[0,1]'],
    ['keys', 'text', 'keys', '[]'],
    ['trunc', [1, 2, 3], 'trunc: 4', '[1,…'],
  ])('%s', (_name, v, filter, text) => {
    expect(compile(`{{ v | ${filter} }}`).render(about({ v }), 'empty')).toBe(text)
  })

  it('is named for the docs', () => {
    expect(FILTER_NAMES).toEqual(['slug', 'keys', 'json', 'shell', 'md', 'html', 'url', 'trunc'])
  })

  const LABEL = /^([a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?)?$/

  it.each<[string, (v: string, text: string) => boolean]>([
    ['slug', (_v, text) => LABEL.test(text)],
    ['json', (v, text) => JSON.parse(text) === v],
    ['shell', (v, text) => unquoted(text) === v],
    ['html', (_v, text) => !/[<>"']|&(?!(amp|lt|gt|quot|#39);)/.test(text)],
    ['url', (v, text) => decodeURIComponent(text) === v.toWellFormed() && !/[/?#&=\s]/.test(text)],
    [
      'md',
      (v, text) => text.replaceAll(/\\([^a-z0-9\s])/gi, '$1') === v && !/(^|[^\\])[*`[<]/.test(withoutPairs(text)),
    ],
    ['trunc: 9', (v, text) => (v.length <= 9 ? text === v : text.length <= 9 && v.startsWith(text.slice(0, -1)))],
  ])('%s makes any text safe', (filter, holds) => {
    const compiled = compile(`{{ v | ${filter} }}`)
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.string({ unit: fc.constantFrom(...`a\\'"<>&*\`[]()$ ;\n/.`), maxLength: 100 }),
    )
    fc.assert(fc.property(texts, (v) => holds(v, String(compiled.render(about({ v }))))))
  })

  /** One word as a POSIX shell reads it. */
  const unquoted = (text: string): string | undefined =>
    /^'[^']*'(\\''[^']*')*$/.test(text) ? text.slice(1, -1).replaceAll(String.raw`'\''`, "'") : undefined

  const withoutPairs = (text: string): string => text.replaceAll(/\\./gs, '')
})

describe('a value with templates', () => {
  it('is rendered at every leaf, with its types', () => {
    const render = compileValue({
      pod: '{{ k8s.pod.name }}',
      'key {{ not }}': ['{{ user.uid }}', 'uid {{ user.uid }}', 5, null, true],
      deep: { text: 'plain' },
    })
    expect(render(SCOPE)).toEqual({
      pod: 'web-1',
      'key {{ not }}': [0, 'uid 0', 5, null, true],
      deep: { text: 'plain' },
    })
  })

  it.each([5, null, undefined, true, 'text', [], {}])('without any is itself: %s', (value) => {
    expect(compileValue(value)(SCOPE)).toEqual(value)
  })

  it('fails, or is empty, for a missing value', () => {
    const render = compileValue({ a: ['x {{ nothing }}'] })
    expect(() => render(SCOPE)).toThrow(YarakError)
    expect(render(SCOPE, 'empty')).toEqual({ a: ['x '] })
  })

  it('is refused when a template is wrong', () => {
    expect(() => compileValue({ a: ['{% x %}'] })).toThrow(/tag "x" not found/)
  })
})

describe('what an event holds', () => {
  const piece = fc.constantFrom(
    '{{',
    '}}',
    '{%',
    '%}',
    ' rule ',
    '| upcase',
    '{{ rule }}',
    '{% raw %}',
    '"',
    "'",
    '\\',
    '$(id)',
    '\n',
  )
  const hostile = fc.array(fc.oneof(piece, fc.string({ unit: 'binary', maxLength: 5 }))).map((parts) => parts.join(''))

  it.each([
    '{{ v }}',
    '<{{ v }}>',
    '<{{ v | append: "" }}>',
    '<{% if v %}{{ v }}{% endif %}>',
    '<{% assign copy = v %}{{ copy }}>',
    '<{% capture copy %}{{ v }}{% endcapture %}{{ copy }}>',
    '<{% for one in list %}{{ one }}{% endfor %}>',
    '<{{ fields["v"] }}>',
    '<{{ map.v | default: "none" }}>',
    '<{{ v | raw }}>',
  ])('is never a template: %s', (text) => {
    const compiled = compile(text)
    fc.assert(
      fc.property(hostile, (v) => {
        const wanted = v === '' && text.includes('default') ? 'none' : v
        const expected = text.startsWith('<') ? `<${wanted}>` : wanted
        expect(compiled.render(about({ v, list: [v], map: { v } }), 'empty')).toBe(expected)
      }),
    )
  })

  it('never is one in a value with templates', () => {
    const render = compileValue({ a: '{{ v }}', b: ['- {{ v }}'] })
    fc.assert(
      fc.property(hostile, (v) => {
        expect(render(about({ v }))).toEqual({ a: v, b: [`- ${v}`] })
      }),
    )
  })
})
