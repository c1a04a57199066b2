import { describe, expect, it } from 'vitest'
import { PRIORITIES, severity } from '../../src/event.ts'
import { ConditionError } from '../../src/rules/condition.ts'
import { compileSelection, type Selection } from '../../src/rules/matcher.ts'
import { type Match, matchSettings, modeOf, stepSettings } from '../../src/rules/rule.ts'
import { checkSettings } from '../../src/settings.ts'
import { anEvent, type EventMembers } from '../../src/testing.ts'

const holds = (selection: Selection, members: EventMembers = {}): boolean =>
  compileSelection(selection)({ event: anEvent(members) })

const RULE = 'Terminal shell in container'

describe('a match', () => {
  it.each<[string, Match, boolean]>([
    ['nothing', {}, true],
    ['empty lists', { rules: [], tags: [], output_fields: [] }, true],
    ['the rule', { rules: [RULE] }, true],
    ['one of the rules', { rules: ['Another', RULE] }, true],
    ['other rules', { rules: ['Another'] }, false],
    ['a part of the rule', { rules: ['Terminal shell'] }, false],
    ['the source', { source: 'syscall' }, true],
    ['another source', { source: 'k8s_audit' }, false],
    ['a tag', { tags: ['shell'] }, true],
    ['one of the tags', { tags: ['nothing', 'shell'] }, true],
    ['all tags of an entry', { tags: ['shell, container'] }, true],
    ['not all tags of an entry', { tags: ['shell,nothing'] }, false],
    ['an empty tag', { tags: [''] }, false],
    ['a field', { output_fields: ['proc.cmdline=bash'] }, true],
    ['a field with spaces', { output_fields: [' proc.cmdline = bash '] }, true],
    ['a field in quotes', { output_fields: ['proc.cmdline="bash"'] }, true],
    ['a number', { output_fields: ['proc.pid=4711'] }, true],
    ['another number', { output_fields: ['proc.pid=4711.0'] }, false],
    ['all fields of an entry', { output_fields: ['proc.cmdline=bash,user.name=root'] }, true],
    ['not all fields of an entry', { output_fields: ['proc.cmdline=bash, user.name=me'] }, false],
    ['one entry of fields', { output_fields: ['user.name=me', 'user.name!=me'] }, true],
    ['a field that differs', { output_fields: ['user.name!=me'] }, true],
    ['a field that does not differ', { output_fields: ['user.name!=root'] }, false],
    ['a field that is absent', { output_fields: ['nothing=x'] }, false],
    ['a field that is absent and would differ', { output_fields: ['nothing!=x'] }, false],
    ['an empty value', { output_fields: ['user.name='] }, false],
    ['a value with =', { output_fields: ['proc.cmdline=a=b'] }, false],
    ['every criterion', { rules: [RULE], tags: ['shell'], priority: '>=notice', source: 'syscall' }, true],
    ['every criterion but one', { rules: [RULE], tags: ['shell'], priority: '>notice', source: 'syscall' }, false],
  ])('of %s', (_what, match, expected) => {
    expect(holds({ match })).toBe(expected)
  })

  it.each([
    ['proc.args=a=b', { 'proc.args': 'a=b' }, true],
    ['proc.aname[2]=systemd', { 'proc.aname[2]': 'systemd' }, true],
    ['a"]b=x', { 'a"]b': 'x' }, true],
    ['is_writable=true', { is_writable: true }, true],
    ['list=["a"]', { list: ['a'] }, true],
    ['text=a "b"', { text: 'a "b"' }, true],
    ['big=1769860800123456789', { big: 1_769_860_800_123_456_789n }, true],
    ['big!=1769860800123456788', { big: 1_769_860_800_123_456_789n }, true],
    ['absent!=x', { absent: null }, false],
    ['absent!=x', { absent: '<NA>' }, false],
  ])('of the field %s on %o', (piece, fields, expected) => {
    expect(holds({ match: { output_fields: [piece] } }, { output_fields: fields })).toBe(expected)
  })

  it.each(['', '=', '<', '<=', '>', '>='])('of a priority compares by severity: %s', (comparator) => {
    for (const own of PRIORITIES) {
      for (const limit of PRIORITIES) {
        const expected = RELATIONS[comparator]?.(severity(own) - severity(limit))
        for (const text of [`${comparator}${limit}`, ` ${comparator} ${limit.toLowerCase()} `]) {
          expect(holds({ match: { priority: text } }, { priority: own }), `${own} ${text}`).toBe(expected)
        }
      }
    }
  })

  it.each<[Selection, string]>([
    [{ match: { priority: '>=high' } }, 'match.priority: >=high names none of Emergency, Alert, '],
    [{ match: { priority: '=>Notice' } }, 'match.priority: =>Notice names none of '],
    [{ match: { priority: '>=' } }, 'match.priority: >= names none of '],
    [{ match: { output_fields: ['a'] } }, 'match.output_fields: "a" is not field=value or field!=value'],
    [{ match: { output_fields: ['a=b,'] } }, 'match.output_fields: "" is not field=value or field!=value'],
    [{ match: { output_fields: ['=b'] } }, 'match.output_fields: "=b" is not field=value or field!=value'],
    [{ condition: 'a = b and' }, 'expected a field, found the end'],
    [{ condition: '' }, 'expected a field, found the end'],
    [{ condition: 'priority > hihg' }, 'hihg is not a priority: '],
  ])('%j is refused', (selection, message) => {
    expect(() => compileSelection(selection)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(message) }),
    )
  })
})

describe('a condition', () => {
  it('must hold together with the match', () => {
    const condition = 'user.name = root'
    expect(holds({ match: { rules: [RULE] }, condition })).toBe(true)
    expect(holds({ match: { rules: ['Another'] }, condition })).toBe(false)
    expect(holds({ match: { rules: [RULE] }, condition: 'user.name = me' })).toBe(false)
  })

  it.each(['steps.mark.outcome = x', 'a = b or response.mode = x', 'not steps["a"].outcome exists'])(
    'cannot know of a response: %s',
    (condition) => {
      expect(() => compileSelection({ condition })).toThrow(/is only known in a step's if, not in a condition$/)
      expect(() => compileSelection({ condition })).toThrow(ConditionError)
    },
  )

  it('can know of a field of that name', () => {
    expect(holds({ condition: 'fields["steps.a"] = x' }, { output_fields: { 'steps.a': 'x' } })).toBe(true)
    expect(holds({ condition: 'steps-run = x' }, { output_fields: { 'steps-run': 'x' } })).toBe(true)
  })
})

describe("Falco's own reports", () => {
  it.each<[string, Selection, boolean]>([
    ['everything', {}, false],
    ['their rule', { match: { rules: [RULE] } }, false],
    ['every other source', { match: { source: 'syscall' } }, false],
    ['their source', { match: { source: 'internal' } }, true],
    ['their source in a condition', { condition: 'source = internal' }, true],
    ['several sources', { condition: 'source in (syscall, internal) and rule exists' }, true],
    ['all but them', { condition: 'source != internal' }, false],
    ['all but others', { condition: 'source != syscall' }, false],
    ['all but others, by not', { condition: 'not source = syscall' }, false],
    ['something else that is called so', { condition: 'rule exists and not proc.name = internal' }, false],
  ])('reach who selects %s: %s', (_what, selection, expected) => {
    expect(holds(selection, { source: 'internal' })).toBe(expected)
  })
})

const RELATIONS: Readonly<Record<string, (difference: number) => boolean>> = {
  '': (difference) => difference === 0,
  '=': (difference) => difference === 0,
  '<': (difference) => difference < 0,
  '<=': (difference) => difference <= 0,
  '>': (difference) => difference > 0,
  '>=': (difference) => difference >= 0,
}

describe('a rule as it is written', () => {
  const problems = (schema: typeof matchSettings | typeof stepSettings, value: unknown) =>
    checkSettings(schema, value).map(({ message }) => message)

  it.each([
    [{ rules: ['a'], priority: '>= Warning', tags: ['a,b'], source: 's', output_fields: ['a=b'] }, []],
    [{ priority: '~warning' }, ['priority: must be a priority, with an optional comparator such as >=warning']],
    [{ rule: 'a' }, ['rule is not a known setting']],
    [{ rules: 'a' }, ['rules must be a list, not a string']],
  ])('has a match: %j', (match, expected) => {
    expect(problems(matchSettings, match)).toEqual(expected)
  })

  it.each([
    [{ id: 'mark-1', if: 'a = b', timeout: '5s', retries: 2, onError: 'continue' }, []],
    [{ id: '1st' }, ['id: must start with a letter and hold letters, digits, _ and -']],
    [{ retries: -1 }, ['retries: too small: expected number to be >=0']],
    [{ onError: 'a-later-step', dryRun: true, store: 'file/evidence' }, []],
    [{ onError: 'a b' }, ['onError: must start with a letter and hold letters, digits, _ and -']],
  ])('has steps: %j', (step, expected) => {
    expect(problems(stepSettings, step)).toEqual(expected)
  })

  it('may tighten the mode of the gateway, never loosen it', () => {
    expect(modeOf({ mode: 'observe' }, 'enforce')).toBe('observe')
    expect(modeOf({ mode: 'observe' }, 'observe')).toBe('observe')
    expect(modeOf({}, 'enforce')).toBe('enforce')
    expect(modeOf({}, 'observe')).toBe('observe')
    expect(modeOf({ mode: 'enforce' as 'observe' }, 'observe')).toBe('observe')
  })
})
