/** Outputs that send the whole event to a store of documents: Quickwit, OpenObserve, ZincSearch, Splunk. */
import { describe, expect, it } from 'vitest'
import { openobserve } from '../../outputs/openobserve.ts'
import { quickwit } from '../../outputs/quickwit.ts'
import { splunk } from '../../outputs/splunk.ts'
import { zincsearch } from '../../outputs/zincsearch.ts'
import { aNotice, aReport } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { noticesOf, opened, requestFor } from './_logs.ts'
import { expectSame, expectSameEvent } from './_same.ts'

const LINES = { 'content-type': 'application/x-ndjson' }

/** The lines of a body, parsed. */
const linesOf = (body: string): { rule: string }[] => {
  expect(body.endsWith('\n')).toBe(true)
  return body
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as { rule: string })
}

describe('quickwit', () => {
  const hostPort = 'http://quickwit:7280'
  const url = `${hostPort}/api/v1/falco/ingest`

  it('sends what Falcosidekick sends, as a line', () =>
    expectSame({ name: 'quickwit', output: quickwit, settings: { hostPort }, url, headers: () => LINES }))

  it.each(['/api/v1', 'api/v1/', '/api/v1/'])('takes the documented path %s', async (apiEndpoint) => {
    expect((await requestFor(quickwit, { hostPort: `${hostPort}/`, apiEndpoint }, aNotice())).url).toBe(url)
  })

  it('sends many lines in one request', async () => {
    const { io, send } = await opened(quickwit, { hostPort }, { body: { num_docs_for_processing: 3 } })
    await send(noticesOf({ rule: 'a\nb' }, { rule: 'b' }, { rule: 'c' }))
    expect(io.requests).toHaveLength(1)
    expect(linesOf(io.requests[0]?.body ?? '').map(({ rule }) => rule)).toEqual(['a\nb', 'b', 'c'])
  })

  // "Ingest API", quickwit.io/docs: num_rejected_docs since 0.9, 413 over 10 MiB
  it('sends each document alone when some were rejected, and tells which one it is', async () => {
    const { io, send } = await opened(quickwit, { hostPort }, ({ body }) => ({
      body: { num_rejected_docs: body.includes('"bad"') ? 1 : 0 },
    }))
    await expect(send(noticesOf({ rule: 'a' }, { rule: 'bad' }, { rule: 'c' }))).rejects.toMatchObject({
      failed: [{ index: 1, permanent: true, reason: 'Quickwit rejected 1 documents' }],
    })
    expect(io.requests).toHaveLength(4)
  })

  it('halves nothing, but sends one by one what is too large together', async () => {
    const { io, send } = await opened(quickwit, { hostPort }, ({ body }) => ({
      status: linesOf(body).length > 1 ? 413 : 200,
    }))
    await send(noticesOf({}, {}))
    expect(io.requests).toHaveLength(3)
  })

  describe('asked to make the index', () => {
    const settings = { hostPort, autoCreateIndex: true, index: 'events', version: '0.9' }
    const answering = (...answers: { status: number; body?: string }[]) =>
      opened(quickwit, settings, () => answers.shift() ?? { status: 200 })
    const seen = ({ io }: Awaited<ReturnType<typeof answering>>) =>
      io.requests.map(({ method, url }) => `${method} ${url.replace(hostPort, '')}`)

    it('looks for it once', async () => {
      const one = await answering()
      await one.send(noticesOf({}))
      await one.send(noticesOf({}))
      const ingest = 'POST /api/v1/events/ingest'
      expect(seen(one)).toEqual(['GET /api/v1/indexes/events/describe', ingest, ingest])
    })

    it('makes it with the mapping of an event', async () => {
      const one = await answering({ status: 404 })
      await one.send(noticesOf({}))
      expect(seen(one)[1]).toBe('POST /api/v1/indexes')
      expect(JSON.parse(one.io.requests[1]?.body ?? '')).toMatchObject({
        index_id: 'events',
        version: '0.9',
        search_settings: { default_search_fields: ['rule', 'source', 'output', 'priority', 'hostname', 'tags'] },
        doc_mapping: {
          mode: 'dynamic',
          store_source: true,
          timestamp_field: 'time',
          dynamic_mapping: { expand_dots: true, tokenizer: 'raw', record: 'basic' },
          field_mappings: [
            { name: 'time', type: 'datetime', fast: true },
            { name: 'uuid', type: 'text', fast: true },
            { name: 'hostname', type: 'text', fast: true },
            { name: 'priority', type: 'text', fast: true },
            { name: 'source', type: 'text', fast: true },
            { name: 'rule', type: 'text', fast: true },
            { name: 'output', type: 'text', fast: false },
            { name: 'tags', type: 'array<text>', fast: true },
            { name: 'output_fields', type: 'json', fast: true },
          ],
        },
      })
    })

    it('takes it that somebody else made it in between', async () => {
      const one = await answering({ status: 404 }, { status: 400, body: '{"message":"index `events` already exists"}' })
      await one.send(noticesOf({}))
      expect(seen(one)).toHaveLength(3)
    })

    it('keeps the documents until it could be made', async () => {
      const one = await answering({ status: 404 }, { status: 400, body: 'unknown version' }, { status: 503 })
      await expect(one.send(noticesOf({}))).rejects.toMatchObject({ reason: 'no-index', permanent: false })
      await expect(one.send(noticesOf({}))).rejects.toMatchObject({ reason: '503', permanent: false })
      await one.send(noticesOf({}))
      expect(seen(one).at(-1)).toBe('POST /api/v1/events/ingest')
    })
  })

  it.each([
    [{ index: '1' }, /index: must be the id of an index/],
    [{ index: '../x' }, /index: must be the id of an index/],
    [{ hostPort: 'quickwit:7280' }, /hostPort: must be an http or https address/],
  ])('refuses %j', (more, message) => {
    expect(() => quickwit({ hostPort, ...more })).toThrow(message)
  })
})

describe('openobserve', () => {
  const hostPort = 'http://openobserve:5080'
  const settings = { hostPort, organizationName: 'org', streamName: 's1', username: 'u', password: 'p' }

  it('sends what Falcosidekick sends, as a line', () =>
    expectSame({
      ...{ name: 'openobserve', output: openobserve, settings, url: `${hostPort}/api/org/s1/_multi` },
      headers: () => LINES,
    }))

  it('sends no credentials unless there are both, and escapes names', async () => {
    const names = { hostPort, organizationName: 'a/b', streamName: 'c d', username: 'u' }
    const { url, headers } = await requestFor(openobserve, names, aNotice())
    expect(url).toBe(`${hostPort}/api/a%2Fb/c%20d/_multi`)
    expect(headers).not.toHaveProperty('authorization')
  })

  // "Multi", openobserve.ai/docs/reference/api/ingestion/logs/multi
  it('finds the record that was refused in an answer of 200', async () => {
    const { send } = await opened(openobserve, settings, ({ body }) => {
      const failed = body.includes('"bad"') ? 1 : 0
      return { body: { code: 200, status: [{ name: 's1', successful: 2, failed, error: 'Too old data' }] } }
    })
    await expect(send(noticesOf({ rule: 'a' }, { rule: 'bad' }))).rejects.toMatchObject({
      failed: [{ index: 1, permanent: true, reason: 'OpenObserve did not take 1 records: Too old data' }],
    })
    await send(noticesOf({ rule: 'a' }, { rule: 'b' }))
  })

  it.each(['', 'ok', 'null', '{"status":"ok"}', '[]'])('takes the answer %j for success', async (body) => {
    const { io, send } = await opened(openobserve, settings, { body })
    await send(noticesOf({}, {}))
    expect(io.requests).toHaveLength(1)
  })
})

describe('zincsearch', () => {
  const hostPort = 'http://zincsearch:4080'

  it('sends what Falcosidekick sends', () =>
    expectSame({
      ...{ name: 'zincsearch', output: zincsearch, settings: { hostPort, username: 'u', password: 'p' } },
      url: `${hostPort}/api/falco/_doc`,
    }))

  it('escapes the name of the index, and adds what was done to a report', async () => {
    const notice = aNotice({ report: aReport(), traceUrl: 'https://jaeger.example/4bf9' })
    const { url, body } = await requestFor(zincsearch, { hostPort, index: 'a b' }, notice)
    expect(url).toBe(`${hostPort}/api/a%20b/_doc`)
    expect(JSON.parse(body)).toMatchObject({
      response: { outcome: 'succeeded' },
      trace_url: 'https://jaeger.example/4bf9',
    })
  })
})

describe('splunk', () => {
  const host = 'https://splunk.example.com:8088/services/collector/event'
  const settings = { host, token: 'secret-token' }

  it.each(falcosidekickSent('splunk').exchanges)(
    'sends what Falcosidekick sends: $name',
    async ({ notice, requests }) => {
      const { body, headers, url, method } = await requestFor(splunk, settings, notice)
      const [theirs] = requests
      expect({ url, method }).toEqual({ url: host, method: theirs?.method })
      expect(headers).toMatchObject(theirs?.headers ?? {})
      // difference: the time of the event
      const { time, ...rest } = JSON.parse(body) as { time: number }
      expect(time).toBe(Date.parse(notice.event.time) / 1_000)
      expect(Object.keys(rest)).toEqual(['event', 'sourcetype'])
      expectSameEvent(body.replace(/,"time":[\d.]+\}$/, '}'), theirs?.body ?? '')
    },
  )

  // "Format events for HTTP Event Collector", docs.splunk.com: a batch is JSON objects one after another
  it('sends a batch as objects one after another', async () => {
    const { io, send } = await opened(splunk, { host, sourceType: 'yarak' })
    await send(noticesOf({ rule: 'a' }, { rule: 'b\n}{' }))
    const [request] = io.requests
    expect(linesOf(`${request?.body}\n`)).toMatchObject([
      { event: { rule: 'a' }, sourcetype: 'yarak', time: 1_769_860_800.123 },
      { event: { rule: 'b\n}{' }, sourcetype: 'yarak' },
    ])
    expect(request?.headers).not.toHaveProperty('authorization')
  })

  it('gives a report the time when the response began', async () => {
    const { body } = await requestFor(splunk, settings, aNotice({ report: aReport() }))
    expect(JSON.parse(body)).toMatchObject({ time: 1_769_860_800.2, event: { response: { outcome: 'succeeded' } } })
  })

  // "Troubleshoot HTTP Event Collector", docs.splunk.com: codes of answers
  it.each([
    [503, 9, 'Server is busy', false],
    [500, 8, 'Internal server error', false],
    [400, 6, 'Invalid data format', true],
    [400, 12, 'Event field is required', true],
    [403, 4, 'Invalid token', true],
  ])('after %i with code %i, %s', async (status, code, text, permanent) => {
    const { send } = await opened(splunk, settings, { status, body: { text, code } })
    await expect(send(noticesOf({}))).rejects.toMatchObject({ permanent, reason: String(status) })
  })

  it('tries each event alone when a batch is refused', async () => {
    const { send } = await opened(splunk, settings, ({ body }) => (body.includes('"bad"') ? { status: 400 } : {}))
    await expect(send(noticesOf({ rule: 'a' }, { rule: 'bad' }, { rule: 'c' }))).rejects.toMatchObject({
      failed: [{ index: 1, permanent: true }],
    })
  })
})
