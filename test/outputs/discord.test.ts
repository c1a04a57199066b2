import { describe, expect, it } from 'vitest'
import { fit, markdown } from '../../outputs/_chat.ts'
import { discord } from '../../outputs/discord.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { answered, bodyBy, digest, hugeNotices, mended, sentBy, TRACE_URL, withAllFields } from './_chat.ts'
import { falcosidekickSent } from './_falcosidekick.ts'

interface Field {
  readonly name: string
  readonly value: string
  readonly inline: boolean
}

interface Embed {
  readonly title?: string
  readonly url?: string
  readonly description?: string
  readonly color: string
  readonly fields: readonly Field[]
}

interface Body {
  readonly content: string
  readonly avatar_url?: string
  readonly embeds: readonly Embed[]
  readonly allowed_mentions?: unknown
}

const WEBHOOK = 'https://discord.com/api/webhooks/000000000000000000/xxxxxxxxxxxxxxxxxxxxxxxx'
const body = (notice: Notice, config: object = {}) => bodyBy<Body>(discord, { webhookUrl: WEBHOOK, ...config }, notice)
const fieldsOf = async (notice: Notice): Promise<readonly Field[]> =>
  (await body(notice)).embeds.flatMap(({ fields }) => fields)

const block = (text: string): string => '```' + text + '```'

/** What is different on purpose: no mentions, fields that are no texts, Markdown of the event, what is too long. */
const expected = ({ embeds, ...rest }: Body, notice: Notice): Body => ({
  ...rest,
  allowed_mentions: { parse: [] },
  embeds: embeds.map(({ description = '', fields, ...embed }) => ({
    ...embed,
    description: fit(description, 2_000, markdown),
    fields: withAllFields(
      fields,
      notice,
      ({ name }) => name,
      (name, value) => ({ name, value: block(value), inline: true }),
    ).map(({ name, value, inline }) => ({ name: markdown(name), value: within(value), inline })),
  })),
})

const within = (value: string): string =>
  value.startsWith('```') ? fit(value.slice(3, -3), 1_024, block) : fit(value, 1_024, markdown)

describe('discord', () => {
  const { exchanges, config: theirs } = falcosidekickSent('discord')

  it.each(exchanges)('sends what Falcosidekick sends for an event: $name', async ({ notice, requests: [request] }) => {
    const [sent] = await sentBy(discord, { webhookUrl: theirs.webhookurl, icon: 'https://example.com/i.png' }, notice)
    expect(sent).toMatchObject({ url: theirs.webhookurl, method: request?.method })
    expect(sent?.headers['content-type']).toBe(request?.headers['content-type'])
    expect(JSON.parse(sent?.body ?? '')).toEqual(expected(mended(request?.body ?? '', notice), notice))
  })

  it('leaves the picture to the webhook', async () => {
    expect(await body(aNotice())).not.toHaveProperty('avatar_url')
  })

  it('titles a report with its outcome, which leads to the trace', async () => {
    const { embeds } = await body(answered())
    expect(embeds).toMatchObject([
      {
        title: '\\[succeeded\\] Shell in a container',
        url: TRACE_URL,
        color: String(0x23ba47),
        description: 'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
      },
    ])
    expect(embeds[0]?.fields).toContainEqual({ name: 'trace', value: TRACE_URL, inline: true })
    expect(embeds[0]?.fields).toContainEqual({
      name: 'undo',
      value: 'yarak responses undo 7d0f4a2c9b1e',
      inline: true,
    })
  })

  it('tells how many alerts a digest stands for', async () => {
    expect((await fieldsOf(digest())).at(-1)?.name).toBe('alerts')
  })

  it('mentions nobody, whatever the event says', async () => {
    const evil = '@everyone <@123> <@&5> [click](https://evil.example) **x** ||y|| # z'
    const event = anEvent({ output: evil, rule: evil, hostname: evil, output_fields: { [evil]: evil } })
    for (const notice of [aNotice({ event }), answered({ event, report: aReport({ rule: evil }) })]) {
      const { allowed_mentions, embeds } = await body(notice)
      expect(allowed_mentions).toEqual({ parse: [] })
      const outside = JSON.stringify(embeds).replaceAll(/```.*?```/g, '')
      expect(outside).not.toMatch(/\]\(|<(?!\u200b)|(?<!\\)\*/)
    }
  })

  it('lets no backtick end a code block, and no first line be taken for a language', async () => {
    const output_fields = { a: 'x```\n@everyone', b: '`', c: 'py\nimport os', d: '' }
    const values = (await fieldsOf(aNotice({ event: anEvent({ output_fields }) }))).slice(4, 8)
    expect(values.map(({ value }) => value)).toEqual([
      '```\nx`\u200b`\u200b`\u200b\n@everyone```',
      '````\u200b```',
      '```\npy\nimport os```',
      '``````',
    ])
  })

  it('puts a zero-width space where Discord refuses what is empty', async () => {
    const event = anEvent({ tags: [''], output_fields: { '': 'nameless' } })
    const fields = await fieldsOf(aNotice({ event }))
    expect(fields.find(({ value }) => value === '```nameless```')?.name).toBe('\u200b')
    expect(fields.find(({ name }) => name === 'tags')?.value).toBe('\u200b')
  })

  it('puts more than 25 fields into further embeds, in order', async () => {
    const output_fields = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${100 + i}`, 'v']))
    const { embeds } = await body(aNotice({ event: anEvent({ output_fields }) }))
    expect(embeds.map(({ fields }) => fields.length)).toEqual([25, 21])
    expect(embeds[1]).not.toHaveProperty('description')
    expect(embeds[1]?.color).toBe(embeds[0]?.color)
    expect(embeds[1]?.fields.map(({ name }) => name).slice(-3)).toEqual(['f139', 'tags', 'time'])
  })

  // https://docs.discord.com/developers/resources/message#embed-object-embed-limits
  it.each(hugeNotices())('keeps the limits of an embed with $name', async ({ notice }) => {
    const { embeds } = await body(notice)
    expect(embeds.length).toBeLessThanOrEqual(10)
    let sum = 0
    for (const { title = '', description = '', fields } of embeds) {
      expect(title.length).toBeLessThanOrEqual(256)
      expect(description.length).toBeLessThanOrEqual(4_096)
      expect(fields.length).toBeLessThanOrEqual(25)
      sum += title.length + description.length
      for (const { name, value } of fields) {
        expect(name.length).toBeLessThanOrEqual(256)
        expect(value.length).toBeLessThanOrEqual(1_024)
        expect(Math.min(name.trim().length, value.trim().length)).toBeGreaterThan(0)
        sum += name.length + value.length
      }
    }
    expect(sum).toBeLessThanOrEqual(6_000)
    expect(JSON.stringify(embeds)).toContain('cut')
  })

  it('ends a code block that it cut', async () => {
    const event = anEvent({ output_fields: { 'proc.cmdline': '`'.repeat(5_000) } })
    const { value = '' } = (await fieldsOf(aNotice({ event }))).find(({ name }) => name === 'proc.cmdline') ?? {}
    expect(value).toMatch(/^```(`\u200b)+… \[cut\]```$/)
    expect(value.length).toBeLessThanOrEqual(1_024)
  })

  it.each([
    [{}, /webhookUrl is required/],
    [{ webhookUrl: WEBHOOK, icon: 'x' }, /icon: must be an http or https address/],
    [{ webhookUrl: WEBHOOK, username: 'x' }, /username is not a known setting/],
  ])('refuses %j', (config, message) => {
    expect(() => discord(config as never)).toThrow(message)
  })
})
