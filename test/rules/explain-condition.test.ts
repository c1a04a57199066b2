import { describe, expect, it } from 'vitest'
import { explainCondition, parseCondition } from '../../src/rules/condition.ts'
import { anEvent } from '../../src/testing.ts'

const event = anEvent({
  rule: 'Terminal shell in container',
  output_fields: {
    'proc.name': 'bash',
    'user.uid': 0,
    'k8s.ns.name': null,
    'container.id': '',
    'proc.aname[2]': 'systemd',
    'evt.time': 1_769_860_800_123_456_789n,
  },
})

const explain = (text: string) => explainCondition(parseCondition(text), { event })

describe('an explanation', () => {
  it('of what holds names every part and its values', () => {
    const explained = explain('proc.name in (sh, bash) and not user.uid = 1')
    expect(explained).toMatchObject({
      text: 'proc.name in (sh, bash) and not user.uid = 1',
      holds: true,
      offset: 0,
      actual: [
        { name: 'proc.name', value: 'bash' },
        { name: 'user.uid', value: 0 },
      ],
      throughAbsent: [],
      parts: [
        { text: 'proc.name in (sh, bash)', holds: true, offset: 0, parts: [] },
        { text: 'not user.uid = 1', holds: true, offset: 32, parts: [{ text: 'user.uid = 1', holds: false }] },
      ],
    })
    expect(explained.firstFalse).toBeUndefined()
  })

  it.each<[string, string, { name: string; value: unknown }[]]>([
    ['proc.name = sh', 'proc.name = sh', [{ name: 'proc.name', value: 'bash' }]],
    ['proc.name = bash and user.uid > 0 and a = b', 'user.uid > 0', [{ name: 'user.uid', value: 0 }]],
    ['proc.name = bash and (user.uid = 0 and fd.name = x)', 'fd.name = x', [{ name: 'fd.name', value: undefined }]],
    [
      'user.uid = 0 and (proc.name = sh or proc.pname = sh)',
      'proc.name = sh or proc.pname = sh',
      [
        { name: 'proc.name', value: 'bash' },
        { name: 'proc.pname', value: undefined },
      ],
    ],
    ['not (proc.name = bash)', 'not proc.name = bash', [{ name: 'proc.name', value: 'bash' }]],
    ['rule = x', 'rule = x', [{ name: 'rule', value: 'Terminal shell in container' }]],
    ['proc.aname[2] = init', 'proc.aname[2] = init', [{ name: 'proc.aname[2]', value: 'systemd' }]],
    [
      'evt.time < 1769860800123456789',
      'evt.time < 1769860800123456789',
      [{ name: 'evt.time', value: 1_769_860_800_123_456_789n }],
    ],
    [
      'toupper(proc.name) = val(proc.pname)',
      'toupper(proc.name) = val(proc.pname)',
      [
        { name: 'proc.name', value: 'bash' },
        { name: 'proc.pname', value: undefined },
      ],
    ],
    ['k8s.ns.name exists', 'k8s.ns.name exists', [{ name: 'k8s.ns.name', value: undefined }]],
    ['container.id != x', 'container.id != x', [{ name: 'container.id', value: undefined }]],
  ])('of what does not names the first false part: %s', (text, part, actual) => {
    const explained = explain(text)
    expect(explained.holds).toBe(false)
    expect(explained.firstFalse).toMatchObject({ text: part, holds: false, actual })
    expect(explained.throughAbsent).toEqual([])
  })

  it.each<[string, string[]]>([
    ['not k8s.ns.name = kube-system', ['k8s.ns.name']],
    ['proc.name = bash and not (k8s.ns.name in (a, b) or container.id = x)', ['k8s.ns.name', 'container.id']],
    ['not fd.name startswith /etc', ['fd.name']],
    ['not k8s.ns.name != kube-system', ['k8s.ns.name']],
    ['not toupper(k8s.ns.name) = X', ['k8s.ns.name']],
    ['not proc.name = val(k8s.ns.name)', ['k8s.ns.name']],
  ])('marks what holds only because a field is absent: %s', (text, names) => {
    expect(explain(text)).toMatchObject({ holds: true, throughAbsent: names })
  })

  it.each([
    'not k8s.ns.name exists',
    'not (k8s.ns.name exists and k8s.ns.name = kube-system)',
    'not k8s.ns.name = kube-system or proc.name = bash',
    'not (k8s.ns.name = kube-system and proc.name = sh)',
    'not proc.name = sh',
    'user.uid = 0 or k8s.ns.name = x',
  ])('does not mark what would hold anyway, or asks whether the field exists: %s', (text) => {
    expect(explain(text)).toMatchObject({ holds: true, throughAbsent: [] })
  })

  it('writes lists and macros out, at the place where they are used', () => {
    const lists = new Map([['shells', ['sh', 'zsh']]])
    const macros = new Map([['a_shell', parseCondition('proc.name in (shells)', { lists, macros: new Map() })]])
    const explained = explainCondition(parseCondition('user.uid = 0 and a_shell', { lists, macros }), { event })
    expect(explained.firstFalse).toMatchObject({ text: 'proc.name in (sh, zsh)', offset: 17 })
  })
})
