import { describe, expect, it } from 'vitest'
import { type Check, parseCondition, predicate } from '../../src/rules/condition.ts'
import { checkVerdict, leftReader } from '../../src/rules/predicate.ts'
import { anEvent } from '../../src/testing.ts'

const scope = {
  event: anEvent({
    output_fields: { 'proc.name': 'bash', 'fd.cip': '10.0.0.1', 'fd.sip': '8.8.8.8', 'k8s.ns.name': 'N/A', n: null },
  }),
}
const checkOf = (text: string): Check => parseCondition(text) as Check

describe('a check', () => {
  it.each<[string, boolean | undefined]>([
    ['proc.name = bash', true],
    ['proc.name = sh', false],
    ['proc.name exists', true],
    ['proc.pname = sh', undefined],
    ['proc.pname exists', undefined],
    ['n != x', undefined],
    ['k8s.ns.name != x', undefined],
    ['proc.name = val(proc.pname)', undefined],
    ['proc.pname = val(proc.name)', undefined],
    ['proc.name = val(proc.name)', true],
    ['proc.name != val(proc.name)', false],
    ['b64(fd.sip) = x', undefined],
    ['fd.ip in (10.0.0.0/8)', true],
    ['fd.ip in (10.0.0.0/8, 8.8.8.8)', true],
    ['fd.ip in (9.9.9.9)', false],
    ['fd.snet in (10.0.0.0/8)', false],
  ])('says true, false, or nothing where what it compares is absent: %s', (text, verdict) => {
    expect(checkVerdict(checkOf(text))(scope)).toBe(verdict)
    expect(predicate(checkOf(text))(scope)).toBe(verdict === true)
  })

  it('compares the value of its field, or what a transformer makes of it', () => {
    expect(leftReader(checkOf('proc.name = x'))(scope)).toBe('bash')
    expect(leftReader(checkOf('toupper(proc.name) = x'))(scope)).toBe('BASH')
    expect(leftReader(checkOf('fd.net = x'))(scope)).toEqual(['10.0.0.1', '8.8.8.8'])
  })
})

describe('a condition', () => {
  it('asks no further than it must', () => {
    const boom = {
      event: {
        ...scope.event,
        field: (name: string) => {
          if (name === 'boom') throw new Error('asked')
          return 'bash'
        },
      },
    } as unknown as typeof scope
    expect(predicate(parseCondition('proc.name = sh and boom = x'))(boom)).toBe(false)
    expect(predicate(parseCondition('proc.name = bash or boom = x'))(boom)).toBe(true)
    expect(() => predicate(parseCondition('boom = x'))(boom)).toThrow('asked')
  })

  it('made by a program may hold no items at all', () => {
    expect(predicate({ kind: 'and', items: [] })(scope)).toBe(true)
    expect(predicate({ kind: 'or', items: [] })(scope)).toBe(false)
  })

  it('made by a program is refused when its pattern is wrong', () => {
    const wrong: Check = { kind: 'check', name: 'a', operator: 'regex', values: ['('], offset: 3 }
    expect(() => predicate(wrong)).toThrow(expect.objectContaining({ code: 'config', offset: 3 }))
  })
})
