import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { slack } from '../../outputs/slack.ts'
import { type Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, outputCases } from '../../src/testing.ts'

const WEBHOOK = 'https://hooks.slack.com/services/T00000000/B00000000/xxxxxxxxxxxxxxxxxxxxxxxx'

interface Field {
  readonly title: string
  readonly value: string
  readonly short: boolean
}

interface Attachment {
  readonly fallback: string
  readonly color: string
  readonly title?: string
  readonly text?: string
  readonly fields: readonly Field[] | null
  readonly footer?: string
}

interface Body {
  readonly username?: string
  readonly icon_url?: string
  readonly channel?: string
  readonly attachments: readonly [Attachment]
}

const body = (notice: Notice, config: Partial<Parameters<typeof slack>[0]> = {}): Body => {
  const settings = slack.config.parse({ webhookUrl: WEBHOOK, ...config })
  const [request] = [slack.request(notice, settings)].flat()
  return request?.body as Body
}

const attachment = (notice: Notice, config: Partial<Parameters<typeof slack>[0]> = {}): Attachment =>
  body(notice, config).attachments[0]

const valueOf = ({ fields }: Attachment, title: string) => fields?.find((field) => field.title === title)?.value

describe('slack', () => {
  for (const { name, run } of outputCases(slack)) it(name, run)

  it('posts what Falcosidekick posts for the same event, but for its name', () => {
    const event = anEvent({
      output: 'This is a test',
      priority: 'Debug',
      rule: 'Test rule',
      time: '2001-01-01T01:10:00Z',
      source: 'syscalls',
      output_fields: { 'proc.name': 'falcosidekick', 'proc.cmdline': 'x'.repeat(36) },
      tags: ['test', 'example'],
      hostname: 'test-host',
    })
    const given = { username: 'Falco', icon: 'https://e.com/i.png', channel: '#sec', footer: 'https://e.com' }
    expect(body(aNotice({ event }), given)).toEqual({
      username: 'Falco',
      icon_url: 'https://e.com/i.png',
      channel: '#sec',
      attachments: [
        {
          fallback: 'This is a test',
          color: '#ccfff2',
          text: 'This is a test',
          fields: [
            { title: 'rule', value: 'Test rule', short: true },
            { title: 'priority', value: 'Debug', short: true },
            { title: 'source', value: 'syscalls', short: true },
            { title: 'hostname', value: 'test-host', short: true },
            { title: 'tags', value: 'test, example', short: true },
            { title: 'proc.cmdline', value: 'x'.repeat(36), short: false },
            { title: 'proc.name', value: 'falcosidekick', short: true },
            { title: 'time', value: '2001-01-01T01:10:00Z', short: false },
          ],
          footer: 'https://e.com',
        },
      ],
    })
  })

  it('shows the text only, or the fields only', () => {
    const text = attachment(aNotice(), { outputFormat: 'text', footer: 'f' })
    expect(text).toMatchObject({ text: anEvent().output, fields: null })
    expect(text).not.toHaveProperty('footer')
    const fields = attachment(aNotice(), { outputFormat: 'fields', footer: 'f' })
    expect(fields).not.toHaveProperty('text')
    expect(fields.fields).toHaveLength(12)
    expect(fields.footer).toBe('f')
  })

  it('leaves name and picture to the webhook when they are empty', () => {
    expect(Object.keys(body(aNotice(), { username: '' }))).toEqual(['attachments'])
  })

  it('lets no event mention a channel or hide a link', () => {
    const evil = '<!channel> & <https://evil.example|click>'
    const event = anEvent({ output: evil, rule: evil, hostname: evil, output_fields: { '<x>': evil } })
    const safe = '&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;'
    const shown = attachment(aNotice({ event }))
    expect(shown).toMatchObject({ text: safe, fallback: safe })
    expect(valueOf(shown, 'rule')).toBe(safe)
    expect(valueOf(shown, '&lt;x&gt;')).toBe(safe)
    const answered = attachment(aNotice({ event, report: aReport({ rule: evil }) }))
    expect(JSON.stringify(answered)).not.toMatch(/[<>]/)
  })

  it('titles a report with its outcome, lists the steps, and gives the trace', () => {
    const shown = attachment(aNotice({ report: aReport({ outcome: 'failed' }) }))
    expect(shown).toMatchObject({
      color: '#e20b0b',
      title: '[failed] Shell in a container',
      fallback: '[failed] Shell in a container',
      text: 'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
    })
    expect(valueOf(shown, 'trace')).toBe('4bf92f3577b34da6a3ce929d0e0e4736')
    expect(valueOf(shown, 'target')).toBe('pod/default/web-1')
  })

  it('has no text for a report without steps', () => {
    expect(attachment(aNotice({ report: aReport({ steps: [] }) }))).not.toHaveProperty('text')
  })

  it('says how much it cut', () => {
    const output_fields = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, 'v']))
    const shown = attachment(aNotice({ event: anEvent({ output: 'x'.repeat(10_000), output_fields }) }))
    expect(shown.text).toHaveLength(7_900)
    expect(shown.text).toMatch(/x… \[cut\]$/)
    expect(shown.fields).toHaveLength(61)
    expect(shown.fields?.at(-1)).toEqual({ title: 'cut', value: '46 more fields', short: false })
  })

  it('stays within the limits of Slack whatever the event says', () => {
    const text = fc.string({ unit: fc.constantFrom('<', '&', 'x', '\u{1f989}', '\ud800', '\n'), maxLength: 20_000 })
    const fields = fc.dictionary(fc.string(), text, { maxKeys: 100 })
    fc.assert(
      fc.property(text, fields, (output, output_fields) => {
        const made = body(aNotice({ event: anEvent({ output, output_fields }) }))
        const [shown] = made.attachments
        expect(shown.text?.length ?? 0).toBeLessThanOrEqual(7_900)
        for (const { value } of shown.fields ?? []) expect(value.length).toBeLessThanOrEqual(2_000)
        const values = (shown.fields ?? []).reduce((sum, { value }) => sum + value.length, 0)
        expect(values).toBeLessThanOrEqual(30_000)
        expect(JSON.stringify(made).isWellFormed()).toBe(true)
        expect(JSON.stringify(made)).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)|\\ud[89a-f]/)
      }),
      { numRuns: 30 },
    )
  })

  it.each([
    [{ webhookUrl: 'hooks.slack.com/x' }, /webhookUrl: must be an http or https address/],
    [{ webhookUrl: WEBHOOK, outputFormat: 'html' }, /outputFormat must be one of all, text, fields/],
    [{ webhookurl: WEBHOOK }, /webhookurl is not a known setting/],
    [{}, /webhookUrl is required/],
  ])('refuses %j', (config, message) => {
    expect(() => slack(config as never)).toThrow(message)
  })
})
