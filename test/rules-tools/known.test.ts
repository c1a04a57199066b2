import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseEvent } from '../../src/event.ts'
import { asksLater, renderKnown } from '../../src/rules-tools/known.ts'
import { createTemplates } from '../../src/template.ts'
import { alert } from '../kit.ts'

const scope = { event: parseEvent(alert(), { id: '', input: '' }) }
const render = (value: unknown) => renderKnown(value, scope, createTemplates())

describe('what can be rendered before a run', () => {
  it.each([
    ['{{ rule }}', 'Terminal shell in container'],
    [
      { a: ['x', '{{ proc.name }}'], b: 1, c: null },
      { a: ['x', 'bash'], b: 1, c: null },
    ],
    ['{{ user.name | default: "nobody" }}', 'nobody'],
  ])('%j is', (value, rendered) => {
    expect(render(value)).toEqual({ value: rendered, known: true, faults: [] })
  })

  it.each([['{{ steps.a.outcome }}'], ['{{ response.id }}'], ['{{ rule }} {{ response.trace }}']])(
    '%s is not',
    (text) => {
      expect(render({ text })).toEqual({ value: { text }, known: false, faults: [] })
    },
  )

  it('a value that is missing is a fault, wherever it stands', () => {
    const { faults, known } = render({ a: [{ b: '{{ user.name }}' }], c: '{{ user.uid }}' })
    expect(known).toBe(true)
    expect(faults).toEqual([
      '{{ user.name }} has no value; give one with | default:',
      '{{ user.uid }} has no value; give one with | default:',
    ])
  })

  it('what has no template comes back as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!/\{\{|\{%|__proto__/.test(JSON.stringify(value)))
        expect(JSON.stringify(render(value).value)).toBe(JSON.stringify(value))
      }),
    )
  })

  it.each([
    ['steps.mark.outcome = failed', true],
    ['response.mode = observe', false],
    ['proc.steps.x = 1', false],
    ['fields["steps.x"] = 1', false],
  ])('%s asks for what only a run knows: %s', (text, later) => {
    expect(asksLater(text)).toBe(later)
  })
})
