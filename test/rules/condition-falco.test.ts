import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { type Condition, ConditionError, parseCondition, predicate, printCondition } from '../../src/rules/condition.ts'
import { anEvent } from '../../src/testing.ts'

/** The lines of the fixture, with the definitions that stand before each. */
const read = () => {
  const lists = new Map<string, string[]>()
  const macros = new Map<string, Condition>()
  const conditions: string[] = []
  const definitions = { lists, macros }
  const lines = readFileSync('test/fixtures/falco-conditions.txt', 'utf8').split('\n')
  for (const line of lines.filter((one) => one && !one.startsWith('#'))) {
    const [, kind, name = '', text = ''] = /^(list|macro) (\w+): (.*)$/.exec(line) ?? []
    if (kind === 'list') lists.set(name, text.split(/, (?=["/\w])/))
    else if (kind === 'macro') macros.set(name, parseCondition(text, definitions))
    else conditions.push(line)
  }
  return { definitions, conditions }
}

const { definitions, conditions } = read()

it.each(conditions)('is read as Falco reads it: %s', (text) => {
  const parsed = parseCondition(text, definitions)
  expect(typeof predicate(parsed)({ event: anEvent({}) })).toBe('boolean')
  expect(printCondition(parseCondition(printCondition(parsed)))).toBe(printCondition(parsed))
})

it('is read with other blanks', () => {
  for (const text of conditions) {
    const spread = ` ${text.replaceAll(/ (?=and|or)/g, '\n\t')}\r\n`
    expect(printCondition(parseCondition(spread, definitions))).toBe(printCondition(parseCondition(text, definitions)))
  }
})

/** Refused by falcosecurity/libs too, in userspace/libsinsp/test/filter_parser.ut.cpp. */
it.each([
  'a andb',
  'aand b',
  'a and b and',
  'a and b or',
  'a and b not',
  'and a',
  'or a',
  'a not b',
  'a and or b',
  'a andnot b',
  '(a)andnot(b)',
  '(a)ornot(b)',
  'evt.arg[] contains /bin',
  'a.b = b = 1',
  '(a.b = 1',
  'a.a invalidoperator xxx',
  'macro > 12 x',
  'a.g in ( 1 ,, , b)',
  '#a and b',
  'fd.name=/var/lo);g/httpd.log',
  'test.str = a,',
  'test.str = a=',
  'test.str = \'"',
  'test.str = missing start quote',
  'test.str = "broken escape double quote""',
  String.raw`test.str = "mixed \'"`,
  String.raw`test.str = 'mixed \"'`,
  'test.str[[] = testval',
  "test.str['''] = a",
  'test.str[   test   ] = testval',
  'test.num > !0.1222e+10',
  'test.num < 0xAAA.1',
  'test.num >= 0aaaaa',
  'test.list in (',
  'test.list in (value,)',
  'test.list > (value)',
  'test.list startswith (value)',
  'test.op ExIsTs',
  'test.op exists something',
  'test.op === value',
  'test.op !== value',
  'test.op containsvalue',
  'test.op in',
  'val(test.field) exists',
  'b64(val(test.field)) exists',
  'b64(test.field [1]) exists',
  'fake(test.field) exists',
  'b64 (test.field) exists',
  'b64(test.field exists',
  '(test.field) exists',
  'some.field = val(toupper(test.field))',
  'some.field = (b64(test.field))',
  'some.field in (a, b64(test.field))',
])('is refused as by Falco: %s', (text) => {
  const macros = new Map(['a', 'b', 'c', 'macro'].map((name) => [name, parseCondition('x.y exists')] as const))
  expect(() => parseCondition(text, { lists: new Map(), macros })).toThrow(ConditionError)
})
