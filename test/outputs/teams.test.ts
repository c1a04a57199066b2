import { describe, expect, it } from 'vitest'
import { fit, jsonBytes, markdown } from '../../outputs/_chat.ts'
import { teams } from '../../outputs/teams.ts'
import { type Notice, YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, type Answers, aReport, outputCases } from '../../src/testing.ts'
import { answered, bodyBy, digest, hugeNotices, mended, sentBy, textsOf, TRACE_URL, withAllFields } from './_chat.ts'
import { falcosidekickSent } from './_falcosidekick.ts'

interface Fact {
  readonly name: string
  readonly value: string
}

interface MessageCard {
  readonly summary: string
  readonly themeColor: string
  readonly title?: string
  readonly sections: readonly [
    { readonly text: string; readonly facts?: readonly Fact[]; readonly activitySubtitle: string },
  ]
  readonly potentialAction?: unknown
}

const WEBHOOK = 'https://example.webhook.office.com/webhookb2/00000000/IncomingWebhook/xxxxxxxx'
const card = (notice: Notice, config: object = {}) =>
  bodyBy<MessageCard>(teams, { webhookUrl: WEBHOOK, ...config }, notice)

/** What is different on purpose: facts that are no texts, Markdown of the event, and a summary of at most 1,000 bytes. */
const expected = ({ summary, sections: [section], ...rest }: MessageCard, notice: Notice) => ({
  ...rest,
  summary: fit(summary, 1_000, undefined, jsonBytes),
  sections: [
    {
      ...section,
      text: fit(section.text, 8_000, markdown, jsonBytes),
      ...(section.facts && {
        facts: withAllFields(
          section.facts,
          notice,
          ({ name }) => name,
          (name, value) => ({ name, value }),
        ).map(({ name, value }) => ({ name: markdown(name), value: fit(value, 2_000, markdown, jsonBytes) })),
      }),
    },
  ],
})

describe.each([
  { name: 'teams', config: { activityImage: 'https://example.com/i.png' } },
  {
    name: 'teams-facts',
    config: {
      activityImage:
        'https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png',
      outputFormat: 'facts',
    },
  },
])('$name', ({ name, config }) => {
  const { exchanges, config: theirs } = falcosidekickSent(name)

  it.each(exchanges)('sends what Falcosidekick sends for an event: $name', async ({ notice, requests: [request] }) => {
    const settings = { webhookUrl: theirs.webhookurl, activityTitle: 'Falcosidekick', ...config }
    const [sent] = await sentBy(teams, settings, notice)
    expect(sent).toMatchObject({ url: theirs.webhookurl, method: request?.method })
    expect(sent?.headers['content-type']).toBe(request?.headers['content-type'])
    expect(JSON.parse(sent?.body ?? '')).toEqual(expected(mended(request?.body ?? '', notice), notice))
  })
})

const EVIL = '**x** [click](https://evil.example) <a href="https://evil.example">x</a> <at>all</at>'
const evil = () => anEvent({ output: EVIL, rule: EVIL, hostname: EVIL, output_fields: { [EVIL]: EVIL } })
/** A link, a tag or a mention that Teams would make of the text. */
const MARKUP = /(?<!\\)\[|\]\(|<(?!\u200b)/

describe('a message card', () => {
  it('has Yarak as its title, the time below it, and no picture', async () => {
    expect((await card(aNotice())).sections[0]).toMatchObject({
      activityTitle: 'Yarak',
      activitySubtitle: '2026-01-31T12:00:00.123456789Z',
    })
    expect((await card(aNotice())).sections[0]).not.toHaveProperty('activityImage')
  })

  it('has no facts when only the text is asked for', async () => {
    const [section] = (await card(aNotice(), { outputFormat: 'text' })).sections
    expect(section).not.toHaveProperty('facts')
    expect(section.text).toBe(anEvent().output)
  })

  it('tells of a report: outcome, steps, facts, and a button that opens the trace', async () => {
    // https://learn.microsoft.com/en-us/outlook/actionable-messages/message-card-reference#openuri-action
    const shown = await card(answered({ report: aReport({ outcome: 'failed' }) }))
    expect(shown).toMatchObject({
      title: '\\[failed\\] Shell in a container',
      summary: '[failed] Shell in a container',
      themeColor: 'e20b0b',
      sections: [
        {
          activitySubtitle: '2026-01-31T12:00:00.200Z',
          text: 'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
        },
      ],
      potentialAction: [{ '@type': 'OpenUri', name: 'Trace', targets: [{ os: 'default', uri: TRACE_URL }] }],
    })
    expect(shown.sections[0].facts).toContainEqual({ name: 'trace', value: TRACE_URL })
    expect((await card(aNotice({ report: aReport() }))).potentialAction).toBeUndefined()
  })

  it('tells how many alerts a digest stands for', async () => {
    expect((await card(digest())).sections[0].facts?.at(-1)?.name).toBe('alerts')
    expect((await card(digest(), { outputFormat: 'text' })).sections[0].text).toMatch(/\nalerts: 3 from /)
  })

  it('shows Markdown and HTML of an event as they are', async () => {
    for (const notice of [aNotice({ event: evil() }), answered({ event: evil(), report: aReport({ rule: EVIL }) })]) {
      const { summary: _, ...rest } = await card(notice)
      expect(textsOf(rest)).not.toMatch(MARKUP)
    }
  })
})

interface Adaptive {
  readonly type: string
  readonly attachments: readonly [
    {
      readonly contentType: string
      readonly content: {
        readonly body: readonly {
          readonly type: string
          readonly text?: string
          readonly facts?: unknown
          readonly style?: string
        }[]
        readonly actions?: unknown
      }
    },
  ]
}

const adaptive = async (notice: Notice, config: object = {}) =>
  (await bodyBy<Adaptive>(teams, { webhookUrl: WEBHOOK, format: 'adaptive', ...config }, notice)).attachments[0].content

describe('an adaptive card', () => {
  it('is what a workflow takes', async () => {
    // https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook: `attachments` of type AdaptiveCard.
    const sent = await bodyBy(teams, { webhookUrl: WEBHOOK, format: 'adaptive', outputFormat: 'text' }, aNotice())
    expect(sent).toEqual({
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          contentUrl: null,
          content: {
            $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
            type: 'AdaptiveCard',
            version: '1.4',
            msteams: { width: 'Full' },
            body: [
              {
                type: 'Container',
                style: 'accent',
                bleed: true,
                items: [
                  {
                    type: 'TextBlock',
                    text: '\\[Notice\\] Terminal shell in container',
                    wrap: true,
                    weight: 'bolder',
                    size: 'medium',
                  },
                  {
                    type: 'TextBlock',
                    text: 'Yarak · 2026-01-31T12:00:00.123456789Z',
                    wrap: true,
                    isSubtle: true,
                    spacing: 'none',
                  },
                ],
              },
              { type: 'TextBlock', text: anEvent().output, wrap: true },
            ],
          },
        },
      ],
    })
  })

  it('has the same facts as a message card, and the picture', async () => {
    const { body } = await adaptive(aNotice(), { outputFormat: 'facts', activityImage: 'https://e.com/i.png' })
    const facts = (await card(aNotice())).sections[0].facts?.map(({ name, value }) => ({ title: name, value }))
    expect(body).toMatchObject([
      { items: [{ type: 'Image', url: 'https://e.com/i.png' }, {}, {}] },
      { type: 'FactSet', facts },
    ])
  })

  it.each([
    ['succeeded', 'good'],
    ['gone', 'good'],
    ['refused', 'warning'],
    ['skipped', 'warning'],
    ['timed_out', 'attention'],
  ] as const)('shows a report that %s as %s', async (outcome, style) => {
    const { body, actions } = await adaptive(answered({ report: aReport({ outcome }) }))
    expect(body[0]?.style).toBe(style)
    expect(actions).toEqual([{ type: 'Action.OpenUrl', title: 'Trace', url: TRACE_URL }])
  })

  it('shows Markdown of an event as it is', async () => {
    expect(textsOf(await adaptive(aNotice({ event: evil() })))).not.toMatch(MARKUP)
  })
})

describe('teams', () => {
  for (const format of ['card', 'adaptive']) {
    it.each(hugeNotices())(`stays below 28 KB with $name, as ${format}`, async ({ notice }) => {
      const [request] = await sentBy(teams, { webhookUrl: WEBHOOK, format }, notice)
      expect(Buffer.byteLength(request?.body ?? '')).toBeLessThan(28_000)
      expect(request?.body).toContain('cut')
      expect(request?.body.isWellFormed()).toBe(true)
    })
  }

  describe('with adaptive cards', () => {
    for (const { name, run } of outputCases(teams, { config: { webhookUrl: WEBHOOK, format: 'adaptive' } }))
      it(name, run)
  })

  const failure = async (answer: Answers): Promise<YarakError> => {
    const error: unknown = await sentBy(teams, { webhookUrl: WEBHOOK }, aNotice(), answer).catch((one: unknown) => one)
    if (error instanceof YarakError) return error
    throw new Error('it was delivered')
  }

  // https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#rate-limiting-for-connectors
  it.each([
    ['429', false],
    ['503', false],
    ['413', true],
    ['400', true],
  ])('believes a 200 that tells of a %s in its body', async (status, permanent) => {
    const body = `Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error ${status} with ContextId x`
    expect(await failure({ body })).toMatchObject({ code: 'failed', reason: status, permanent })
  })

  it('takes a 200 with 1 and a 202 for delivered', async () => {
    await sentBy(teams, { webhookUrl: WEBHOOK }, aNotice(), { body: '1' })
    await sentBy(teams, { webhookUrl: WEBHOOK }, aNotice(), { status: 202 })
  })

  it.each([
    [{}, /webhookUrl is required/],
    [{ webhookUrl: WEBHOOK, format: 'html' }, /format must be one of card, adaptive/],
    [{ webhookUrl: WEBHOOK, outputFormat: 'fields' }, /outputFormat must be one of all, text, facts/],
  ])('refuses %j', (config, message) => {
    expect(() => teams(config as never)).toThrow(message)
  })
})
