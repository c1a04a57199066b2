import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Alert, holds, matched, matching, talon } from './_talon.ts'

const fields = (output_fields: Record<string, unknown>): Alert => ({ output_fields })

describe('which rules', () => {
  it.each<[string, Alert, boolean]>([
    ['{ rules: [Shell] }', {}, true],
    ['{ rules: [Other, Shell] }', {}, true],
    ['{ rules: [shell] }', {}, false],
    ['{ rules: [Sh*] }', {}, false],
    ['{ rules: [] }', {}, true],
    ['{}', {}, true],
    ['{ rules: [1] }', { rule: '1' }, true],
    ['{ rules: [1.0] }', { rule: '1.0' }, true],
  ])('%s of %j: %s', (match, alert, expected) => expect(holds(match, alert)).toBe(expected))
})

describe('which source', () => {
  it.each<[string, Alert, boolean]>([
    ['{ source: syscall }', {}, true],
    ['{ source: syscall }', { source: '' }, true],
    ['{ source: k8s_audit }', { source: 'k8s_audit' }, true],
    ['{ source: syscalls }', {}, false],
    ['{ source: }', { source: 'k8s_audit' }, true],
  ])('%s of %j: %s', (match, alert, expected) => expect(holds(match, alert)).toBe(expected))
})

describe('a source that Falco Talon documents and no event has', () => {
  it('is told', () => {
    expect(talon(matching('{ source: syscalls }')).told).toEqual([
      'a:2:20 warning rule "R": match.source: no event is of syscalls; Falco says syscall',
    ])
  })
})

describe('which priority', () => {
  it.each<[string, string, boolean]>([
    ['Warning', 'Warning', true],
    ['=warning', 'Warning', true],
    ['WARNING', 'Error', false],
    ['>Warning', 'Error', true],
    ['>Warning', 'Warning', false],
    ['>=Warning', 'Warning', true],
    ['>=Warning', 'Notice', false],
    ['<Warning', 'Notice', true],
    ['<Warning', 'Warning', false],
    ['<=Warning', 'Warning', true],
    ['<=Warning', 'Error', false],
    ['>=Debug', 'Emergency', true],
    ['', 'Debug', true],
    ['>=Info', 'Informational', true],
    ['Informational', 'Info', true],
  ])('%j of %s: %s', (priority, own, expected) => {
    expect(holds(`{ priority: "${priority}" }`, { priority: own })).toBe(expected)
  })

  it.each([
    ['>= Warning', ' after an optional comparator, and no space'],
    ['<>Warning', ' after an optional comparator'],
    ['>=', ' after an optional comparator'],
    ['loud', ' after an optional comparator'],
  ])('%j is an error', (priority, end) => {
    expect(talon(matching(`{ priority: "${priority}" }`))).toMatchObject({
      rules: [],
      told: [
        `a:2:22 rule "R": match.priority: ${priority} is not one of Emergency, Alert, Critical, Error, Warning, Notice, Informational, Debug${end}`,
      ],
    })
  })
})

describe('which tags', () => {
  it.each<[string, string[], boolean]>([
    ['[a]', ['a', 'b'], true],
    ['[a, b]', ['b'], true],
    ['["a,b"]', ['b'], false],
    ['["a, b"]', ['b', 'a'], true],
    ['["a, b", c]', ['c'], true],
    ['[A]', ['a'], false],
    ['["a b"]', ['ab'], true],
    ['[mitre_execution, T1059.004]', ['T1059.004'], true],
    ['[1]', ['1'], true],
    ['[]', [], true],
    ['[a]', [], false],
    // Talon counts pairs, so that a tag given twice matches nothing; and its check refuses these tags.
    ['[a]', ['a', 'a'], true],
    ['[nist_800-53, a/b, c:d, e_]', ['nist_800-53'], true],
  ])('%s of %j: %s', (tags, own, expected) => expect(holds(`{ tags: ${tags} }`, { tags: own })).toBe(expected))

  it('an empty one is an error', () => {
    expect(talon(matching('{ tags: ["a,"] }')).told).toEqual(['a:2:19 rule "R": match.tags: "a," holds an empty tag'])
  })
})

describe('which output fields', () => {
  it.each<[string, Record<string, unknown>, boolean]>([
    ['proc.name=bash', { 'proc.name': 'bash' }, true],
    ['proc.name=bash', { 'proc.name': 'Bash' }, false],
    ['proc.name=bash', { 'proc.name': 'bash ' }, false],
    ['proc.name=bash', {}, false],
    ['proc.name=bash', { 'proc.name': null }, false],
    ['proc.name!=bash', { 'proc.name': 'bash' }, false],
    ['proc.name!=bash', { 'proc.name': 'sh' }, true],
    ['proc.name!=bash', {}, true],
    ['proc.name!=bash', { 'proc.name': null }, true],
    ['k8s.ns.name!=kube-system', {}, true],
    ['k8s.ns.name!=kube-system', { 'k8s.ns.name': '' }, true],
    ['k8s.ns.name!=kube-system, k8s.ns.name!=falco', { 'k8s.ns.name': 'falco' }, false],
    ['k8s.ns.name!=kube-system, k8s.ns.name!=falco', { 'k8s.ns.name': 'shop' }, true],
    ['k8s.ns.name!=kube-system,k8s.ns.name!=falco', { 'k8s.ns.name': 'kube-system' }, false],
    ['proc.name=bash, fd.rport=22', { 'proc.name': 'bash', 'fd.rport': 22 }, true],
    ['proc.name=bash, fd.rport=22', { 'proc.name': 'bash', 'fd.rport': '22' }, true],
    ['proc.name=bash, fd.rport=22', { 'proc.name': 'bash', 'fd.rport': 222 }, false],
    ['proc.is_x=true', { 'proc.is_x': true }, true],
    ['proc.name="b""ash"', { 'proc.name': 'bash' }, true],
    ['proc.name= bash', { 'proc.name': ' bash' }, true],
    ['proc.name= bash', { 'proc.name': 'bash' }, false],
    ['proc.name=bash ', { 'proc.name': 'bash ' }, true],
    ['proc.name=ba*', { 'proc.name': 'bash' }, false],
    ['proc.name=', { 'proc.name': '' }, true],
    ['proc.name!=', { 'proc.name': '' }, false],
    ['proc.name!=', {}, true],
    ['proc.name=a!b', { 'proc.name': 'a!b' }, true],
    ['proc.cmdline=C:\\\\x', { 'proc.cmdline': 'C:\\\\x' }, true],
    ['proc.aname[2]=sshd', { 'proc.aname[2]': 'sshd' }, true],
    ['evt.num=12', { 'evt.num': 12 }, true],
    ['rule=x', { rule: 'x' }, true],
    ['customer=x', { customer: 'x' }, true],
    // Talon prints large numbers as floats, and so never finds these.
    ['proc.pid=1234567', { 'proc.pid': 1234567 }, true],
    ['proc.pid!=1234567', { 'proc.pid': 1234567 }, false],
    // Talon refuses these keys.
    ['proc.is_exe_writable=true', { 'proc.is_exe_writable': true }, true],
    ['k8s.pod.label[app.kubernetes.io/name]=web', { 'k8s.pod.label[app.kubernetes.io/name]': 'web' }, true],
    // A field that says it has no value, whatever way it does.
    ['k8s.ns.name!=<NA>', {}, false],
    ['k8s.ns.name!=<NA>', { 'k8s.ns.name': '<NA>' }, false],
    ['k8s.ns.name!=<NA>', { 'k8s.ns.name': 'shop' }, true],
    ['k8s.ns.name=<nil>', { 'k8s.ns.name': null }, true],
    ['k8s.ns.name=', { 'k8s.ns.name': '' }, true],
    ['k8s.ns.name!=', { 'k8s.ns.name': '' }, false],
  ])('%j of %j: %s', (entry, own, expected) => {
    expect(holds(`{ output_fields: ['${entry.replaceAll('\\\\', '\\')}'] }`, fields(mapped(own)))).toBe(expected)
  })

  const mapped = (own: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(own).map(([key, value]) => [
        key,
        typeof value === 'string' ? value.replaceAll('\\\\', '\\') : value,
      ]),
    )

  it('are alternatives, one per entry', () => {
    const match = '{ output_fields: ["proc.name=bash, fd.rport=22", "user.name!=root"] }'
    expect(holds(match, fields({ 'user.name': 'root', 'proc.name': 'bash', 'fd.rport': 22 }))).toBe(true)
    expect(holds(match, fields({ 'user.name': 'root', 'proc.name': 'bash' }))).toBe(false)
    expect(holds(match, fields({ 'user.name': 'joe' }))).toBe(true)
  })

  it.each(['proc.cmdline=a=b', 'proc.cmdline==a=b', 'proc.cmdline!=a=b', 'proc.cmdline!=a!b'])(
    '%j is compared as it is written, and matches no other event',
    (entry) => {
      const { rules, told } = talon(matching(`{ output_fields: ["${entry}"] }`))
      const value = entry.includes('!b') ? 'a!b' : 'a=b'
      const negated = entry.includes('!=')
      expect(matched(rules, fields({ 'proc.cmdline': value })).length).toBe(negated ? 0 : 1)
      expect(matched(rules, fields({ 'proc.cmdline': 'x' })).length).toBe(negated ? 1 : 0)
      expect(told).toEqual([
        `a:2:28 warning rule "R": match.output_fields: "${entry}": Falco Talon cannot read a value with = or !; here it is compared as it is written`,
      ])
    },
  )

  it.each([
    [
      'fd.sip=10.0.0.0/8',
      { 'fd.sip': '10.1.2.3' },
      'Falco Talon compares the text; here it is all addresses of the range',
    ],
    ['k8s.namespace.name=a', { 'k8s.namespace.name': 'a' }, 'Falco has no such field; did you mean `k8s.ns.name`?'],
    ['proc.name=<NA>', {}, 'taken as absent, in whatever way the event says so'],
    ['container.id!=', { 'container.id': 'x' }, 'taken as present, in whatever way the event says so'],
  ])('%j holds, and is told not to be what Talon does, or what is meant', (entry, own, note) => {
    const { rules, told } = talon(matching(`{ output_fields: ["${entry}"] }`))
    expect(matched(rules, fields(own))).toEqual(['R'])
    expect(told).toEqual([`a:2:28 warning rule "R": match.output_fields: "${entry}": ${note}`])
  })

  it.each(['a = b', ' a=b', 'a=b,  c=d', 'a=b,', 'a', 'a!b', '=x', 'a>=5', 'a=x, y'])('%j is an error', (entry) => {
    const { rules, told } = talon(matching(`{ output_fields: ["${entry}"] }`))
    expect(rules).toEqual([])
    expect(told).toEqual([
      expect.stringMatching(
        /^a:2:28 rule "R": match\.output_fields: ".*" is not field=value or field!=value; no space/,
      ),
    ])
  })
})

describe('all criteria', () => {
  it('must hold together', () => {
    const match = '{ rules: [Shell], priority: ">=Notice", tags: [a], source: syscall, output_fields: ["x.y=1"] }'
    const alert: Alert = { tags: ['a'], output_fields: { 'x.y': 1 } }
    expect(holds(match, alert)).toBe(true)
    const others: Alert[] = [{ rule: 'X' }, { priority: 'Debug' }, { tags: [] }, { source: 'y' }, { output_fields: {} }]
    for (const other of others) expect(holds(match, { ...alert, ...other })).toBe(false)
  })
})

/** What Talon does, told as simply as can be, for rules and events that it has no trouble with. */
interface Simple {
  readonly rules: readonly string[]
  readonly tags: readonly (readonly string[])[]
  readonly fields: readonly (readonly { key: string; equal: boolean; value: string }[])[]
  readonly priority: { comparator: string; word: string } | undefined
  readonly source: string | undefined
}

const ORDER = ['debug', 'informational', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

const comparePriority = (comparator: string, own: number, limit: number): boolean =>
  ({ '>': own > limit, '>=': own >= limit, '<': own < limit, '<=': own <= limit })[comparator] ?? own === limit

const talonMatches = (simple: Simple, alert: Required<Alert>): boolean => {
  const { rules, tags, fields: entries, priority, source } = simple
  const own = ORDER.indexOf(alert.priority.toLowerCase())
  return (
    (rules.length === 0 || rules.includes(alert.rule)) &&
    (entries.length === 0 ||
      entries.some((entry) =>
        entry.every(({ key, equal, value }) => (String(alert.output_fields[key]) === value) === equal),
      )) &&
    (!priority || comparePriority(priority.comparator, own, ORDER.indexOf(priority.word.toLowerCase()))) &&
    (tags.length === 0 || tags.some((entry) => entry.every((tag) => alert.tags.includes(tag)))) &&
    (source === undefined || alert.source === source)
  )
}

const name = fc.constantFrom('Shell', 'Write below etc', 'C')
const key = fc.constantFrom('k8s.ns.name', 'k8s.pod.name', 'proc.name', 'proc.aname[2]', 'fd.rport', 'rule', 'plain')
const value = fc.oneof(
  fc.constantFrom('bash', 'kube-system', '22', 'true', 'and', 'a "b', String.raw`a\b`, "it's", 'a(b)', '$x', 'é', '%'),
  fc.stringMatching(/^[a-z0-9 .:/<>()'\\_-]{1,8}$/),
)
const simpleMatch: fc.Arbitrary<Simple> = fc.record({
  rules: fc.array(name, { maxLength: 2 }),
  tags: fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c.1'), { minLength: 1, maxLength: 2 }), { maxLength: 2 }),
  fields: fc.array(fc.array(fc.record({ key, equal: fc.boolean(), value }), { minLength: 1, maxLength: 3 }), {
    maxLength: 3,
  }),
  priority: fc.option(
    fc.record({
      comparator: fc.constantFrom('', '=', '<', '<=', '>', '>='),
      word: fc.constantFrom('Debug', 'warning', 'ERROR'),
    }),
    { nil: undefined },
  ),
  source: fc.option(fc.constantFrom('syscall', 'k8s_audit'), { nil: undefined }),
})
const alert: fc.Arbitrary<Required<Alert>> = fc.record({
  rule: name,
  priority: fc.constantFrom('Debug', 'Warning', 'Error', 'Emergency'),
  source: fc.constantFrom('syscall', 'k8s_audit'),
  tags: fc.uniqueArray(fc.constantFrom('a', 'b', 'c.1', 'd')),
  output_fields: fc.dictionary(key, fc.oneof(value, fc.constantFrom(22, 1, true, false)), { maxKeys: 4 }),
})

const asText = ({ rules, tags, fields: entries, priority, source }: Simple): string =>
  JSON.stringify({
    rules,
    tags: tags.map((tag) => tag.join(',')),
    output_fields: entries.map((entry) =>
      entry.map((one) => `${one.key}${one.equal ? '=' : '!='}${one.value}`).join(', '),
    ),
    priority: priority && `${priority.comparator}${priority.word}`,
    source,
  })

/** What Talon makes of a value: its quotes are gone. */
const unquoted = (simple: Simple): Simple => ({
  ...simple,
  fields: simple.fields.map((entry) => entry.map((one) => ({ ...one, value: one.value.replaceAll('"', '') }))),
})

describe('for any well-formed rule and event', () => {
  it('the decision is that of Talon', () => {
    fc.assert(
      fc.property(simpleMatch, fc.array(alert, { minLength: 1, maxLength: 6 }), (simple, alerts) => {
        const { rules, errors } = talon(matching(asText(simple)))
        expect(errors).toEqual([])
        for (const one of alerts) {
          expect({ simple, one, holds: matched(rules, one).length === 1 }).toEqual({
            simple,
            one,
            holds: talonMatches(unquoted(simple), one),
          })
        }
      }),
      { numRuns: 300 },
    )
  })

  it('no text is read as a rule for every event', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { rules, errors } = talon(matching(JSON.stringify({ output_fields: [text] })))
        expect(rules.length === 1 || errors.length > 0).toBe(true)
        for (const { condition } of rules) expect(condition).toMatch(/ = | exists/)
      }),
    )
  })
})
