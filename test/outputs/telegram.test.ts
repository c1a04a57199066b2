import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { telegram } from '../../outputs/telegram.ts'
import { printable } from '../../outputs/_text.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { answered, bodyBy, digest, hugeNotices, mended, sentBy, TRACE_URL } from './_chat.ts'
import { falcosidekickSent } from './_falcosidekick.ts'

interface Body {
  readonly text: string
}

const BOT = { token: '123456:ABC-DEF_1', chatId: '-100123' }
const text = async (notice: Notice): Promise<string> => (await bodyBy<Body>(telegram, BOT, notice)).text

/** What a reader sees, with the marks of `*bold*` that the template has. */
const read = (markdown: string): string => markdown.replaceAll(/\\([\\_*[\]()~`>#+\-=|{}.!])/g, '$1')

/** Where the marks of a message may stand; all others must be escaped, or Telegram answers 400. */
const isBalanced = (markdown: string): boolean => {
  const marks = markdown.replaceAll(/\\[\x01-\x7e]/g, '')
  return !/[\\_[\]()~`>#+\-=|{}.!]/.test(marks) && (marks.match(/\*/g) ?? []).length % 2 === 0
}

/** `key: value` as Go prints values that are no texts, and as they are printed here. */
const GO_VALUES: readonly (readonly [string, string])[] = [
  ['map[b:<x> z:map[a:[1 2.50 1e3]]]', '{"z":{"a":[1,2.5,1000]},"b":"<x>"}'],
  ['[a [b <nil> 1]]', '["a",["b",null,1]]'],
]

/** Lines that stand for null, which are left out. */
const NULLS = /\t {2}• \*[\w.]+\*: <nil>\n/g

/** Both are compared as they are read: what is escaped is the same but for the backslash; `@` mentions nobody. */
const expected = (theirs: string, { event }: Notice): string => {
  const long = event.output.length > 1_200
  const values = GO_VALUES.reduce((rest, [go, ours]) => rest.replace(go, ours), theirs.replaceAll(NULLS, ''))
  return values
    .replace(event.output, () => printable(event.output))
    .replaceAll('@', '@\u200b')
    .replace(/x{1201,}/g, (run) => `${'x'.repeat(693)}… [cut]${run.slice(5_000)}`)
    .replace(/(\*\*Output\*\*: )(.*)\n$/s, (_all, start: string, output: string) =>
      long ? `${start}${event.output.slice(0, 1_193)}… [cut]\n` : `${start}${output}\n`,
    )
}

describe('telegram', () => {
  const { exchanges, config: theirs } = falcosidekickSent('telegram')

  it.each(exchanges)('sends what Falcosidekick sends for an event: $name', async ({ notice, requests: [request] }) => {
    const { host, token, chatid, messagethreadid } = theirs
    const settings = { host, token, chatId: chatid, messageThreadId: messagethreadid }
    const [sent] = await sentBy(telegram, settings, notice)
    expect(sent?.url).toBe(`${String(host)}${request?.path ?? ''}`)
    expect(sent?.headers['content-type']).toBe(request?.headers['content-type'])
    const recorded = JSON.parse(request?.body ?? '') as Body
    const ours = JSON.parse(sent?.body ?? '') as Body
    const asRead = mended<Body>(JSON.stringify({ text: read(recorded.text) }), notice, ' ').text
    expect(read(ours.text)).toBe(expected(asRead, notice))
    expect({ ...ours, text: '' }).toEqual({ ...recorded, text: '' })
    expect(isBalanced(ours.text)).toBe(true)
  })

  it('is byte for byte as Falcosidekick’s, but for the time', async () => {
    const { notice, requests } = exchanges[0] ?? { requests: [] }
    if (!notice) throw new Error('no exchange')
    const settings = { host: theirs.host, token: theirs.token, chatId: theirs.chatid }
    const { text: recorded } = JSON.parse(requests[0]?.body ?? '') as Body
    const time = String.raw`2026\-01\-31 12:00:00\.123456789 \+0000 UTC`
    const { text: ours } = await bodyBy<Body>(telegram, settings, notice)
    expect(ours).toBe(recorded.replace(time, String.raw`2026\-01\-31T12:00:00\.123456789Z`))
  })

  it('tells of a report in lines', async () => {
    const shown = await text(answered())
    expect(read(shown).split('\n')).toEqual([
      '*[succeeded] Shell in a container*',
      '',
      'kubernetes:label: succeeded, labelled default/web-1',
      'kubernetes:terminate: succeeded',
      '',
      '• *response*: 7d0f4a2c9b1e',
      '• *rule*: Shell in a container',
      '• *outcome*: succeeded',
      '• *mode*: enforce',
      '• *target*: pod/default/web-1',
      `• *event*: ${anEvent().output}`,
      '• *duration*: 42 ms',
      `• *trace*: ${TRACE_URL}`,
      '• *undo*: yarak responses undo 7d0f4a2c9b1e',
      '• *time*: 2026-01-31T12:00:00.200Z',
      '',
    ])
    expect(isBalanced(shown)).toBe(true)
  })

  it('tells how many alerts a digest stands for', async () => {
    expect(read(await text(digest()))).toMatch(/^\t {2}• \*alerts\*: 3 from /m)
  })

  it('lets no event mention anybody', async () => {
    const event = anEvent({ output: '@admin x', output_fields: { 'user.name': '@all', 'proc.args': 'ssh root@host' } })
    const shown = read(await text(aNotice({ event })))
    expect(shown).toContain('@\u200badmin x')
    expect(shown).toContain('*user.name*: @\u200ball')
    expect(shown).toContain('ssh root@host')
  })

  it('shows a line break of an event, and lets it write no line of its own', async () => {
    const event = anEvent({ output: 'a\n• *Source*: fake', hostname: 'x\r\ny' })
    const shown = read(await text(aNotice({ event })))
    expect(shown).toContain(String.raw`**Output**: a\n• *Source*: fake`)
    expect(shown).toContain(String.raw`• *Hostname*: x\r\ny`)
  })

  // https://core.telegram.org/bots/api#markdownv2-style
  it('escapes every mark, a backslash too, whatever the event says', async () => {
    const hostile = fc.string({ unit: fc.constantFrom(...'\\_*[]()~`>#+-=|{}.!ax \n'), maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(hostile, hostile, async (one, other) => {
        const output_fields = { [one]: other, [`${one}x`]: [other] }
        const event = anEvent({ output: one, hostname: other, output_fields, tags: [one, other] })
        expect(isBalanced(await text(aNotice({ event })))).toBe(true)
        const report = aReport({ target: one, rule: other || 'r' })
        expect(isBalanced(await text(answered({ event, report })))).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  // https://core.telegram.org/bots/api#sendmessage: 1 to 4,096 characters after entities parsing
  it.each(hugeNotices())('has at most 4,096 characters with $name', async ({ notice }) => {
    const shown = await text(notice)
    expect(read(shown).replaceAll('*', '').length).toBeLessThanOrEqual(4_096)
    expect(read(shown)).toContain('cut')
    expect(isBalanced(shown)).toBe(true)
    expect(shown.isWellFormed()).toBe(true)
  })

  it('takes identifiers as numbers too, and needs no topic', async () => {
    expect(await bodyBy(telegram, { ...BOT, chatId: -100_123, messageThreadId: 7 }, aNotice())).toMatchObject({
      chat_id: '-100123',
      message_thread_id: '7',
    })
    expect(await bodyBy(telegram, BOT, aNotice())).not.toHaveProperty('message_thread_id')
  })

  it.each([
    [{ chatId: '1' }, /token is required/],
    [{ token: '1:a' }, /chatId is required/],
    [{ token: '../x', chatId: '1' }, /token: must be as BotFather gives it/],
    [{ ...BOT, host: 'https://u:p@api.telegram.org' }, /host: must have no credentials/],
  ])('refuses %j', (config, message) => {
    expect(() => telegram(config as never)).toThrow(message)
  })
})
