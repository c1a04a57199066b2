import { describe, expect, it } from 'vitest'
import type { Scope } from '../../src/names.ts'
import { compileCondition, ConditionError, namesIn, parseCondition } from '../../src/rules/condition.ts'
import { targetOf } from '../../src/target.ts'
import { anEvent, aReport } from '../../src/testing.ts'

const event = anEvent({
  output_fields: {
    'proc.name': 'bash',
    'user.uid': 0,
    'proc.cmdline': `sh -c "x y" 'z'`,
    'proc.aname[2]': 'systemd',
    'fd.name': null,
    'container.id': '<NA>',
    'k8s.ns.name': 'shop',
    'k8s.pod.name': 'web-1',
    'evt.dir': '<',
    'evt.arg.flags': 'O_RDONLY|O_CLOEXEC',
    'evt.rawarg.path': '/etc/shadow',
    'fd.sip': '10.0.0.1',
    'fd.cip': '192.168.1.7',
    'fd.sport': 443,
    'fd.lip': '2001:DB8:0::1',
    'proc.pname': 'BASH',
    'k8s.pod.uid': '',
    'container.image': 'N/A',
    empty: '',
    'team-name': 'blue',
    list: ['a', 'b'],
    big: 1_769_860_800_123_456_789n,
  },
})

const [mark] = aReport().steps
const scope: Scope = { event, target: targetOf(event), steps: mark ? { mark } : {} }

const errorOf = (text: string): ConditionError => {
  try {
    parseCondition(text)
  } catch (error) {
    return error as ConditionError
  }
  throw new Error(`it was taken: ${text}`)
}

describe('a condition', () => {
  it.each<[string, boolean]>([
    ['proc.name = bash', true],
    ['proc.name=bash', true],
    ['proc.name = "bash"', true],
    ["proc.name == 'bash'", true],
    ['proc.name != sh', true],
    ['not proc.name = sh', true],
    ['not not proc.name = sh', false],
    ['not (not proc.name = bash)', true],
    ['proc.name in (sh, bash)', true],
    ['proc.name in ()', false],
    ['proc.name in(sh,"bash")', true],
    ['proc.name in val(list)', false],
    ['(proc.name = bash)and(user.uid = 0)', true],
    ['not(proc.name = sh)or(user.uid = 1)', true],
    ['proc.name startswith anyof (z, ba)', true],
    ['proc.name startswith oneof (b, ba)', false],
    ['proc.name startswith oneof(b, z)', true],
    ['proc.name != allof (sh, zsh)', true],
    ['proc.name = anyof ()', false],
    ['proc.name = allof ()', false],
    ['proc.name != anyof', true],
    ['proc.name = anyof or user.uid = 0', true],
    ['proc.name iglob B?S*', true],
    ['proc.name regex b[a-z]+', true],
    ['proc.name regex b[a-z]', false],
    ['proc.name bcontains 6173', true],
    ['proc.name bstartswith 6261', true],
    ['proc.name bstartswith 6173', false],
    ['evt.dir=<', true],
    ['evt.dir = >', false],
    ['fd.name = <', false],
    ['evt.arg.flags contains O_RDONLY', true],
    ['evt.arg[flags] contains O_RDONLY', true],
    ['evt.rawarg[path] = /etc/shadow', true],
    ['evt.rawarg.path pmatch (/etc, /var)', true],
    ['evt.rawarg.path pmatch (/etc/sh)', false],
    ['user.uid <= 0x1f and user.uid >= -1 and user.uid < +1.5 and user.uid < 1e+3', true],
    ['fd.sip = 10.0.0.1 and fd.net in (10.0.0.0/8) and fd.ip in ("192.168.1.7")', true],
    ['fd.cip in (10.0.0.0/8, "192.168.0.0/16")', true],
    ['fd.snet != 10.0.0.0/8', false],
    ['fd.net != 172.16.0.0/12', true],
    ['fd.port in (443)', true],
    ['fd.net exists and not fd.cnet = 10.0.0.0/8', true],
    ['fd.lip = 2001:db8::1', true],
    ['fd.lnet = 2001:db8::/32', true],
    ['tolower(proc.name) = bash and toupper( proc.name )=BASH', true],
    ['len(proc.name) = 4 and len(list) > 1', true],
    ['basename(evt.rawarg.path) = shadow', true],
    ['concat(proc.name, "-", k8s.ns.name) = bash-shop', true],
    ['proc.name = val(proc.pname)', false],
    ['proc.pname = toupper(proc.name)', true],
    ['proc.name != val(nothing)', false],
    ['proc.name in val(tags)', false],
    ['proc.name exists and container.image exists', false],
    ['k8s.pod.uid exists', false],
    ['k8s.pod.uid = ""', false],
    ['fields["empty"] exists', true],
    ['fields["team-name"] = blue', true],
    ['team-name = blue', true],
    ['tags intersects (shell, nothing)', true],
    ['tags in (shell, nothing)', false],
    ['tags = shell', true],
    ['tags != shell', false],
    ['user.uid = 0', true],
    ['user.uid < 1 and user.uid >= 0', true],
    ['user.uid > 0 or proc.name startswith ba', true],
    ['big = 1769860800123456789', true],
    ['big = 1769860800123456790', false],
    ['big > 1769860800123456788', true],
    ['proc.name contains as', true],
    ['proc.name icontains AS', true],
    ['proc.name endswith sh', true],
    ['proc.name glob "b?s*"', true],
    ['proc.name exists', true],
    ['fd.name exists', false],
    ['container.id exists', false],
    ['nothing exists', false],
    ['nothing = ""', false],
    ['nothing != x', false],
    ['container.id != x', false],
    ['fd.name != x', false],
    ['not nothing = x', true],
    ['proc.aname[2] = systemd', true],
    ['fields["proc.aname[2]"] = systemd', true],
    ['priority >= notice', true],
    ['priority > Notice', false],
    ['priority in (Info, notice)', true],
    ['priority contains otic', true],
    ['rule = "Terminal shell in container" and source = syscall', true],
    ['target.pod = web-1', true],
    ['steps.mark.outcome = succeeded', true],
    ['steps.other.outcome != succeeded', false],
    [String.raw`proc.cmdline = "sh -c \"x y\" 'z'"`, true],
    ['proc.cmdline contains \'"x y"\'', true],
    ['(((proc.name = bash)))', true],
    ['proc.name = sh and user.uid = 0 or tags = shell', true],
    ['proc.name = sh and (user.uid = 0 or tags = shell)', false],
    ['not proc.name = bash or user.uid = 0', true],
    ['not (proc.name = bash or user.uid = 0)', false],
    ['\n proc.name =\n\tbash\r\n and user.uid = 0 \n', true],
    ['proc.name = and', false],
    ['list[1] = b', true],
  ])('%s', (text, holds) => {
    expect(compileCondition(text)(scope)).toBe(holds)
  })

  it.each<[string, string, number]>([
    ['', 'expected a field, found the end', 0],
    ['   ', 'expected a field, found the end', 3],
    ['proc.name', 'expected an operator after proc.name, found the end', 9],
    ['proc.name bash', 'expected an operator after proc.name, found bash', 10],
    ['proc.name contain x', 'expected an operator after proc.name, found contain; did you mean `contains`?', 10],
    ['rule bash', 'expected an operator after rule, found bash', 5],
    ['proc.name "="', 'expected an operator after proc.name, found "', 10],
    ['proc.name =', 'expected a value, found the end', 11],
    ['proc.name = (a)', 'expected a value, found (', 12],
    ['proc.name = and user.uid = 0', 'expected and, or, or the end, found user.uid', 16],
    ['a = b c = d', 'expected and, or, or the end, found c', 6],
    ['a = b and', 'expected a field, found the end', 9],
    ['a = b and or', 'expected a field, found or', 10],
    ['and = 1', 'expected a field, found and', 0],
    ['a = b andnot c = d', 'expected and, or, or the end, found andnot', 6],
    ['not', 'expected a field, found the end', 3],
    ['"a" = b', 'expected a field, found "', 0],
    ['(a = b', 'expected a closing parenthesis, found the end', 6],
    ['a = b)', 'expected and, or, or the end, found )', 5],
    ['()', 'expected a field, found )', 1],
    ['a in b', 'no list is named b; a list of one value is (b)', 5],
    ['a in "b"', 'expected a list in parentheses, or the name of a list, found "', 5],
    ['a in (b c)', 'expected a comma or a closing parenthesis, found c', 8],
    ['a in (b', 'expected a comma or a closing parenthesis, found the end', 7],
    ['a in (b,)', 'expected a value, found )', 8],
    ['a in (,)', 'expected a value, found ,', 6],
    ['a = "b', 'this quote is never closed', 4],
    ['a = \'b"', 'this quote is never closed', 4],
    ['a[0 = b', 'a[ is never closed by ]', 1],
    ['a[] = b', 'a[ is never closed by ]', 1],
    ['a = b AND c = d', 'expected and, or, or the end, found AND', 6],
    ['... = b', 'expected a field, found ...', 0],
    ['a > x', '> compares numbers, and x is none', 4],
    ['a <= ""', '<= compares numbers, and "" is none', 5],
    ['a bcontains xyz', 'bcontains takes bytes in hexadecimal, e.g. 7f454c46, not xyz', 12],
    ['a bstartswith 123', 'bstartswith takes bytes in hexadecimal, e.g. 7f454c46, not 123', 14],
    ['a = b and fd.sip in (1.2.3.4, 10.0.0.0/33)', '10.0.0.0/33 is not a range of addresses, e.g. 10.0.0.0/8', 30],
    ['a regex val(b.c)', 'regex takes its values from the condition, not from a field', 8],
    ['a glob tolower(b.c)', 'glob takes its values from the condition, not from a field', 7],
    ['a = val(b.c', 'expected a closing parenthesis, found the end', 11],
    ['a = val("b")', 'expected a field, found "', 8],
    ['len(a.b, c.d) > 1', 'len() takes one value', 0],
    ['join(a.b) = x', 'join() takes a separator and a list', 0],
    ['concat(a.b) = x', 'concat() takes at least two texts', 0],
    ['getopt(a.b) = x', 'getopt() takes a list of arguments and the allowed options', 0],
    ['len(a.b)[c] > 1', 'len() takes no [c]', 0],
    ['len("abc") > 1', 'a check looks at a field, and here is none', 0],
    ['len(a.b', 'expected a comma or a closing parenthesis, found the end', 7],
    ['len(=) > 1', 'expected a field, a transformer, a text in quotes or a number, found =', 4],
    ['nosuch', 'no macro is named nosuch', 0],
    ['a = b and nosuch or c = d', 'no macro is named nosuch', 10],
    [`${'('.repeat(102)}a = b`, 'more than 100 levels of nesting', 101],
    [`a = ${'b'.repeat(100_001)}`, 'a condition is at most 100000 characters', 0],
  ])('is refused with its place: %#: %s', (text, message, offset) => {
    const error = errorOf(text)
    expect(error).toBeInstanceOf(ConditionError)
    expect([error.message, error.offset]).toEqual([message, offset])
    expect(error).toMatchObject({ code: 'config', permanent: true })
  })

  it('is refused where a regular expression cannot be used', () => {
    for (const pattern of ['a(b', '[', '(?=a)', 'x'.repeat(2_001)]) {
      const error = errorOf(`proc.name regex "${pattern}"`)
      expect([error.message.startsWith('the regular expression cannot be used: '), error.offset]).toEqual([true, 16])
    }
  })

  it('is refused beyond 100 levels of transformers', () => {
    const nested = (levels: number): string => `${'tolower('.repeat(levels)}a.b${')'.repeat(levels)} = x`
    expect(errorOf(nested(102)).message).toBe('more than 100 levels of nesting')
    expect(compileCondition(nested(100))(scope)).toBe(false)
  })

  it.each(['priority = warnign', 'priority in (Notice, hihg)', 'a = b and not priority != 5', 'priority >= ""'])(
    'is refused when it names no priority: %s',
    (text) => {
      const place = /(?:warnign|hihg|5|"")/.exec(text)?.index
      expect(() => compileCondition(text)).toThrow(/^.* is not a priority: Emergency, Alert, /)
      expect(() => compileCondition(text)).toThrow(expect.objectContaining({ offset: place }))
    },
  )

  it('may be long, and hold many negations', () => {
    const many = Array.from({ length: 2_000 }, (_, i) => `proc.name = x${i}`).join(' or ')
    expect(compileCondition(`${many} or ${'not '.repeat(10_000)}proc.name = bash`)(scope)).toBe(true)
  })

  it('tells the names it looks at', () => {
    const parsed = parseCondition('a = 1 and not (b in (x, y) or c exists)')
    expect([...namesIn(parsed)].map(({ name, values, offset }) => [name, values, offset])).toEqual([
      ['a', ['1'], 0],
      ['b', ['x', 'y'], 15],
      ['c', [], 30],
    ])
  })

  it('tells the names inside transformers and on the right', () => {
    const parsed = parseCondition('join(",", (a.b, tolower(c.d))) = val(e.f) and g in (x)')
    expect([...namesIn(parsed)].map(({ name, values, offset }) => [name, values, offset])).toEqual([
      ['a.b', [], 11],
      ['c.d', [], 24],
      ['e.f', [], 37],
      ['g', ['x'], 46],
    ])
  })
})
