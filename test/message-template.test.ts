import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MessageTemplate, messageTemplate } from '../src/message-template.ts'
import { anEvent } from '../src/testing.ts'
import { z } from '../src/plugin.ts'

const escapeLess = (value: string): string => value.replaceAll('<', '&lt;')
const render = (text: string, fields: Record<string, unknown> = {}, escape?: (value: string) => string): string =>
  messageTemplate(escape)
    .parse(text)
    .render({ event: anEvent({ output_fields: fields }), cluster: 'prod' })

describe('a message template', () => {
  it.each([
    ['{{ rule }}: {{ priority }}', 'Terminal shell in container: Notice'],
    ['{{ k8s.pod.name }} of {{ fields["k8s.ns.name"] }}', 'web-1 of shop'],
    ['{{ evt.time }}', '1763870000003770413'],
    ['[{{ nothing.there }}]', '[]'],
    ['{% if priority == "Notice" %}yes{% endif %}', 'yes'],
    ['plain', 'plain'],
    ['', ''],
  ])('%j is %j', (text, expected) => {
    const fields = { 'k8s.pod.name': 'web-1', 'k8s.ns.name': 'shop', 'evt.time': 1_763_870_000_003_770_413n }
    expect(render(text, fields)).toBe(expected)
  })

  it.each(['{{ proc.name }}', 'x {{ proc.name }} y', '{% if true %}{{ proc.name }}{% endif %}'])(
    'escapes the values in %j, and not its own text',
    (text) => {
      expect(render(`${text}`, { 'proc.name': '<!channel>' }, escapeLess)).toContain('&lt;!channel>')
      expect(render(`<b>${text}`, { 'proc.name': 'x' }, escapeLess)).toMatch(/^<b>/)
    },
  )

  it('lets no value through that is not escaped, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(render('a {{ proc.name }}{{ proc.name | upcase }}', { 'proc.name': value }, escapeLess)).not.toContain(
          '<',
        )
      }),
    )
  })

  it('takes no event for a template', () => {
    expect(render('{{ proc.name }}', { 'proc.name': '{{ rule }}' })).toBe('{{ rule }}')
  })

  it('that is none is a problem of the setting', () => {
    const { error } = z.strictObject({ messageFormat: messageTemplate() }).safeParse({ messageFormat: '{{ rule' })
    expect(error?.issues).toMatchObject([{ code: 'custom', path: ['messageFormat'] }])
  })

  it('is its text in JSON, and equal to another of the same text', () => {
    const [one, other] = [messageTemplate().parse('{{ rule }}'), messageTemplate().parse('{{ rule }}')]
    expect(one).toBeInstanceOf(MessageTemplate)
    expect(JSON.stringify({ one })).toBe('{"one":"{{ rule }}"}')
    expect(isDeepStrictEqual(one, other)).toBe(true)
    expect(isDeepStrictEqual(one, messageTemplate().parse('{{ priority }}'))).toBe(false)
  })
})
