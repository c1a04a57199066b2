import { describe, expect, it } from 'vitest'
import { fit, markdown } from '../../outputs/_chat.ts'
import { printable } from '../../outputs/_text.ts'
import { gotify } from '../../outputs/gotify.ts'
import { type Notice, PRIORITIES } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { answered, bodyBy, digest, hugeNotices, mended, sentBy, TRACE_URL } from './_chat.ts'
import { exact, falcosidekickSent } from './_falcosidekick.ts'

interface Body {
  readonly title: string
  readonly priority: number
  readonly message: string
  readonly extras: object
}

const SERVER = { hostPort: 'https://gotify.example.com', token: 'Atoken.0123' }
const body = (notice: Notice, config: object = {}) => bodyBy<Body>(gotify, { ...SERVER, ...config }, notice)

/** Values that are no texts as Go prints them, and as they are printed here. */
const GO_VALUES: readonly (readonly [string, string])[] = [
  ['map[b:<x> z:map[a:[1 2.50 1e3]]]', '{"z":{"a":[1,2.5,1000]},"b":"<x>"}'],
  ['[a [b <nil> 1]]', '["a",["b",null,1]]'],
]

interface Form {
  readonly escape: (text: string) => string
  /** Name and value of a line. */
  readonly line: RegExp
  /** The lines that stand for null, which are left out. */
  readonly nulls: RegExp
}

const FORMS: Readonly<Record<string, Form>> = {
  gotify: {
    escape: (text) => markdown(printable(text)),
    line: /^(\t?- \*\*)([^*]+)(\*\*: )(.*)$/gm,
    nulls: /\t- \*\*[\w.]+\*\*: <no value>\n/g,
  },
  'gotify-text': { escape: printable, line: /^((?:- )?)([\w.]+)(: )(.*)$/gm, nulls: /- [\w.]+: <no value>\n/g },
}

/** What is different on purpose: JSON for what is nested, no nulls, one line for each value, escapes. */
const expected = (theirs: string, { event }: Notice, { escape, line, nulls }: Form): string => {
  const output = '\u0001'
  const placed = theirs.replace(event.output, output).replaceAll(nulls, '')
  return GO_VALUES.reduce((rest, [go, ours]) => rest.replace(go, ours), placed)
    .replaceAll(line, (_all, start: string, name: string, colon: string, value: string) =>
      [start, escape(name), colon, value === output ? value : fit(value, 4_000, escape)].join(''),
    )
    .replace(output, () => fit(event.output, 8_000, escape))
}

describe.each([
  { name: 'gotify', config: { token: 'secret-token' }, contentType: 'text/markdown' },
  { name: 'gotify-text', config: { format: 'plaintext' }, contentType: 'text/plain' },
])('$name', ({ name, config, contentType }) => {
  const { exchanges, config: theirs } = falcosidekickSent(name)

  it.each(exchanges)('sends what Falcosidekick sends for an event: $name', async ({ notice, requests: [request] }) => {
    const [sent] = await sentBy(gotify, { hostPort: theirs.hostport, ...config }, notice)
    expect(sent?.url).toBe(`${String(theirs.hostport)}/message`)
    for (const header of ['content-type', 'x-gotify-key']) {
      expect(sent?.headers[header]).toBe(request?.headers[header])
    }
    const recorded = mended<Body>(request?.body ?? '', notice, ' ')
    expect(JSON.parse(sent?.body ?? '')).toEqual({
      ...recorded,
      message: expected(recorded.message, notice, FORMS[name]!),
      extras: { 'client::display': { contentType } },
    })
  })
})

describe('gotify', () => {
  it('is more urgent the more severe the event is', async () => {
    const events = PRIORITIES.map((priority) => body(aNotice({ event: anEvent({ priority }) })))
    expect((await Promise.all(events)).map(({ priority }) => priority)).toEqual([8, 7, 6, 5, 4, 3, 2, 1])
  })

  it('sends the event as JSON, with every digit', async () => {
    const event = anEvent({ output_fields: { 'evt.time': 1_769_860_800_123_456_789n }, uuid: 'my-uuid' })
    const { message, extras } = await body(aNotice({ event }), { format: 'json' })
    expect(exact(message)).toMatchObject({
      uuid: 'my-uuid',
      output_fields: { 'evt.time': { number: '1769860800123456789' } },
    })
    expect(extras).toEqual({ 'client::display': { contentType: 'text/plain' } })
    const report = JSON.parse((await body(answered(), { format: 'json' })).message) as object
    expect(report).toMatchObject({ response: { outcome: 'succeeded' }, trace_url: TRACE_URL })
  })

  it('tells of a report in lines, and opens the trace by a click', async () => {
    const { title, message, extras, priority } = await body(answered())
    expect({ title, priority }).toEqual({ title: '[succeeded] Shell in a container', priority: 3 })
    expect(message.split('\n')).toEqual([
      '- **Step**: kubernetes:label: succeeded, labelled default/web-1',
      '- **Step**: kubernetes:terminate: succeeded',
      '- **response**: 7d0f4a2c9b1e',
      '- **rule**: Shell in a container',
      '- **outcome**: succeeded',
      '- **mode**: enforce',
      '- **target**: pod/default/web-1',
      `- **event**: ${anEvent().output}`,
      '- **duration**: 42 ms',
      `- **trace**: ${TRACE_URL}`,
      '- **undo**: yarak responses undo 7d0f4a2c9b1e',
      '- **time**: 2026-01-31T12:00:00.200Z',
      '',
    ])
    // https://gotify.net/docs/msgextras#clientnotification
    expect(extras).toMatchObject({ 'client::notification': { click: { url: TRACE_URL } } })
    const plain = await body(answered(), { format: 'text' })
    expect(plain.message).toMatch(/^Step: kubernetes:label: succeeded, .*\n/)
    expect(plain.message).toMatch(/^target: pod\/default\/web-1$/m)
  })

  it('has no line for the steps of a report without any', async () => {
    const { message } = await body(aNotice({ report: aReport({ steps: [] }) }))
    expect(message).toMatch(/^- \*\*response\*\*: /)
  })

  it('tells how many alerts a digest stands for', async () => {
    expect((await body(digest())).message).toMatch(/^\t- \*\*alerts\*\*: 3 from /m)
  })

  it('loads no picture and writes no line for an event', async () => {
    const evil = '![x](https://evil.example/i.png)\n- **Priority**: Debug\nPriority: Debug'
    const event = anEvent({ output: evil, rule: evil, output_fields: { [evil]: evil }, tags: [evil] })
    for (const format of ['markdown', 'plaintext']) {
      for (const notice of [aNotice({ event }), answered({ event, report: aReport({ rule: evil, target: evil }) })]) {
        const { message, title } = await body(notice, { format })
        expect(message).not.toMatch(/^(?:- \*\*)?Priority(?:\*\*)?: Debug/m)
        expect(title).not.toContain('\n')
        if (format === 'markdown') expect(message).not.toMatch(/\]\(|(?<!\\)\[/)
      }
    }
  })

  it.each(hugeNotices())('cuts $name with a mark', async ({ notice }) => {
    const { message, title } = await body(notice)
    expect(title.length).toBeLessThanOrEqual(300)
    expect(message.length).toBeLessThanOrEqual(70_000)
    expect(message).toContain('cut')
    expect(message.isWellFormed()).toBe(true)
  })

  it('sends without a token where there is none', async () => {
    const [request] = await sentBy(gotify, { hostPort: 'https://gotify.example.com/' }, aNotice())
    expect(request?.url).toBe('https://gotify.example.com/message')
    expect(request?.headers).not.toHaveProperty('x-gotify-key')
  })

  it.each([
    [{}, /hostPort is required/],
    [{ ...SERVER, format: 'html' }, /format must be one of markdown, plaintext, text, json/],
    [{ ...SERVER, token: 'a\r\nx: y' }, /token: must be one word/],
  ])('refuses %j', (config, message) => {
    expect(() => gotify(config as never)).toThrow(message)
  })
})
