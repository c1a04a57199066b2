import { describe, expect, it } from 'vitest'
import { defused, fit, markdown } from '../../outputs/_chat.ts'
import { mattermost } from '../../outputs/mattermost.ts'
import { rocketchat } from '../../outputs/rocketchat.ts'
import type { Notice, Output } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import {
  answered,
  type Attachment,
  bodyBy,
  digest,
  type Field,
  hugeNotices,
  mended,
  sentBy,
  TRACE_URL,
  withAllFields,
} from './_chat.ts'
import { falcosidekickSent } from './_falcosidekick.ts'

interface Body {
  readonly text?: string
  readonly username?: string
  readonly icon_url?: string
  readonly attachments?: readonly Attachment[]
}

const ICON = 'https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png'
/** The recorded `messageformat` as a template of ours. */
const FORMAT = 'Alert: rule *{{ rule }}* by *{{ proc.name }}*'

/** Falcosidekick's defaults, which are not ours. */
const THEIRS = { username: 'Falcosidekick', icon: ICON }

/** What is different on purpose: fields that are no texts, what a text of the event could do, and `<no value>`. */
const expected = (recorded: Body, notice: Notice, escape: (text: string) => string, max: number): Body => ({
  ...recorded,
  ...(recorded.text && {
    text: recorded.text.replace(notice.event.rule, escape(notice.event.rule)).replace('<no value>', ''),
  }),
  ...(recorded.attachments && {
    attachments: recorded.attachments.map(({ fallback, text, fields, ...rest }) => ({
      ...rest,
      fallback: fit(fallback, max, escape),
      ...(text && { text: fit(text, max, escape) }),
      fields: fields && withRows(fields, notice, escape),
    })),
  }),
})

const withRows = (fields: readonly Field[], notice: Notice, escape: (text: string) => string): Field[] =>
  withAllFields(
    fields,
    notice,
    ({ title }) => title,
    (title, value) => ({ title, value, short: value.length < 36 }),
  ).map(({ title, value, short }) => ({ title: escape(title), value: fit(value, 2_000, escape), short }))

interface Recorded {
  readonly output: Output
  readonly name: string
  readonly config: object
  readonly escape: (text: string) => string
}

const RECORDED: readonly Recorded[] = [
  { output: mattermost, name: 'mattermost', config: {}, escape: markdown },
  {
    output: mattermost,
    name: 'mattermost-fields',
    config: { outputFormat: 'fields', messageFormat: FORMAT },
    escape: markdown,
  },
  { output: rocketchat, name: 'rocketchat', config: {}, escape: defused },
  {
    output: rocketchat,
    name: 'rocketchat-text',
    config: { outputFormat: 'text', messageFormat: FORMAT },
    escape: defused,
  },
]

describe.each(RECORDED)('$name', ({ output, name, config, escape }) => {
  const recording = falcosidekickSent(name)
  const { icon, footer } = recording.config as { icon?: string; footer?: string }
  const theirs = {
    ...THEIRS,
    webhookUrl: recording.config.webhookurl,
    ...(icon && { icon }),
    ...(output === mattermost && { footer: footer ?? 'https://github.com/falcosecurity/falcosidekick' }),
    ...config,
  }

  it.each(recording.exchanges)('sends what Falcosidekick sends for an event: $name', async ({ notice, requests }) => {
    const [sent] = await sentBy(output, theirs, notice)
    const [request] = requests
    expect(sent?.url).toBe(recording.config.webhookurl)
    expect(sent?.headers['content-type']).toBe(request?.headers['content-type'])
    const body = mended<Body>(request?.body ?? '', notice)
    const max = output === rocketchat ? 5_000 : 7_900
    expect(JSON.parse(sent?.body ?? '')).toEqual(expected(body, notice, escape, max))
  })
})

const WEBHOOK = 'https://chat.example.com/hooks/xxxxxxxxxxxxxxxxxxxxxxxxxx'

describe.each([
  { output: mattermost, escape: markdown, order: ['rule', 'hostname', 'priority', 'source', 'tags'] },
  { output: rocketchat, escape: defused, order: ['rule', 'priority', 'source', 'tags', 'container.id'] },
])('$output.type', ({ output, escape, order }) => {
  const body = (notice: Notice, config: object = {}) => bodyBy<Body>(output, { webhookUrl: WEBHOOK, ...config }, notice)
  const attachment = async (notice: Notice, config: object = {}): Promise<Attachment> => {
    const [one] = (await body(notice, config)).attachments ?? []
    if (!one) throw new Error('no attachment')
    return one
  }

  it('says who sends it, in its own name', async () => {
    expect(await body(aNotice())).toMatchObject({ username: 'Yarak' })
    expect(Object.keys(await body(aNotice(), { username: '' }))).toEqual(['attachments'])
    expect(await body(aNotice(), { icon: 'https://e.com/i.png' })).toMatchObject({ icon_url: 'https://e.com/i.png' })
  })

  it('has the fields in the order that Falcosidekick has for it', async () => {
    expect((await attachment(aNotice())).fields?.map(({ title }) => title).slice(0, 5)).toEqual(order)
  })

  it('titles a report with its outcome, which leads to the trace, and lists the steps', async () => {
    const shown = await attachment(answered())
    expect(shown).toMatchObject({
      color: '#23ba47',
      title: escape('[succeeded] Shell in a container'),
      title_link: TRACE_URL,
      text: 'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
    })
    const fields = new Map(shown.fields?.map(({ title, value }) => [title, value]))
    expect(fields.get('target')).toBe('pod/default/web-1')
    expect(fields.get('duration')).toBe('42 ms')
    expect(fields.get('trace')).toBe(TRACE_URL)
    expect(fields.get('undo')).toBe('yarak responses undo 7d0f4a2c9b1e')
  })

  it('gives the id of the trace where it has no address', async () => {
    const shown = await attachment(aNotice({ report: aReport({ outcome: 'failed' }) }))
    expect(shown).not.toHaveProperty('title_link')
    expect(shown.fields).toContainEqual({ title: 'trace', value: '4bf92f3577b34da6a3ce929d0e0e4736', short: true })
  })

  it('does not use messageFormat for a report', async () => {
    expect(await body(answered(), { messageFormat: 'x {{ rule }}' })).not.toHaveProperty('text')
  })

  it('tells how many alerts a digest stands for', async () => {
    const { fields } = await attachment(digest())
    expect(fields?.at(-1)).toMatchObject({ title: 'alerts', value: expect.stringMatching(/^3 from 2026/) as string })
  })

  it('lets no event mention anybody or hide a link', async () => {
    const evil = '@all @here <!channel> <https://evil.example|click> [click](https://evil.example)'
    const event = anEvent({ output: evil, rule: evil, hostname: evil, output_fields: { [evil]: evil }, tags: [evil] })
    for (const notice of [aNotice({ event }), answered({ event, report: aReport({ rule: evil, target: evil }) })]) {
      const text = JSON.stringify(await body(notice, { messageFormat: '{{ rule }} {{ output }} {{ tags }}' }))
      expect(text).not.toMatch(/(?<![A-Za-z0-9])@(?!\u200b)|<(?!\u200b)|\]\(/)
      expect(text).toContain('@\u200ball')
    }
  })

  it('leaves the marks of a messageFormat, and not those of the event', async () => {
    const event = anEvent({ output_fields: { 'user.name': '@all' } })
    const { text } = await body(aNotice({ event }), { messageFormat: '@channel **{{ rule }}** by {{ user.name }}' })
    expect(text).toBe('@channel **Terminal shell in container** by @\u200ball')
  })

  it('sends no empty text', async () => {
    expect(await body(aNotice(), { messageFormat: '{{ no.such.field }}' })).not.toHaveProperty('text')
  })

  it.each(hugeNotices())('cuts $name with a mark', async ({ notice }) => {
    const sent = await body(notice, { messageFormat: '{{ output }}' })
    const [shown] = sent.attachments ?? []
    const limit = output === rocketchat ? 5_000 : 16_383
    for (const text of [sent.text, shown?.text, shown?.fallback]) expect(text?.length ?? 0).toBeLessThanOrEqual(limit)
    const fields = shown?.fields ?? []
    expect(fields.length).toBeLessThanOrEqual(61)
    expect(fields.reduce((sum, { title, value }) => sum + title.length + value.length, 0)).toBeLessThanOrEqual(19_000)
    expect(JSON.stringify(sent)).toMatch(/cut/)
    expect(JSON.stringify(sent).isWellFormed()).toBe(true)
  })

  it.each([
    [{}, /webhookUrl is required/],
    [{ webhookUrl: 'chat.example.com/x' }, /webhookUrl: must be an http or https address/],
    [{ webhookUrl: WEBHOOK, outputFormat: 'html' }, /outputFormat must be one of all, text, fields/],
    [{ webhookUrl: WEBHOOK, messageFormat: '{{ rule' }, /messageFormat: /],
    [{ webhookUrl: WEBHOOK, webhookurl: WEBHOOK }, /webhookurl is not a known setting/],
  ])('refuses %j', (config, message) => {
    expect(() => (output as unknown as (config: object) => unknown)(config)).toThrow(message)
  })
})

describe('outputFormat: text', () => {
  it('leaves out the fields in Mattermost, and the footer', async () => {
    const config = { webhookUrl: WEBHOOK, outputFormat: 'text', footer: 'f' }
    const [shown] = (await bodyBy<Body>(mattermost, config, digest())).attachments ?? []
    expect(shown?.fields).toBeNull()
    expect(shown?.text).toMatch(/\nalerts: 3 from /)
    expect(shown).not.toHaveProperty('footer')
  })

  it('is the messageFormat alone in Rocket.Chat, or the output, which Falcosidekick would leave out', async () => {
    const config = { webhookUrl: WEBHOOK, outputFormat: 'text' }
    expect(await bodyBy(rocketchat, config, aNotice())).toEqual({ text: anEvent().output, username: 'Yarak' })
    expect(await bodyBy(rocketchat, { ...config, messageFormat: '{{ priority }}' }, aNotice())).toEqual({
      text: 'Notice',
      username: 'Yarak',
    })
  })

  it('shows a report all the same in Rocket.Chat', async () => {
    const { text, attachments } = await bodyBy<Body>(
      rocketchat,
      { webhookUrl: WEBHOOK, outputFormat: 'text' },
      answered(),
    )
    expect(text).toBeUndefined()
    expect(attachments?.[0]).toMatchObject({ title: '[succeeded] Shell in a container', fields: null })
  })
})
