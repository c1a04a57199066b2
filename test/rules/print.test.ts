import { describe, expect, it } from 'vitest'
import { type Condition, parseCondition, printCondition } from '../../src/rules/condition.ts'

const check = (value: string): Condition => ({
  kind: 'check',
  name: 'a.b',
  operator: '=',
  values: [value],
  offset: 0,
})

describe('a condition written down', () => {
  it.each([
    ['a.b=1 and(not c.d exists)', 'a.b = 1 and not c.d exists'],
    ['((a.b = 1)) or (c.d = 2 and (e.f = 3))', 'a.b = 1 or (c.d = 2 and e.f = 3)'],
    ['not (a.b = 1 or c.d = 2)', 'not (a.b = 1 or c.d = 2)'],
    ['not (not a.b = 1)', 'not (not a.b = 1)'],
    ['not not a.b = 1', 'a.b = 1'],
    ['a.b in (x,\'y z\',"")', 'a.b in (x, "y z", "")'],
    ['a.b in ()', 'a.b in ()'],
    ['a.b startswith oneof(x,y)', 'a.b startswith oneof (x, y)'],
    ['a.b = anyof', 'a.b = "anyof"'],
    ['a.b>=0x1f', 'a.b >= 0x1f'],
    ['evt.dir=<', 'evt.dir = <'],
    ['proc.aname[2] pmatch (/bin,/usr/*)', 'proc.aname[2] pmatch (/bin, /usr/*)'],
    ['fields["x y"] = z', 'fields["x y"] = z'],
    ['a.b = val( c.d )', 'a.b = val(c.d)'],
    ["len( a.b )>1 and tolower(basename(c.d))='x'", 'len(a.b) > 1 and tolower(basename(c.d)) = x'],
    ['join("-",(a.b,1)) = x', 'join("-", (a.b, "1")) = x'],
    ["getopt(a.b, 'nt:')[t] exists", 'getopt(a.b, "nt:")["t"] exists'],
    ['a.b = toupper(c.d)', 'a.b = toupper(c.d)'],
  ])('%s', (text, printed) => {
    expect(printCondition(parseCondition(text))).toBe(printed)
    expect(printCondition(parseCondition(printed))).toBe(printed)
  })

  it.each([
    ['bash', 'bash'],
    ['/usr/bin/*.sh', '/usr/bin/*.sh'],
    ['', '""'],
    ['a b', '"a b"'],
    ["it's", `"it's"`],
    ['a "b"', String.raw`"a \"b\""`],
    ['a\\b', String.raw`"a\\b"`],
    ['C:\\', String.raw`"C:\x5c"`],
    ['two\nlines\r\t', String.raw`"two\nlines\r\t"`],
    ['a=b', '"a=b"'],
    ['(a, b)', '"(a, b)"'],
    ['oneof', '"oneof"'],
    ['grün 🦉', '"grün 🦉"'],
  ])('has quotes and escapes only where they are needed: %j', (value, printed) => {
    expect(printCondition(check(value))).toBe(`a.b = ${printed}`)
    expect(parseCondition(`a.b = ${printed}`)).toMatchObject({ values: [value] })
  })
})
