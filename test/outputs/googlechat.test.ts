import { describe, expect, it } from 'vitest'
import { fit, jsonBytes } from '../../outputs/_chat.ts'
import { googlechat } from '../../outputs/googlechat.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { answered, bodyBy, digest, hugeNotices, mended, sentBy, textsOf, TRACE_URL, withAllFields } from './_chat.ts'
import { falcosidekickSent } from './_falcosidekick.ts'

interface KeyValue {
  readonly keyValue: { readonly topLabel: string; readonly content: string; readonly onClick?: unknown }
}

interface Body {
  readonly text?: string
  readonly cards?: readonly {
    readonly header: unknown
    readonly sections: readonly { readonly widgets: readonly KeyValue[] }[]
  }[]
}

const WEBHOOK = 'https://chat.googleapis.com/v1/spaces/AAAA/messages?key=k0123456&token=t0123456'
const body = (notice: Notice, config: object = {}) =>
  bodyBy<Body>(googlechat, { webhookUrl: WEBHOOK, ...config }, notice)

const html = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
const row = (topLabel: string, content: string): KeyValue => ({ keyValue: { topLabel, content } })

/** What is different on purpose: fields that are no texts, HTML and links of the event, `<no value>`. */
const expected = ({ text, cards }: Body, notice: Notice): Body => ({
  ...(text && { text: text.replace('<etc>', '<\u200betc>').replace('<no value>', '') }),
  cards: (cards ?? []).map(({ header, sections }) => ({
    header,
    sections: sections.map(({ widgets }) => ({
      widgets: withAllFields(widgets, notice, ({ keyValue }) => keyValue.topLabel, row).map(({ keyValue }) =>
        row(keyValue.topLabel, fit(keyValue.content, 2_000, html, jsonBytes)),
      ),
    })),
  })),
})

describe.each([
  { name: 'googlechat', config: {} },
  { name: 'googlechat-format', config: { messageFormat: 'Alert: rule *{{ rule }}* by *{{ proc.name }}*' } },
])('$name', ({ name, config }) => {
  const { exchanges, config: theirs } = falcosidekickSent(name)

  it.each(exchanges)('sends what Falcosidekick sends for an event: $name', async ({ notice, requests: [request] }) => {
    const [sent] = await sentBy(googlechat, { webhookUrl: theirs.webhookurl, ...config }, notice)
    expect(sent).toMatchObject({ url: theirs.webhookurl, method: request?.method })
    expect(sent?.headers['content-type']).toBe(request?.headers['content-type'])
    expect(JSON.parse(sent?.body ?? '')).toEqual(expected(mended(request?.body ?? '', notice), notice))
  })
})

describe('googlechat', () => {
  it('has the outcome of a report in the header, the steps as a paragraph, and a trace to click', async () => {
    const { cards, text } = await body(answered(), { messageFormat: '{{ rule }}' })
    expect(text).toBeUndefined()
    expect(cards?.[0]?.header).toEqual({ title: '[succeeded] Shell in a container', subtitle: '' })
    const [steps, ...rows] = cards?.[0]?.sections[0]?.widgets ?? []
    expect(steps).toEqual({
      textParagraph: {
        text: 'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
      },
    })
    expect(rows.find(({ keyValue }) => keyValue.topLabel === 'trace')).toEqual({
      keyValue: { topLabel: 'trace', content: TRACE_URL, onClick: { openLink: { url: TRACE_URL } } },
    })
  })

  it('has no empty paragraph for a report without steps', async () => {
    const { cards } = await body(aNotice({ report: aReport({ steps: [] }) }))
    expect(cards?.[0]?.sections[0]?.widgets[0]).toHaveProperty('keyValue')
  })

  it('shows the text alone, which is the output where there is no messageFormat', async () => {
    expect(await body(aNotice(), { outputFormat: 'text' })).toEqual({ text: anEvent().output })
    expect(await body(aNotice(), { outputFormat: 'text', messageFormat: '*{{ rule }}*' })).toEqual({
      text: '*Terminal shell in container*',
    })
    expect((await body(digest(), { outputFormat: 'text' })).text).toMatch(/\nalerts: 3 from /)
    expect(await body(answered(), { outputFormat: 'text' })).toEqual({
      text: [
        '[succeeded] Shell in a container',
        'kubernetes:label: succeeded, labelled default/web-1',
        'kubernetes:terminate: succeeded',
        TRACE_URL,
      ].join('\n'),
    })
  })

  // https://developers.google.com/workspace/chat/format-messages: `<users/all>` mentions, `<url|text>` is a link
  it('lets no event mention everybody, hide a link or write HTML', async () => {
    const evil = '<users/all> <https://evil.example|click> <a href="https://evil.example">x</a> &lt;'
    const event = anEvent({ output: evil, rule: evil, output_fields: { [evil]: evil } })
    const config = { messageFormat: '{{ output }} {{ rule }}' }
    const { text, cards } = await body(aNotice({ event }), config)
    expect(text).not.toMatch(/<(?!\u200b)/)
    expect(textsOf(cards)).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/)
    const report = await body(answered({ event, report: aReport({ rule: evil }) }), { outputFormat: 'text' })
    expect(report.text).not.toMatch(/<(?!\u200b)/)
  })

  // https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create: 32,000 bytes
  it.each(hugeNotices())('keeps the limits of a message with $name', async ({ notice }) => {
    for (const config of [{ messageFormat: '{{ output }}' }, { outputFormat: 'text' }]) {
      const [request] = await sentBy(googlechat, { webhookUrl: WEBHOOK, ...config }, notice)
      expect(Buffer.byteLength(request?.body ?? '')).toBeLessThan(32_000)
      expect(request?.body.isWellFormed()).toBe(true)
      const { text = '', cards } = JSON.parse(request?.body ?? '') as Body
      expect(text.length).toBeLessThanOrEqual(4_096)
      expect(cards?.[0]?.sections[0]?.widgets.length ?? 0).toBeLessThanOrEqual(100)
    }
  })

  it.each([
    [{}, /webhookUrl is required/],
    [{ webhookUrl: WEBHOOK, outputFormat: 'fields' }, /outputFormat must be one of all, text/],
  ])('refuses %j', (config, message) => {
    expect(() => googlechat(config as never)).toThrow(message)
  })
})
