import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseEvent, PRIORITIES } from '../../src/event.ts'
import { compileSelection, type Selection } from '../../src/rules/matcher.ts'
import { whyOf } from '../../src/rules-tools/why.ts'
import { alert } from '../kit.ts'

const scope = (more: Record<string, unknown> = {}) => ({ event: parseEvent(alert(more), { id: '', input: '' }) })

describe('why', () => {
  it.each<[Selection, string]>([
    [{ match: { rules: ['x'] }, condition: 'proc.name = no' }, 'match.rules: x'],
    [{ match: { priority: '>=debug' }, condition: 'proc.name = bash and (user.uid = 0)' }, 'user.uid = 0'],
    [{ condition: 'not proc.name = bash' }, 'not proc.name = bash'],
  ])('the first false part of %j is %s', (selection, part) => {
    expect(whyOf(selection, scope())).toMatchObject({ matched: false, falsePart: part })
  })

  it("of Falco's own reports is their source, unless another part is false", () => {
    const internal = scope({ source: 'internal' })
    expect(whyOf({ match: { rules: ['x'] } }, internal).falsePart).toBe('match.rules: x')
    expect(whyOf({ condition: 'proc.name = bash' }, internal).falsePart).toContain('asked to be internal')
    expect(whyOf({ match: { source: 'internal' } }, internal).matched).toBe(true)
  })

  const word = fc.constantFrom('A', 'B', 'bash', 'syscall', 'internal')
  const selection = fc.record(
    {
      match: fc.record(
        {
          rules: fc.array(word),
          source: word,
          priority: fc.constantFrom(...PRIORITIES).map((one) => `>=${one}`),
          tags: fc.array(word),
          output_fields: fc.array(
            fc.tuple(fc.constantFrom('=', '!='), word).map(([op, value]) => `proc.name${op}${value}`),
          ),
        },
        { requiredKeys: [] },
      ),
      condition: fc
        .tuple(fc.constantFrom('rule', 'proc.name', 'user.name'), fc.constantFrom('=', '!='), word)
        .map((one) => one.join(' ')),
    },
    { requiredKeys: [] },
  )

  it('agrees with the matcher, and always has a reason', () => {
    fc.assert(
      fc.property(selection, word, word, (one, rule, source) => {
        const at = scope({ rule, source })
        const { matched, falsePart, actual } = whyOf(one, at)
        expect(matched).toBe(compileSelection(one)(at))
        expect(falsePart === undefined).toBe(matched)
        if (!matched) expect(actual?.length).toBeGreaterThan(0)
      }),
    )
  })
})
