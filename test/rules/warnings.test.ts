import { describe, expect, it } from 'vitest'
import { compileCondition, parseCondition, warningsOf } from '../../src/rules/condition.ts'
import { anEvent } from '../../src/testing.ts'

const fixes = (text: string): string[] => warningsOf(parseCondition(text)).map(({ fix }) => fix)

describe('a negated check on what an event is about', () => {
  it('is warned of, with its place and the text to write', () => {
    expect(warningsOf(parseCondition('proc.name = sh and not k8s.ns.name in (kube-system, "a b")'))).toEqual([
      {
        name: 'k8s.ns.name',
        offset: 23,
        message:
          'not k8s.ns.name in (kube-system, "a b") also holds when k8s.ns.name is absent; ' +
          'write k8s.ns.name exists and not k8s.ns.name in (kube-system, "a b")',
        fix: 'k8s.ns.name exists and not k8s.ns.name in (kube-system, "a b")',
      },
    ])
  })

  it.each<[string, string[]]>([
    ['not k8s.ns.name = x', ['k8s.ns.name exists and not k8s.ns.name = x']],
    ['not (k8s.ns.name = x)', ['k8s.ns.name exists and not k8s.ns.name = x']],
    ['not k8s.ns.name != x', ['k8s.ns.name exists and not k8s.ns.name != x']],
    [
      'not container.image.repository contains x',
      ['container.image.repository exists and not container.image.repository contains x'],
    ],
    ['not k8smeta.ns.name = x', ['k8smeta.ns.name exists and not k8smeta.ns.name = x']],
    ['not ka.user.name = x', ['ka.user.name exists and not ka.user.name = x']],
    ['not fields["k8s.ns.name"] = x', ['fields["k8s.ns.name"] exists and not fields["k8s.ns.name"] = x']],
    ['not tolower(k8s.ns.name) = x', ['k8s.ns.name exists and not tolower(k8s.ns.name) = x']],
    ['not proc.name = val(container.name)', ['container.name exists and not proc.name = val(container.name)']],
    [
      'not (k8s.ns.name = x or container.id = y)',
      ['k8s.ns.name exists and not k8s.ns.name = x', 'container.id exists and not container.id = y'],
    ],
    ['not (proc.name = sh and k8s.ns.name = x)', ['k8s.ns.name exists and not k8s.ns.name = x']],
    ['not (k8s.ns.name exists and k8s.ns.name = x)', ['k8s.ns.name exists and not k8s.ns.name = x']],
    ['k8s.pod.name exists and not k8s.ns.name = x', ['k8s.ns.name exists and not k8s.ns.name = x']],
    ['k8s.ns.name exists or not k8s.ns.name = x', ['k8s.ns.name exists and not k8s.ns.name = x']],
    ['(k8s.ns.name exists or a = b) and not k8s.ns.name = x', ['k8s.ns.name exists and not k8s.ns.name = x']],
    ['not k8s.ns.name exists and not k8s.ns.name = x', ['k8s.ns.name exists and not k8s.ns.name = x']],
  ])('is found: %s', (text, expected) => {
    expect(fixes(text)).toEqual(expected)
  })

  it.each([
    'k8s.ns.name != x',
    'k8s.ns.name = x',
    'not proc.name = x',
    'not k8s.ns.name exists',
    'k8s.ns.name exists and not k8s.ns.name = x',
    'not k8s.ns.name = x and k8s.ns.name exists',
    'k8s.ns.name startswith shop and not k8s.ns.name = shop-test',
    'fields["k8s.ns.name"] exists and not k8s.ns.name = x',
    'k8s.ns.name exists and proc.name = sh and (a = b or not (k8s.ns.name = x or k8s.ns.name = y))',
    '(k8s.ns.name = a or k8s.ns.name = b) and not k8s.ns.name = c',
    'not (not k8s.ns.name exists or k8s.ns.name = x)',
    'not not k8s.ns.name = x',
    'k8s.ns.name != x and not target.pod = y',
  ])('is not warned of where the field must be there: %s', (text) => {
    expect(fixes(text)).toEqual([])
  })

  it('no longer holds without the field once it is written as told', () => {
    const event = anEvent({ output_fields: {} })
    const [fix = ''] = fixes('not k8s.ns.name = x')
    expect(compileCondition('not k8s.ns.name = x')({ event })).toBe(true)
    expect(compileCondition(fix)({ event })).toBe(false)
  })
})
