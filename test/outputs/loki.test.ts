/** Loki: "Ingest logs", grafana.com/docs/loki/latest/reference/loki-http-api; `limits_config` in its configuration. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { entryOf, nanosOf, pushOf } from '../../outputs/_loki.ts'
import { loki } from '../../outputs/loki.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, type EventMembers, oddEvents } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { noticesOf, opened, requestFor } from './_logs.ts'
import { expectSameEvent } from './_same.ts'

const hostPort = 'http://loki:3100'

interface Stream {
  readonly stream: Readonly<Record<string, string>>
  readonly values: readonly (readonly [string, string])[]
}

const streamsOf = (body: string): readonly Stream[] => (JSON.parse(body) as { streams: Stream[] }).streams

/** The one stream that a notice becomes, and its line. */
const pushed = async (notice: Notice, config: object = {}) => {
  const { body } = await requestFor(loki, { hostPort, ...config }, notice)
  const [one, ...others] = streamsOf(body)
  expect(others).toEqual([])
  expect(one?.values).toHaveLength(1)
  return { labels: one?.stream ?? {}, time: one?.values[0]?.[0] ?? '', line: one?.values[0]?.[1] ?? '' }
}

describe('loki, as Falcosidekick sends it', () => {
  const extraLabels = ['proc.name', 'container.id']
  const settings = { hostPort, user: 'u', apiKey: 'secret-key', tenant: 't1', extraLabels }

  it.each(falcosidekickSent('loki').exchanges)('text: $name', async ({ notice, requests }) => {
    const { method, url, headers, body } = await requestFor(loki, settings, notice)
    const [theirs] = requests
    expect({ method, url }).toEqual({ method: theirs?.method, url: hostPort + theirs?.path })
    expect(headers).toMatchObject(theirs?.headers ?? {})
    expectSameEvent(body, theirs?.body ?? '')
  })

  it.each(falcosidekickSent('loki-json').exchanges)('JSON: $name', async ({ notice, requests }) => {
    const ours = await pushed(notice, { format: 'json' })
    const [theirs] = streamsOf(requests[0]?.body ?? '')
    expect({ ...ours.labels }).toEqual(theirs?.stream)
    expect(ours.time).toBe(theirs?.values[0]?.[0])
    expectSameEvent(ours.line, theirs?.values[0]?.[1] ?? '')
  })
})

describe('the labels', () => {
  const labels = async (members: EventMembers, extraLabels: readonly string[] = []) =>
    (await pushed(aNotice({ event: anEvent(members) }), { extraLabels })).labels

  it('has extra ones of texts only, by names that Loki takes', async () => {
    const output_fields = { 'proc.aname[2]': 'sh"x"', 'proc.pid': 1, '9-a b': 'v', 'no.such': null, 規: 'x' }
    const extra = ['proc.aname[2]', 'proc.pid', '9-a b', 'no.such', 'absent', '規']
    const found = await labels({ output_fields, hostname: null, tags: null }, extra)
    expect(found).toEqual({
      rule: 'Terminal shell in container',
      source: 'syscall',
      priority: 'Notice',
      proc_aname2: 'shx',
      _9_a_b: 'v',
      _: 'x',
    })
  })

  it('lets no extra label take the place of another', async () => {
    const output_fields = { rule: 'x', 'k8s.ns.name': 'real', 'k8s.ns[].name': 'fake' }
    expect(await labels({ output_fields }, ['rule', 'k8s.ns[].name'])).toMatchObject({
      rule: 'Terminal shell in container',
      k8s_ns_name: 'real',
    })
  })

  it('keeps to 15 labels and 2,048 bytes for a value', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `f${i}`)
    const output_fields = Object.fromEntries(names.map((name) => [name, 'ü'.repeat(2_000)]))
    const found = await labels({ output_fields, rule: '規'.repeat(1_000) }, names)
    expect(Object.keys(found)).toHaveLength(15)
    expect(Object.keys(found)).toContain('f9')
    for (const value of Object.values(found)) expect(Buffer.byteLength(value)).toBeLessThanOrEqual(2_048)
    expect(found.rule).toMatch(/^規+… \[cut\]$/)
  })

  it('joins the tags in their alphabetical order, so that they are one stream', async () => {
    expect(await labels({ tags: ['b', 'a'] })).toEqual(await labels({ tags: ['a', 'b'] }))
  })
})

describe('the line', () => {
  it('is cut at 256 KiB with a mark; as JSON it stays JSON', async () => {
    const event = anEvent({ output: 'ü'.repeat(300_000), output_fields: { a: 'x'.repeat(300_000), b: 1 } })
    const text = await pushed(aNotice({ event }))
    expect(Buffer.byteLength(text.line)).toBeLessThanOrEqual(256 * 1024)
    expect(text.line).toMatch(/ü… \[cut\]$/)
    const json = await pushed(aNotice({ event }), { format: 'json' })
    expect(Buffer.byteLength(json.line)).toBeLessThanOrEqual(256 * 1024)
    expect(JSON.parse(json.line)).toMatchObject({ output_fields: { b: 1 }, truncated: true })
  })

  it('of a report tells what was done, in the stream of its outcome', async () => {
    const steps = aReport().steps.map((step) => ({ ...step, undoable: true }))
    const notice = aNotice({ report: aReport({ steps }), traceUrl: 'https://jaeger.example/4bf9' })
    const { labels, time, line } = await pushed(notice)
    expect(labels).toMatchObject({
      rule: 'Terminal shell in container',
      response_rule: 'Shell in a container',
      outcome: 'succeeded',
    })
    expect(time).toBe('1769860800200000000')
    expect(line).toBe(
      '[succeeded] Shell in a container: kubernetes:label: succeeded, labelled default/web-1; ' +
        'kubernetes:terminate: succeeded (response=7d0f4a2c9b1e mode=enforce target=pod/default/web-1 ' +
        `event=${anEvent().output} duration=42 ms trace=https://jaeger.example/4bf9 undo=yarak responses undo 7d0f4a2c9b1e)`,
    )
    const json = await pushed(notice, { format: 'json' })
    expect(JSON.parse(json.line)).toMatchObject({ response: { id: '7d0f4a2c9b1e' }, trace_url: notice.traceUrl })
  })

  it('of a digest says for how many alerts it stands', async () => {
    const digest = { count: 12, first: '2026-01-31T11:59:00Z', last: '2026-01-31T12:00:00Z' }
    expect((await pushed(aNotice({ digest }))).line).toBe(
      `${anEvent().output} (12 alerts from 2026-01-31T11:59:00Z to 2026-01-31T12:00:00Z)`,
    )
  })
})

describe('the time', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0n],
    ['2026-01-31T12:00:00.123456789Z', 1_769_860_800_123_456_789n],
    ['2026-01-31T14:00:00.1+02:00', 1_769_860_800_100_000_000n],
    ['2026-01-31T12:00:00.123456789987654321Z', 1_769_860_800_123_456_789n],
    ['2001-01-01T01:10:00Z', 978_311_400_000_000_000n],
  ])('%s is %d', (time, nanos) => expect(nanosOf(time)).toBe(nanos))

  it('keeps every digit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }), (nanos) => {
        const seconds = new Date(Number(nanos / 1_000_000_000n) * 1_000).toISOString().slice(0, 19)
        expect(nanosOf(`${seconds}.${String(nanos % 1_000_000_000n).padStart(9, '0')}Z`)).toBe(nanos)
      }),
    )
  })
})

describe('a batch', () => {
  it('is one stream for each set of labels, in the order of time', async () => {
    const { io, send } = await opened(loki, { hostPort })
    const at = (second: number, rule: string) => ({
      time: `2026-01-31T12:00:0${second}Z`,
      rule,
      output: `${rule}${second}`,
    })
    await send(noticesOf(at(3, 'a'), at(2, 'b'), at(1, 'a'), at(2, 'a')))
    expect(io.requests).toHaveLength(1)
    const found = streamsOf(io.requests[0]?.body ?? '')
    expect(found.map(({ stream, values }) => [stream.rule, values.map(([, line]) => line)])).toEqual([
      ['a', ['a1', 'a2', 'a3']],
      ['b', ['b2']],
    ])
  })

  it('keeps to 1 MiB for a request, and stops when Loki asks to', async () => {
    const answers = [{ status: 204 }, { status: 429, headers: { 'retry-after': '1' } }]
    const { io, send } = await opened(loki, { hostPort }, () => answers.shift() ?? { status: 204 })
    const notices = noticesOf(...Array.from({ length: 12 }, () => ({ output: 'x'.repeat(200_000) })))
    const failed = Array.from({ length: 7 }, (_, i) => ({ index: i + 5, permanent: false }))
    await expect(send(notices)).rejects.toMatchObject({ permanent: false, retryAfter: 1_000, failed })
    expect(io.requests).toHaveLength(2)
    for (const { body } of io.requests) expect(body.length).toBeLessThanOrEqual(1024 * 1024)
  })

  it('loses only the line that is out of order', async () => {
    const { send } = await opened(loki, { hostPort }, ({ body }) =>
      body.includes('old')
        ? { status: 400, body: 'entry with timestamp 2020 ignored, reason: entry too far behind' }
        : {},
    )
    await expect(send(noticesOf({}, { output: 'old' }, {}))).rejects.toMatchObject({
      failed: [{ index: 1, permanent: true, reason: expect.stringContaining('too far behind') as string }],
    })
  })

  it('of odd events holds every line', () => {
    const entries = oddEvents().map(({ event }) => entryOf(aNotice({ event }), { format: 'json', extraLabels: [] }))
    const { streams } = pushOf(entries)
    expect(streams.flatMap(({ values }) => values)).toHaveLength(entries.length)
  })
})

it.each([
  [{ hostPort, tenant: 'a\r\nx: y' }, /tenant: must be the id of a tenant/],
  [{ hostPort, format: 'JSON' }, /format must be one of text, json/],
  [{ hostPort, endpoint: 'loki' }, /endpoint/],
  [{ hostPort: 'http://u:p@loki:3100' }, /hostPort: must have no credentials/],
])('loki refuses %j', (config, message) => {
  expect(() => loki(config as never)).toThrow(message)
})
