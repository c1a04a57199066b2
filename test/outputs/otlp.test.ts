/** The OTLP specification 1.x, the `.proto` files of opentelemetry-proto, and what Falcosidekick sent. */
import { describe, expect, it } from 'vitest'
import { fnv128 } from '../../src/fnv.ts'
import { nanosOf } from '../../outputs/_nanos.ts'
import { otlpLogs } from '../../outputs/otlp-logs.ts'
import { otlpTraces } from '../../outputs/otlp-traces.ts'
import { type Notice, type Output, PRIORITIES, type YarakError } from '../../src/plugin.ts'
import { type Answers, aNotice, anEvent, aReport, oddEvents, testIo } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { NEVER } from './_link.ts'
import { decoded, plainAttributes, REQUESTS } from './_otlp.ts'
import { requestsFor } from './_same.ts'

const JSON_TO = { endpoint: 'http://collector:4318', protocol: 'http/json' }

type Item = Record<string, unknown>

/** The spans or the log records of an export request. */
const itemsOf = (body: unknown, group: string, inner: string, items: string): Item[] =>
  (body as Record<string, Record<string, Record<string, Item[]>[]>[]>)[group]?.flatMap((one) =>
    (one[inner] ?? []).flatMap((scope) => scope[items] ?? []),
  ) ?? []

const spansOf = (body: unknown) => itemsOf(body, 'resourceSpans', 'scopeSpans', 'spans')
const recordsOf = (body: unknown) => itemsOf(body, 'resourceLogs', 'scopeLogs', 'logRecords')

const spans = async (config: object, ...notices: Notice[]): Promise<Item[]> => {
  const requests = await requestsFor(otlpTraces, { ...JSON_TO, ...config }, ...notices)
  return requests.flatMap(({ body }) => spansOf(JSON.parse(body)))
}

const records = async (...notices: Notice[]): Promise<Item[]> => {
  const requests = await requestsFor(otlpLogs, JSON_TO, ...notices)
  return requests.flatMap(({ body }) => recordsOf(JSON.parse(body)))
}

const only = <T>(list: readonly T[]): T => {
  expect(list).toHaveLength(1)
  return list[0] as T
}

describe('trace ids', () => {
  it.each([
    // the vectors of Falcosidekick's outputs/otlp_traces_test.go
    ['my-ns:my-pod-name', '087e7ab4196a3c4801e3c23bc1406163'],
    ['42', '088094c785ab1be95aa073305569c06b'],
    ['localhost', 'b96c8fbfe005d268653aef8210412f0a'],
    // and the offset basis
    ['', '6c62272e07bb014262b821756295c58d'],
  ])('of %j', (text, id) => {
    expect(fnv128(text)).toBe(id)
  })

  it.each<[object, string]>([
    [{ 'k8s.ns.name': 'my-ns', 'k8s.pod.name': 'my-pod-name', 'container.id': '42' }, 'my-ns:my-pod-name'],
    [{ 'k8s.ns.name': 'my-ns', 'k8s.pod.name': null, 'container.id': '42', 'evt.hostname': 'localhost' }, '42'],
    [{ 'k8s.ns.name': 7, 'k8s.pod.name': 'p', 'container.id': 'host', 'evt.hostname': 'localhost' }, 'localhost'],
    [{ 'container.id': 42 }, 'node-1'],
  ])('%j is the trace of %s', async (output_fields, of) => {
    const event = anEvent({ output_fields })
    expect(only(await spans({}, aNotice({ event }))).traceId).toBe(fnv128(of))
  })

  it('are of the event alone when it names nothing', async () => {
    const event = anEvent({ output_fields: {}, hostname: null })
    expect(only(await spans({}, aNotice({ event }))).traceId).toBe(fnv128(event.id))
  })

  it('are times with nine digits beside them', () => {
    expect(nanosOf('2026-01-31T12:00:00Z')).toBe(1_769_860_800_000_000_000n)
    expect(nanosOf('2026-01-31T14:00:00.1+02:00')).toBe(1_769_860_800_100_000_000n)
    expect(nanosOf('2026-01-31T12:00:00.123456789999Z')).toBe(1_769_860_800_123_456_789n)
    expect(nanosOf('1969-12-31T23:59:59.5Z')).toBe(-500_000_000n)
  })
})

describe('what Falcosidekick sent for the same event', () => {
  const recorded = (name: string) =>
    falcosidekickSent(name).exchanges.flatMap(({ name, notice, requests: [request] }) =>
      request ? [{ name, notice, body: Buffer.from(request.body, 'base64') }] : [],
    )

  /** Null is left out, what is nested is JSON, long texts are whole, numbers are in their shortest form. */
  const isIntended = (theirs: unknown, ours: unknown): boolean =>
    theirs === '<nil>' ? ours === undefined : /^(map\[|\[)|\[\.\.\.\]/.test(String(theirs)) && typeof ours === 'string'

  it.each(recorded('otlp.traces'))('span: $name', async ({ notice, body }) => {
    const [request] = await requestsFor(otlpTraces, { endpoint: 'http://sink/otlp.traces/v1/traces' }, notice)
    expect(request?.headers['content-type']).toBe('application/x-protobuf')
    const ours = only(await spans({}, notice))
    const { spanId, flags, status, attributes: list, events, ...theirs } = only(spansOf(decoded(body, REQUESTS.traces)))
    const { spanId: ownId, links, attributes: ownList, events: ownEvents, ...own } = ours
    expect(own).toEqual(theirs)
    expect(spanId).not.toBe(ownId)
    expect([flags, status]).toEqual([0x101, {}])
    const mine = plainAttributes(ownList)
    const other = { ...plainAttributes(list), tags: notice.event.tags } // Falcosidekick sorts them
    expect(mine.uuid).toBe(notice.event.uuid ?? notice.event.id)
    for (const [key, value] of Object.entries({ ...other, uuid: mine.uuid })) {
      if (!isIntended(value, mine[key])) expect({ [key]: mine[key] }).toEqual({ [key]: value })
    }
    expect(Object.keys(other)).toEqual(expect.arrayContaining(Object.keys(mine)))
    if (!notice.event.output.includes('x'.repeat(600))) expect(ownEvents).toEqual(events)
    expect(links).toEqual([{ traceId: notice.traceparent?.slice(3, 35), spanId: notice.traceparent?.slice(36, 52) }])
  })

  it.each(recorded('otlp.logs'))('log record: $name', async ({ notice, body }) => {
    const { event } = notice
    const ours = only(await records(notice))
    const theirs = only(recordsOf(decoded(body, REQUESTS.logs)))
    expect(theirs).toMatchObject({ severityNumber: 9, severityText: 'INFO' })
    expect(ours).toMatchObject({ severityText: event.priority, timeUnixNano: String(nanosOf(event.time)) })
    if (!event.output.includes('x'.repeat(600))) expect(ours.body).toEqual(theirs.body)
    const [own, { timestamp, hostname, ...other }] = [
      plainAttributes(ours.attributes),
      plainAttributes(theirs.attributes),
    ]
    expect(own).toMatchObject({ ...other, tags: event.tags.join(',') }) // Falcosidekick sorts them
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:/)
    expect(own.timestamp).toBe(event.time)
    expect(own.hostname ?? '').toBe(hostname)
  })

  it('has the same resource', async () => {
    for (const [name, output, table] of [
      ['otlp.traces', otlpTraces, REQUESTS.traces],
      ['otlp.logs', otlpLogs, REQUESTS.logs],
    ] as const) {
      const { notice, body } = recorded(name)[0] ?? expect.fail('nothing was recorded')
      const [request] = await requestsFor(output, JSON_TO, notice)
      const group = (one: unknown) => Object.values(one as Record<string, Item[]>)[0]?.[0] ?? {}
      const { resource, schemaUrl } = group(decoded(body, table))
      expect(group(JSON.parse(request?.body ?? ''))).toMatchObject({ resource, schemaUrl })
    }
  })
})

describe('spans', () => {
  it('last as long as is set', async () => {
    const { startTimeUnixNano, endTimeUnixNano } = only(await spans({ duration: '250ms' }, aNotice()))
    expect(BigInt(String(endTimeUnixNano)) - BigInt(String(startTimeUnixNano))).toBe(250_000_000n)
  })

  it('have the same id when they are sent again, and another for each notice', async () => {
    const [first, again, other] = await spans({}, aNotice(), aNotice(), aNotice({ id: 'x' }))
    expect(again?.spanId).toBe(first?.spanId)
    expect(other?.spanId).not.toBe(first?.spanId)
    expect(first?.spanId).toMatch(/^(?!0+$)[0-9a-f]{16}$/)
  })

  it('have no link when nothing is traced', async () => {
    const { traceparent: _, ...notice } = aNotice()
    expect(only(await spans({}, notice))).not.toHaveProperty('links')
  })

  it('take no field for a member of the event', async () => {
    const event = anEvent({ output_fields: { rule: 'mine', uuid: 'mine', tags: 'mine' } })
    const { uuid, rule, tags } = plainAttributes(only(await spans({}, aNotice({ event }))).attributes)
    expect({ uuid, rule, tags }).toEqual({ uuid: event.id, rule: event.rule, tags: event.tags })
  })

  it('tell of a response', async () => {
    const steps = aReport().steps.map((step) => ({ ...step, undoable: true }))
    const report = aReport({ outcome: 'failed', steps })
    const span = only(await spans({}, aNotice({ report, traceUrl: 'https://jaeger/trace/4bf9' })))
    expect(span).toMatchObject({
      traceId: fnv128('default:web-1'),
      name: 'response Shell in a container',
      kind: 1,
      startTimeUnixNano: '1769860800200000000',
      endTimeUnixNano: '1769860800242000000',
      status: { code: 2, message: 'failed' },
    })
    expect(plainAttributes(span.attributes)).toEqual({
      rule: 'Shell in a container',
      outcome: 'failed',
      mode: 'enforce',
      target: 'pod/default/web-1',
      response: '7d0f4a2c9b1e',
      event: anEvent().id,
      event_rule: 'Terminal shell in container',
      trace: '4bf92f3577b34da6a3ce929d0e0e4736',
      trace_url: 'https://jaeger/trace/4bf9',
      undo: 'yarak responses undo 7d0f4a2c9b1e',
    })
    expect((span.events as Item[]).map(({ name }) => name)).toEqual([
      'kubernetes:label: succeeded, labelled default/web-1',
      'kubernetes:terminate: succeeded',
    ])
    expect(only(await spans({}, aNotice({ report: aReport() })))).not.toHaveProperty('status')
  })
})

describe('log records', () => {
  it('have the severity of the priority', async () => {
    const notices = PRIORITIES.map((priority) => aNotice({ event: anEvent({ priority }) }))
    const found = (await records(...notices)).map(({ severityText, severityNumber }) => [severityText, severityNumber])
    expect(Object.fromEntries(found)).toEqual({
      Emergency: 21,
      Alert: 19,
      Critical: 18,
      Error: 17,
      Warning: 13,
      Notice: 10,
      Informational: 9,
      Debug: 5,
    })
  })

  it('have the fields with their types, the place in the trace, and how many alerts they are', async () => {
    const output_fields = {
      text: 'a',
      number: 1.5,
      big: 1_769_860_800_123_456_789n,
      yes: true,
      none: null,
      list: ['a', 1],
    }
    const digest = { count: 7, first: '2026-01-31T12:00:00Z', last: '2026-01-31T12:01:00Z' }
    const record = only(await records(aNotice({ event: anEvent({ output_fields }), digest })))
    expect(record).toMatchObject({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      flags: 1,
    })
    expect(record.attributes).toEqual(
      expect.arrayContaining([
        { key: 'number', value: { doubleValue: 1.5 } },
        { key: 'big', value: { intValue: '1769860800123456789' } },
        { key: 'yes', value: { boolValue: true } },
        { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: '1' }] } } },
        { key: 'alerts', value: { intValue: '7' } },
      ]),
    )
    expect(plainAttributes(record.attributes)).not.toHaveProperty('none')
    const own = { alerts: 'mine', hostname: 'mine', priority: 'mine' }
    const named = only(await records(aNotice({ event: anEvent({ output_fields: own, hostname: null }) })))
    expect(plainAttributes(named.attributes)).toMatchObject({ ...own, priority: 'Notice' })
    const { traceparent: _, ...untraced } = aNotice()
    expect(only(await records(untraced))).not.toHaveProperty('traceId')
  })

  it('tell of a response', async () => {
    const record = only(await records(aNotice({ report: aReport({ outcome: 'refused' }) })))
    expect(record).toMatchObject({
      severityNumber: 13,
      severityText: 'refused',
      timeUnixNano: '1769860800200000000',
      body: {
        stringValue:
          '[refused] Shell in a container\nkubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
      },
    })
    expect(plainAttributes(record.attributes)).toMatchObject({
      response: '7d0f4a2c9b1e',
      target: 'pod/default/web-1',
      duration: '42 ms',
      steps: ['kubernetes:label', 'kubernetes:terminate'],
    })
  })
})

describe.each<[string, Output, string]>([
  ['traces', otlpTraces, 'rejectedSpans'],
  ['logs', otlpLogs, 'rejectedLogRecords'],
])('the request with %s', (signal, output, rejected) => {
  it.each([
    ['http://collector:4318', `http://collector:4318/v1/${signal}`],
    ['https://collector:4318/', `https://collector:4318/v1/${signal}`],
    ['https://vendor.example/otlp/v1/x', 'https://vendor.example/otlp/v1/x'],
  ])('goes for %s to %s', async (endpoint, url) => {
    expect(only(await requestsFor(output, { endpoint }, aNotice())).url).toBe(url)
  })

  it('is shown as JSON, whatever it is sent as', () => {
    const shown = output.preview?.(aNotice(), output.config.parse({ endpoint: JSON_TO.endpoint }))
    expect(signal === 'traces' ? spansOf(shown) : recordsOf(shown)).toHaveLength(1)
  })

  it('is one for many notices, in both forms the same', async () => {
    const notices = oddEvents().map(({ event }, i) => aNotice({ id: `notice-${i}`, event }))
    const bodies: Uint8Array[] = []
    const io = testIo()
    const http: typeof io.http = async (request) => {
      bodies.push(request.body as Uint8Array)
      return { status: 200, headers: {}, body: '' }
    }
    const sender = await output.open(output.config.parse({ endpoint: JSON_TO.endpoint }), { ...io, http })
    await sender.send(notices, NEVER)
    const table = signal === 'traces' ? REQUESTS.traces : REQUESTS.logs
    const binary = decoded(Buffer.from(only(bodies)), table)
    const text = JSON.parse(only(await requestsFor(output, JSON_TO, ...notices)).body) as unknown
    const list = signal === 'traces' ? spansOf : recordsOf
    expect(list(binary)).toHaveLength(notices.length)
    expect(list(binary).map(({ attributes: one }) => plainAttributes(one))).toEqual(
      list(text).map(({ attributes: one }) => plainAttributes(one)),
    )
  })

  const sendTo = async (answer: Answers, protocol: string, count = 1): Promise<YarakError> => {
    const sender = await output.open(output.config.parse({ ...JSON_TO, protocol }), testIo({ answer }))
    const notices = Array.from({ length: count }, (_, i) => aNotice({ id: `notice-${i}` }))
    return sender.send(notices, NEVER).then(
      () => expect.fail('it was taken'),
      (error: unknown) => error as YarakError,
    )
  }
  const partly = { body: { partialSuccess: { [rejected]: '1', errorMessage: 'too old' } } }

  it('fails for good when the receiver says that it refused it', async () => {
    for (const error of [
      await sendTo(partly, 'http/json'),
      await sendTo({ body: '\n\x0b\x08\x01\x12\x07too old' }, 'http/protobuf'),
    ]) {
      expect(error).toMatchObject({ code: 'failed', permanent: true, reason: '422' })
      expect(error.message).toBe('http://collector:4318 refused a part: too old')
    }
    expect((await sendTo({ body: '\n\x02\x08\x01' }, 'http/protobuf')).message).toMatch(/refused a part$/)
  })

  it('is taken apart when a part of it is refused', async () => {
    let requests = 0
    const answer: Answers = () => (requests++ === 0 || requests === 3 ? partly : {})
    const { failed } = await sendTo(answer, 'http/json', 3)
    expect(failed).toEqual([{ index: 1, permanent: true, reason: 'http://collector:4318 refused a part: too old' }])
  })

  it.each([
    ['http/json', { body: {} }],
    ['http/json', { body: { partialSuccess: { errorMessage: 'a warning' } } }],
    ['http/json', { headers: { 'content-type': 'application/json' }, body: 'not JSON' }],
    ['http/json', { headers: { 'content-type': 'application/json' }, body: 'null' }],
    ['http/protobuf', { body: '' }],
    ['http/protobuf', { body: '\n\x09\x12\x07warning' }],
    ['http/protobuf', { body: 'OK' }],
  ])('is taken when the receiver answers %s %j', async (protocol, answer) => {
    const sender = await output.open(output.config.parse({ ...JSON_TO, protocol }), testIo({ answer }))
    await sender.send([aNotice()], NEVER)
  })

  it.each([
    [{ endpoint: 'collector:4318' }, /endpoint: must be an http or https address/],
    [{ endpoint: 'http://u:p@collector' }, /must have no credentials/],
    [{ ...JSON_TO, protocol: 'grpc' }, /protocol must be one of http\/protobuf, http\/json/],
    [{ ...JSON_TO, synced: true }, /synced is not a known setting/],
    [{}, /endpoint is required/],
  ])('refuses %j', (config, message) => {
    expect(() => (output as unknown as (config: object) => unknown)(config)).toThrow(message)
  })
})
