import { describe, expect, it } from 'vitest'
import { offerOf } from '../../src/rules/anchors.ts'
import { type Selection } from '../../src/rules/matcher.ts'
import { readSelection } from '../../src/rules/selection.ts'
import { mostSelective } from '../../src/rules/selectivity.ts'

/** What each rule of a set is filed under: `subject: values`; `-` where it is under nothing. */
const filed = (rules: readonly Selection[]): string[] =>
  mostSelective(rules.map((rule) => offerOf(readSelection(rule)))).map(
    (anchors) => anchors?.map(({ subject, keys }) => `${subject.name}: ${keys.join(' ')}`).join(' + ') ?? '-',
  )

const many = (one: (n: number) => Selection): Selection[] => Array.from({ length: 100 }, (_, n) => one(n))

describe('a rule alone is filed', () => {
  it.each<[string, Selection, string]>([
    ['under nothing', {}, '-'],
    ['under nothing, by a condition', { condition: 'a != x' }, '-'],
    ['under its name, before a field', { match: { rules: ['A'] }, condition: 'a = x' }, 'rule: A'],
    ['under its name in a condition', { condition: 'a = x and rule = A' }, 'rule: A'],
    ['under a field, before a source', { match: { source: 's' }, condition: 'a = x' }, 'a: x'],
    ['under a field, before a tag', { match: { tags: ['t'] }, condition: 'a = x' }, 'a: x'],
    ['under a field, before a priority', { match: { priority: 'notice', output_fields: ['a=x'] } }, 'a: x'],
    ['under the shortest list', { condition: 'a in (x, y, z) and b in (x, y) and c in (x, y, z)' }, 'b: x y'],
    ['under the shortest list, of names too', { match: { rules: ['A', 'B'] }, condition: 'rule = B' }, 'rule: B'],
    ['under a value of each branch', { condition: '(a = x and s = y) or b in (u, v)' }, 'a: x + b: u v'],
    ['not under branches when one value does', { condition: '(a = x or b = y) and c = z' }, 'c: z'],
    ['under branches rather than a long list', { condition: '(a = x or b = y) and c in (p, q, r)' }, 'a: x + b: y'],
    ['where no event finds it, when none can match', { condition: 'a in () and rule = A' }, 'a: '],
  ])('%s', (_where, rule, expected) => {
    expect(filed([rule])).toEqual([expected])
  })
})

describe('a rule among many is filed', () => {
  it('under its name, when each has its own', () => {
    const rules = many((n) => ({
      match: { rules: [`R${n}`], source: 'syscall' },
      condition: 'ns = a and evt = execve',
    }))
    expect(filed(rules)).toEqual(rules.map((_, n) => `rule: R${n}`))
  })

  it('under a field, when all share a name', () => {
    const rules = many((n) => ({ match: { rules: ['R'] }, condition: `ns = n${n} and evt = execve` }))
    expect(filed(rules)).toEqual(rules.map((_, n) => `ns: n${n}`))
  })

  it('under a field, when many share its name though others do not', () => {
    const shared = many((n) => ({ match: { rules: ['R'] }, condition: `ns = n${n}` }))
    const own = many((n) => ({ match: { rules: [`R${n}`] } }))
    expect(filed([...shared, ...own]).slice(0, 100)).toEqual(shared.map((_, n) => `ns: n${n}`))
  })

  it('under the tag that fewest others have', () => {
    const rules = many((n) => ({ match: { tags: [`container, t${n}`] } }))
    expect(filed(rules)).toEqual(rules.map((_, n) => `tags: t${n}`))
  })

  it('under a rare source, but not under the one that all others have', () => {
    const rules = many(() => ({ match: { source: 'syscall', tags: ['t'] }, condition: 'a in (u, v, w)' }))
    const [last] = filed([...rules, { match: { source: 'k8s_audit' }, condition: 'a in (u, v)' }]).slice(-1)
    expect(last).toBe('source: k8s_audit')
    expect(filed(rules)[0]).not.toMatch('source')
  })

  it('with no regard to what is counted elsewhere: a field by text and by value are two', () => {
    const rules = many((n) => ({ match: { output_fields: ['a=x'] }, condition: `a = x${n}` }))
    expect(filed(rules)).toEqual(rules.map((_, n) => `a: x${n}`))
  })
})
