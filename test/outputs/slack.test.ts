import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fit } from '../../outputs/_chat.ts'
import { slack } from '../../outputs/slack.ts'
import { parseEvent } from '../../src/event.ts'
import { type Notice, toJson, YarakError } from '../../src/plugin.ts'
import {
  aNotice,
  anEvent,
  type Answers,
  aReport,
  outputCases,
  type RecordedRequest,
  testIo,
} from '../../src/testing.ts'
import {
  answered,
  type Attachment,
  bodyBy,
  digest,
  hugeNotices,
  mended,
  sentBy,
  TRACE_URL,
  withAllFields,
} from './_chat.ts'
import { falcosidekickSent } from './_falcosidekick.ts'

const WEBHOOK = 'https://hooks.slack.com/services/T00000000/B00000000/xxxxxxxxxxxxxxxxxxxxxxxx'

interface Body {
  readonly text?: string
  readonly username?: string
  readonly icon_url?: string
  readonly channel?: string
  readonly attachments: readonly [Attachment]
}

type Config = Partial<Parameters<typeof slack>[0]>

const body = (notice: Notice, config: Config = {}) => bodyBy<Body>(slack, { webhookUrl: WEBHOOK, ...config }, notice)

const attachment = async (notice: Notice, config: Config = {}): Promise<Attachment> =>
  (await body(notice, config)).attachments[0]

const valueOf = ({ fields }: Attachment, title: string) => fields?.find((field) => field.title === title)?.value

const entities = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** What is different on purpose: fields that are no texts, `&`, `<` and `>`, and `<no value>`. */
const expected = ({ attachments: [one], ...rest }: Body, notice: Notice): Body => ({
  ...rest,
  ...(rest.text && { text: entities(rest.text.replace('<no value>', '')) }),
  attachments: [
    {
      ...one,
      fallback: fit(one.fallback, 7_900, entities),
      ...(one.text && { text: fit(one.text, 7_900, entities) }),
      fields:
        one.fields &&
        withAllFields(
          one.fields,
          notice,
          ({ title }) => title,
          (title, value) => ({ title, value, short: value.length < 36 }),
        ).map((field) => ({ ...field, value: fit(field.value, 2_000, entities) })),
    },
  ],
})

describe.each([
  { name: 'slack', config: { channel: '#sec', footer: 'https://example.com', icon: 'https://example.com/i.png' } },
  {
    name: 'slack-text',
    config: {
      icon: 'https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png',
      outputFormat: 'text',
      messageFormat: 'Alert: rule *{{ rule }}* by *{{ proc.name }}*',
    },
  },
])('$name', ({ name, config }) => {
  const { exchanges, config: theirs } = falcosidekickSent(name)

  it.each(exchanges)('sends what Falcosidekick sends for an event: $name', async ({ notice, requests: [request] }) => {
    const settings = { webhookUrl: theirs.webhookurl, username: 'Falcosidekick', ...config }
    const [sent] = await sentBy(slack, settings, notice)
    expect(sent).toMatchObject({ url: theirs.webhookurl, method: request?.method })
    expect(sent?.headers['content-type']).toBe(request?.headers['content-type'])
    expect(JSON.parse(sent?.body ?? '')).toEqual(expected(mended<Body>(request?.body ?? '', notice), notice))
  })
})

describe('slack', () => {
  it('shows the text only, or the fields only', async () => {
    const text = await attachment(aNotice(), { outputFormat: 'text', footer: 'f' })
    expect(text).toMatchObject({ text: anEvent().output, fields: null })
    expect(text).not.toHaveProperty('footer')
    const fields = await attachment(aNotice(), { outputFormat: 'fields', footer: 'f' })
    expect(fields).not.toHaveProperty('text')
    expect(fields.fields).toHaveLength(12)
    expect(fields.footer).toBe('f')
  })

  it('leaves name and picture to the webhook when they are empty', async () => {
    expect(Object.keys(await body(aNotice(), { username: '' }))).toEqual(['attachments'])
  })

  it('writes a messageFormat above, with values that are no markup, and only for events', async () => {
    const event = anEvent({ output_fields: { 'user.name': '<!here>' } })
    const messageFormat = '<!channel> *{{ rule }}* by {{ user.name }}'
    expect((await body(aNotice({ event }), { messageFormat })).text).toBe(
      '<!channel> *Terminal shell in container* by &lt;!here&gt;',
    )
    expect(await body(answered(), { messageFormat })).not.toHaveProperty('text')
  })

  it('lets no event mention a channel or hide a link', async () => {
    const evil = '<!channel> & <https://evil.example|click>'
    const event = anEvent({ output: evil, rule: evil, hostname: evil, output_fields: { '<x>': evil } })
    const safe = '&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt;'
    const shown = await attachment(aNotice({ event }))
    expect(shown).toMatchObject({ text: safe, fallback: safe })
    expect(valueOf(shown, 'rule')).toBe(safe)
    expect(valueOf(shown, '&lt;x&gt;')).toBe(safe)
    const answered = await attachment(aNotice({ event, report: aReport({ rule: evil }) }))
    expect(JSON.stringify(answered)).not.toMatch(/[<>]/)
  })

  it('titles a report with its outcome, lists the steps, and leads to the trace', async () => {
    const shown = await attachment(answered({ report: aReport({ outcome: 'failed' }) }))
    expect(shown).toMatchObject({
      color: '#e20b0b',
      title: '[failed] Shell in a container',
      title_link: TRACE_URL,
      fallback: '[failed] Shell in a container',
      text: 'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
    })
    expect(valueOf(shown, 'trace')).toBe(TRACE_URL)
    expect(valueOf(shown, 'target')).toBe('pod/default/web-1')
    expect(valueOf(await attachment(answered()), 'undo')).toBe('yarak responses undo 7d0f4a2c9b1e')
  })

  it('has no text for a report without steps', async () => {
    expect(await attachment(aNotice({ report: aReport({ steps: [] }) }))).not.toHaveProperty('text')
  })

  it('tells how many alerts a digest stands for, with and without fields', async () => {
    expect(valueOf(await attachment(digest()), 'alerts')).toMatch(/^3 from /)
    expect((await attachment(digest(), { outputFormat: 'text' })).text).toMatch(/\nalerts: 3 from /)
  })

  it('says how much it cut, and keeps the time', async () => {
    const output_fields = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, 'v']))
    const shown = await attachment(aNotice({ event: anEvent({ output: 'x'.repeat(10_000), output_fields }) }))
    expect(shown.text).toHaveLength(7_900)
    expect(shown.text).toMatch(/x… \[cut\]$/)
    expect(shown.fields).toHaveLength(61)
    expect(shown.fields?.slice(-2)).toMatchObject([{ title: 'time' }, { title: 'cut', value: '46 more fields' }])
  })

  it.each(hugeNotices())('is below 40,000 characters with $name', async ({ notice }) => {
    const { text = '', attachments } = await body(notice, { messageFormat: '{{ output }}' })
    const [{ fallback, title = '', text: shown = '', fields }] = attachments
    const rows = (fields ?? []).reduce((sum, one) => sum + one.title.length + one.value.length, 0)
    expect(text.length + fallback.length + title.length + shown.length + rows).toBeLessThan(40_000)
  })

  it('stays within the limits of Slack whatever the event says', async () => {
    const text = fc.string({ unit: fc.constantFrom('<', '&', 'x', '\u{1f989}', '\ud800', '\n'), maxLength: 20_000 })
    const fields = fc.dictionary(fc.string(), text, { maxKeys: 100 })
    await fc.assert(
      fc.asyncProperty(text, fields, async (output, output_fields) => {
        const made = await body(aNotice({ event: anEvent({ output, output_fields }) }))
        const [shown] = made.attachments
        expect(shown.text?.length ?? 0).toBeLessThanOrEqual(7_900)
        for (const { value } of shown.fields ?? []) expect(value.length).toBeLessThanOrEqual(2_000)
        const values = (shown.fields ?? []).reduce((sum, { value }) => sum + value.length, 0)
        expect(values).toBeLessThanOrEqual(19_000)
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
    [{}, /takes either webhookUrl or token/],
    [{ webhookUrl: WEBHOOK, token: 'xoxb-1', channel: 'C1' }, /takes either webhookUrl or token/],
    [{ token: 'xoxb-1' }, /token needs a channel/],
    [{ token: 'xoxb 1', channel: 'C1' }, /token: must be one word/],
  ])('refuses %j', (config, message) => {
    expect(() => slack(config as never)).toThrow(message)
  })
})

// https://docs.slack.dev/reference/methods/chat.postMessage: the answer has the channel's id and the message's `ts`.
const posted = { body: { ok: true, channel: 'C0123456789', ts: '1405894322.002768' } }
const refused = (error: string) => ({ body: { ok: false, error } })
const BOT = { token: 'xoxb-0123456789-secret', channel: '#sec' }

describe('slack by a bot', () => {
  for (const { name, run } of outputCases(slack, { config: BOT, io: botIo })) it(name, run)

  const methodOf = ({ url }: RecordedRequest): string => url.replace('https://slack.com/api/', '')
  const bodyOf = ({ body }: RecordedRequest) => JSON.parse(body) as Body & { ts?: string; thread_ts?: string }

  it('posts to the channel with the token', async () => {
    const [request] = await sentBy(slack, BOT, aNotice(), posted)
    expect(request).toMatchObject({ method: 'POST', url: 'https://slack.com/api/chat.postMessage' })
    expect(request?.headers).toMatchObject({
      authorization: 'Bearer xoxb-0123456789-secret',
      'content-type': 'application/json; charset=utf-8',
    })
    expect(request && bodyOf(request)).toMatchObject({
      channel: '#sec',
      username: 'Yarak',
      attachments: [{ text: anEvent().output }],
    })
  })

  it('changes the message of the event when it was answered, and posts the steps in its thread', async () => {
    const requests = await sentBy(slack, { ...BOT, messageFormat: '{{ rule }}' }, [aNotice(), answered()], posted)
    expect(requests.map(methodOf)).toEqual(['chat.postMessage', 'chat.update', 'chat.postMessage'])
    const [, update, thread] = requests.map(bodyOf)
    expect(update).toMatchObject({
      channel: 'C0123456789',
      ts: '1405894322.002768',
      text: 'Terminal shell in container',
      attachments: [
        {
          color: '#23ba47',
          title: '[succeeded] Shell in a container',
          title_link: TRACE_URL,
          text: anEvent().output,
        },
      ],
    })
    expect(update && valueOf(update.attachments[0], 'user.name')).toBe('root')
    expect(thread).toMatchObject({
      channel: 'C0123456789',
      thread_ts: '1405894322.002768',
      attachments: [{ title: '[succeeded] Shell in a container', color: '#23ba47' }],
    })
    expect(thread?.attachments[0].text).toMatch(/^kubernetes:label: succeeded/)
  })

  it('still tells how many alerts a digest stands for when it was answered', async () => {
    const requests = await sentBy(slack, BOT, [digest(), answered()], posted)
    const [, update] = requests.map(bodyOf)
    expect(update && valueOf(update.attachments[0], 'alerts')).toMatch(/^3 from /)
  })

  it('posts the report of an event that it does not know as a message of its own', async () => {
    const requests = await sentBy(slack, BOT, [answered(), answered()], posted)
    expect(requests.map(methodOf)).toEqual(['chat.postMessage', 'chat.postMessage'])
    expect(requests.map((one) => bodyOf(one).thread_ts)).toEqual([undefined, undefined])
  })

  it.each(['message_not_found', 'cant_update_message', 'edit_window_closed'])(
    'posts the report as a message of its own after %s',
    async (error) => {
      const answer: Answers = ({ url }) => (url.endsWith('chat.update') ? refused(error) : posted)
      const requests = await sentBy(slack, BOT, [aNotice(), answered()], answer)
      expect(requests.map(methodOf)).toEqual(['chat.postMessage', 'chat.update', 'chat.postMessage'])
      expect(requests[2] && bodyOf(requests[2])).toMatchObject({ channel: '#sec', attachments: [{ color: '#23ba47' }] })
      expect(requests[2] && bodyOf(requests[2]).thread_ts).toBeUndefined()
    },
  )

  it('remembers the last thousand messages over a restart', async () => {
    const io = testIo({ answer: posted })
    const open = () => slack.open(slack.config.parse(BOT), io)
    const signal = AbortSignal.timeout(60_000)
    const eventOf = (i: number) => parseEvent(toJson(anEvent()), { id: `event-${i}`, input: 'test' })
    const first = await open()
    for (let i = 0; i <= 1_000; i++) await first.send([aNotice({ event: eventOf(i) })], signal)
    const again = await open()
    const before = io.requests.length
    await again.send([answered({ event: eventOf(1_000) })], signal)
    await again.send([answered({ event: eventOf(0) })], signal)
    expect(io.requests.slice(before).map(methodOf)).toEqual(['chat.update', 'chat.postMessage', 'chat.postMessage'])
    expect(await io.state.get('messages')).toHaveLength(1_000)
  })

  it('delivers although it cannot remember', async () => {
    const io = testIo({ answer: posted })
    const state = { ...io.state, set: () => Promise.reject(new Error('disk full')) }
    const sender = await slack.open(slack.config.parse(BOT), { ...io, state })
    await sender.send([aNotice(), answered()], AbortSignal.timeout(1_000))
    expect(io.requests.map(methodOf)).toEqual(['chat.postMessage', 'chat.update', 'chat.postMessage'])
    expect(io.lines).toMatchObject([{ level: 'warn' }])
  })

  const failure = async (answer: Answers): Promise<YarakError> => {
    const error: unknown = await sentBy(slack, BOT, aNotice(), answer).catch((reason: unknown) => reason)
    if (error instanceof YarakError) return error
    throw new Error('it was delivered')
  }

  // https://docs.slack.dev/reference/methods/chat.postMessage#errors
  it.each([
    ['invalid_auth', true, /check `token`/],
    ['channel_not_found', true, /check `channel`; to a private channel the bot must be invited/],
    ['not_in_channel', true, /invite the bot/],
    ['missing_scope', true, /chat:write/],
    ['msg_too_long', true, /msg_too_long/],
    ['ratelimited', false, /ratelimited/],
    ['internal_error', false, /internal_error/],
    ['service_unavailable', false, /service_unavailable/],
  ])('takes %s for what it is', async (error, permanent, message) => {
    const thrown = await failure(refused(error))
    expect(thrown).toMatchObject({ code: 'failed', reason: error, permanent })
    expect(thrown.message).toMatch(message)
  })

  it.each([
    ['no JSON', 'oops'],
    ['nothing', 'null'],
    ['a strange error', JSON.stringify({ ok: false, error: 'x y<z>' })],
  ])('tries again after an answer of %s', async (_what, text) => {
    expect(await failure({ body: text })).toMatchObject({ reason: 'bad_answer', permanent: false })
  })

  it('waits as long as a 429 asks for', async () => {
    const thrown = await failure({ status: 429, headers: { 'retry-after': '3' } })
    expect(thrown).toMatchObject({ permanent: false, retryAfter: 3_000 })
  })
})

/** Slack says `ok` in the body of what would be an empty 200 elsewhere. */
function botIo(answer?: Answers) {
  return testIo({ answer: answer ?? posted })
}
