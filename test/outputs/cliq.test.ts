import { describe, expect, it } from 'vitest'
import { defused, fit } from '../../outputs/_chat.ts'
import { cliq } from '../../outputs/cliq.ts'
import { type Notice, PRIORITIES } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { answered, bodyBy, digest, hugeNotices, mended, sentBy, textsOf, TRACE_URL, withAllFields } from './_chat.ts'
import { falcosidekickSent } from './_falcosidekick.ts'

interface Row {
  readonly field: string
  readonly value: string
}

interface Body {
  readonly text: string
  readonly bot: { readonly name: string; readonly image?: string }
  readonly slides?: readonly { readonly type: string; readonly data: string | { readonly rows: readonly Row[] } }[]
}

const WEBHOOK = 'https://cliq.zoho.eu/api/v2/channelsbyname/alerts/message?zapikey=k0123456789'
const body = (notice: Notice, config: object = {}) => bodyBy<Body>(cliq, { webhookUrl: WEBHOOK, ...config }, notice)
const rowsOf = async (notice: Notice): Promise<readonly Row[]> => {
  const [slide] = (await body(notice)).slides ?? []
  return typeof slide?.data === 'object' ? slide.data.rows : []
}

const ICON = 'https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png'

/** What is different on purpose: fields that are no texts, mentions and links of the event, what is too long. */
const expected = ({ text, slides, ...rest }: Body, notice: Notice): Body => ({
  ...rest,
  text: text
    .replace('<no value>', '')
    .replace('<etc>', '<\u200betc>')
    .replace(notice.event.output, (output) => fit(output, 4_000, defused)),
  ...(slides && {
    slides: slides.map(({ data, ...slide }) => ({
      ...slide,
      data: typeof data === 'string' ? fit(data, 4_000, defused) : { ...data, rows: withRows(data.rows, notice) },
    })),
  }),
})

const withRows = (rows: readonly Row[], notice: Notice): Row[] =>
  withAllFields(
    rows,
    notice,
    ({ field }) => field,
    (field, value) => ({ field, value }),
  ).map(({ field, value }) => ({ field, value: fit(value, 1_000, defused) }))

describe.each([
  { name: 'cliq', config: {} },
  {
    name: 'cliq-format',
    config: { outputFormat: 'text', messageFormat: 'Alert: rule *{{ rule }}* by *{{ proc.name }}*' },
  },
])('$name', ({ name, config }) => {
  const { exchanges, config: theirs } = falcosidekickSent(name)
  const { icon = ICON, useemoji = false } = theirs as { icon?: string; useemoji?: boolean }

  it.each(exchanges)('sends what Falcosidekick sends for an event: $name', async ({ notice, requests: [request] }) => {
    const settings = { webhookUrl: theirs.webhookurl, botName: 'Falcosidekick', icon, useEmoji: useemoji, ...config }
    const [sent] = await sentBy(cliq, settings, notice)
    expect(sent).toMatchObject({ url: theirs.webhookurl, method: request?.method })
    expect(sent?.headers['content-type']).toBe(request?.headers['content-type'])
    expect(JSON.parse(sent?.body ?? '')).toEqual(expected(mended(request?.body ?? '', notice), notice))
  })
})

describe('cliq', () => {
  it('says who sends it, in its own name', async () => {
    expect((await body(aNotice())).bot).toEqual({ name: 'Yarak' })
  })

  it('shows text, table or both', async () => {
    const slides = async (config: object) => (await body(aNotice(), config)).slides?.map(({ type }) => type)
    expect(await slides({})).toEqual(['table'])
    expect(await slides({ outputFormat: 'text' })).toBeUndefined()
    expect(await slides({ messageFormat: '{{ rule }}' })).toEqual(['text', 'table'])
    expect(await slides({ messageFormat: '{{ rule }}', outputFormat: 'text' })).toEqual(['text'])
    expect(await slides({ messageFormat: '{{ rule }}', outputFormat: 'fields' })).toEqual(['table'])
  })

  it('begins with an emoji for the priority, or the outcome', async () => {
    const first = async (notice: Notice) => [...(await body(notice, { useEmoji: true })).text].slice(0, 2).join('')
    const events = await Promise.all(PRIORITIES.map((priority) => first(aNotice({ event: anEvent({ priority }) }))))
    expect(events).toEqual(['🚨 ', '🟠 ', '🟠 ', '🚨 ', '🟡 ', '🔵 ', '🟢 ', '⚪ '])
    const reports = (['succeeded', 'gone', 'refused', 'skipped', 'failed'] as const).map((outcome) =>
      first(answered({ report: aReport({ outcome }) })),
    )
    expect(await Promise.all(reports)).toEqual(['🟢 ', '🟢 ', '🟡 ', '🟡 ', '🚨 '])
  })

  it('tells of a report: outcome and steps as the text, the rest in the table', async () => {
    const { text } = await body(answered(), { messageFormat: '{{ rule }}' })
    expect(text.split('\n')).toEqual([
      '[succeeded] Shell in a container',
      'kubernetes:label: succeeded, labelled default/web-1',
      'kubernetes:terminate: succeeded',
    ])
    const rows = new Map((await rowsOf(answered())).map(({ field, value }) => [field, value]))
    expect([rows.get('target'), rows.get('trace'), rows.get('undo')]).toEqual([
      'pod/default/web-1',
      TRACE_URL,
      'yarak responses undo 7d0f4a2c9b1e',
    ])
  })

  it('tells how many alerts a digest stands for', async () => {
    expect((await rowsOf(digest())).at(-1)).toMatchObject({ field: 'alerts' })
    expect((await body(digest(), { outputFormat: 'text' })).text).toMatch(/\nalerts: 3 from /)
  })

  it('lets no event mention anybody or hide a link', async () => {
    const evil = '{@all} @participants [click](https://evil.example)'
    const event = anEvent({ output: evil, rule: evil, output_fields: { [evil]: evil } })
    for (const notice of [aNotice({ event }), answered({ event, report: aReport({ rule: evil }) })]) {
      expect(textsOf(await body(notice, { messageFormat: '{{ output }}' }))).not.toMatch(/@(?!\u200b)|\]\(/)
    }
  })

  it.each(hugeNotices())('cuts $name with a mark', async ({ notice }) => {
    const { text } = await body(notice, { messageFormat: '{{ output }}', useEmoji: true })
    expect(text.length).toBeLessThanOrEqual(4_096)
    const rows = await rowsOf(notice)
    expect(rows.length).toBeLessThanOrEqual(50)
    expect(JSON.stringify([text, rows])).toContain('cut')
    expect(JSON.stringify([text, rows]).isWellFormed()).toBe(true)
  })

  it.each([
    [{}, /webhookUrl is required/],
    [{ webhookUrl: WEBHOOK, useEmoji: 'yes' }, /useEmoji must be a boolean/],
    [{ webhookUrl: WEBHOOK, botName: '' }, /botName: /],
  ])('refuses %j', (config, message) => {
    expect(() => cliq(config as never)).toThrow(message)
  })
})
