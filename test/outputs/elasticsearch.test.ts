/**
 * Elastic's reference: "Bulk API", https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk; "Create or
 * update an index template"; "Dynamic templates".
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fieldIn, without } from '../../outputs/_elastic-document.ts'
import { elasticsearch } from '../../outputs/elasticsearch.ts'
import { opensearch } from '../../outputs/opensearch.ts'
import { createGateway } from '../../src/index.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { fakeElastic } from './_fake-elastic.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { noticesOf, opened, requestFor } from './_logs.ts'
import { expectSame, expectSameEvent } from './_same.ts'

const hostPort = 'http://elasticsearch:9200'
const docs = (texts: readonly string[]) => texts.map((text) => ({ output_fields: { 'proc.pid': text } }))
const single = { hostPort, batching: { enabled: false } }

describe('elasticsearch, as Falcosidekick sends it', () => {
  it('a single document', async () => {
    const settings = { ...single, suffix: 'none', pipeline: 'p1', username: 'u', password: 'p' }
    const url = `${hostPort}/falco/_doc?pipeline=p1`
    await expectSame({ name: 'elasticsearch', output: elasticsearch, settings, url })
  })

  it.each(falcosidekickSent('elasticsearch-bulk').exchanges)('a batch: $name', async ({ notice, requests }) => {
    const config = { hostPort, suffix: 'none', flattenFields: true, apiKey: 'secret-key' }
    const ours = await requestFor(elasticsearch, config, notice, { body: { errors: false, items: [] } })
    const [theirs] = requests
    expect(ours.url).toBe(hostPort + theirs?.path)
    const [action = '', doc = '', end] = ours.body.split('\n')
    const [theirAction, theirDoc = '', theirEnd] = theirs?.body.split('\n') ?? []
    // differences: the document has an id, the scheme is spelled as documented, the content type is that of lines
    expect(JSON.parse(action)).toEqual({ create: { _index: 'falco', _id: notice.id } })
    expect(theirAction).toBe('{"create":{"_index":"falco"}}')
    expect(ours.headers).toMatchObject({ authorization: 'ApiKey secret-key', 'content-type': 'application/x-ndjson' })
    expectSameEvent(doc, theirDoc)
    expect([end, theirEnd]).toEqual(['', ''])
  })
})

describe.each([elasticsearch, opensearch])('$type', (output) => {
  it('indexes a batch in one request, by the date of each event in UTC', async () => {
    const server = fakeElastic()
    const { io, send } = await opened(output, { hostPort }, server.answer)
    await send(
      noticesOf(
        { time: '2026-01-31T23:59:59.9Z' },
        { time: '2026-02-01T01:00:00+02:00' },
        { time: '2026-02-01T00:00:00Z' },
      ),
    )
    expect(io.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([`POST ${hostPort}/_bulk`])
    expect([...server.docs.keys()]).toEqual(['falco-2026.01.31/n0', 'falco-2026.01.31/n1', 'falco-2026.02.01/n2'])
    expect(server.docs.get('falco-2026.01.31/n1')).toMatchObject({ '@timestamp': '2026-02-01T01:00:00+02:00' })
  })

  it.each([
    ['daily', 'logs-2026.01.31'],
    ['monthly', 'logs-2026.01'],
    ['annually', 'logs-2026'],
    ['none', 'logs'],
  ])('names the index with suffix %s', async (suffix, name) => {
    const server = fakeElastic()
    await (await opened(output, { hostPort, index: 'logs', suffix }, server.answer)).send(noticesOf({}))
    expect([...server.docs.keys()]).toEqual([`${name}/n0`])
  })

  it('counts a document as delivered that an earlier try has indexed', async () => {
    const server = fakeElastic()
    const { send } = await opened(output, { hostPort }, server.answer)
    await send(noticesOf({}, {}))
    await send(noticesOf({}, {}, {}))
    expect(server.docs.size).toBe(3)
  })

  it('tells which documents to send again, and which never', async () => {
    const server = fakeElastic({ statuses: [undefined, 429, 400, 503, 403, 404] })
    const { send } = await opened(output, { hostPort }, server.answer)
    await expect(send(noticesOf({}, {}, {}, {}, {}, {}))).rejects.toMatchObject({
      code: 'failed',
      permanent: false,
      reason: '429',
      failed: [
        { index: 1, permanent: false, reason: '429' },
        { index: 2, permanent: true, reason: '400 es_rejected_execution_exception: status 400' },
        { index: 3, permanent: false, reason: '503' },
        { index: 4, permanent: false, reason: '403' },
        { index: 5, permanent: true, reason: '404 es_rejected_execution_exception: status 404' },
      ],
    })
    expect([...server.docs.keys()]).toEqual(['falco-2026.01.31/n0'])
  })

  it.each([
    ['of 8.x', {}],
    [
      'of 7.x and OpenSearch',
      {
        type: 'mapper_parsing_exception',
        reason: (field: string, id: string) =>
          `failed to parse field [output_fields.${field}] of type [long] in document with id '${id}'. ` +
          `Preview of field's value: '[output_fields.user.name] '`,
      },
    ],
    [
      'about an object',
      { reason: (field: string) => `object mapping for [output_fields.${field}] tried to parse field [pid] as object` },
    ],
  ])('sends a document again without the field that does not fit, in words %s', async (_name, words) => {
    const server = fakeElastic({ numbers: ['proc.pid', 'fd.num'], ...words })
    const { io, send } = await opened(output, { hostPort }, server.answer)
    const fields = { 'proc.pid': 'x', 'proc.pid2': 'kept', 'fd.num': 'y', 'user.name': 'root' }
    await send(noticesOf({ output_fields: { 'proc.pid': 1 } }, { output_fields: fields }))
    expect(server.docs.get('falco-2026.01.31/n1')).toMatchObject({
      '@timestamp': '2026-01-31T12:00:00.123456789Z',
      output_fields: { 'proc.pid2': 'kept', 'user.name': 'root' },
    })
    expect(server.docs.size).toBe(2)
    expect(io.requests).toHaveLength(3)
    expect(io.lines.map(({ fields }) => fields.field)).toEqual(['proc.pid', 'fd.num'])
  })

  it('keeps names flat in that second try, and gives up on a field that is not there', async () => {
    const flat = fakeElastic({ numbers: ['proc_pid'] })
    const config = { hostPort, flattenFields: true }
    await (await opened(output, config, flat.answer)).send(noticesOf({ output_fields: { 'proc.pid': 'x', 'a.b': 1 } }))
    expect(flat.docs.get('falco-2026.01.31/n0')).toMatchObject({ output_fields: { a_b: 1 } })
    const other = fakeElastic({ numbers: ['proc.pid'], reason: () => 'failed to parse field [output_fields.zzz] of' })
    const { io, send } = await opened(output, { hostPort }, other.answer)
    await expect(send(noticesOf(...docs(['x'])))).rejects.toMatchObject({ permanent: true, reason: 'rejected' })
    expect(io.requests).toHaveLength(1)
  })

  it('drops five fields at most', async () => {
    const numbers = ['a', 'b', 'c', 'd', 'e', 'f']
    const server = fakeElastic({ numbers })
    const { io, send } = await opened(output, { hostPort }, server.answer)
    const output_fields = Object.fromEntries(numbers.map((name) => [name, 'x']))
    await expect(send(noticesOf({ output_fields }))).rejects.toMatchObject({ failed: [{ index: 0, permanent: true }] })
    expect(io.requests).toHaveLength(6)
  })

  it('keeps to the size of a request, and cuts a request that is too large all the same', async () => {
    const server = fakeElastic()
    const sizes: number[] = []
    const { send } = await opened(output, { hostPort, batching: { batchSize: '64KiB' } }, (request) => {
      sizes.push(request.body.length)
      const count = request.body.split('\n').length / 2
      return count > 20 ? { status: 413 } : server.answer(request)
    })
    await send(noticesOf(...docs(Array.from({ length: 300 }, () => 'x'))))
    expect(server.docs.size).toBe(300)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(64 * 1024)
  })

  it('stops at a server that is down, and loses none of the rest', async () => {
    const server = fakeElastic()
    const answers = [server.answer, () => ({ status: 503, headers: { 'retry-after': '3' } })]
    const { io, send } = await opened(output, { hostPort, batching: { batchSize: 1 } }, (request) =>
      (answers.shift() ?? (() => ({ status: 200 })))(request),
    )
    const failure = { permanent: false, retryAfter: 3_000, failed: [{ index: 1 }, { index: 2 }] }
    await expect(send(noticesOf({}, {}, {}))).rejects.toMatchObject(failure)
    expect(io.requests).toHaveLength(2)
  })

  it('takes no answer for success that is none of _bulk', async () => {
    const { send } = await opened(output, { hostPort }, { body: '<html>Please log in</html>' })
    await expect(send(noticesOf({}))).rejects.toMatchObject({ permanent: false, reason: 'bad-answer' })
    const short = await opened(output, { hostPort }, { body: { errors: true, items: [{ create: { status: 201 } }] } })
    await expect(short.send(noticesOf({}, {}))).rejects.toMatchObject({ reason: 'bad-answer' })
  })
})

describe('elasticsearch, one by one', () => {
  it('sends each document alone, and again without a field', async () => {
    const server = fakeElastic({ numbers: ['proc.pid'] })
    const { io, send } = await opened(elasticsearch, { ...single, type: 'event' }, server.answer)
    await send(noticesOf(...docs(['x', '1'])))
    expect(new Set(io.requests.map(({ url }) => url))).toEqual(new Set([`${hostPort}/falco-2026.01.31/event`]))
    expect([...server.docs.values()].map(({ output_fields }) => output_fields)).toEqual([{}, { 'proc.pid': '1' }])
  })

  it('does not count a refused document as delivered', async () => {
    const refusals = [
      { status: 400, body: { error: { type: 'illegal_argument_exception', reason: 'Limit of total fields' } } },
      {},
    ]
    const { send } = await opened(elasticsearch, single, () => refusals.shift() ?? {})
    await expect(send(noticesOf({}, {}))).rejects.toMatchObject({
      permanent: true,
      failed: [{ index: 0, permanent: true, reason: '400 illegal_argument_exception: Limit of total fields' }],
    })
  })
})

describe('the settings of elasticsearch', () => {
  const config = (more: object) => elasticsearch.config.parse({ hostPort, ...more })

  it('has an index template made once, and then flat names', async () => {
    const server = fakeElastic()
    const { io, send } = await opened(
      elasticsearch,
      { hostPort, createIndexTemplate: true, numberOfReplicas: 0 },
      server.answer,
    )
    await send(noticesOf({}))
    await send(noticesOf({ time: '2026-02-01T00:00:00Z' }))
    expect(io.requests.map(({ method }) => method)).toEqual(['GET', 'PUT', 'POST', 'POST'])
    expect(server.templates.get('falco')).toMatchObject({
      index_patterns: ['falco-*'],
      template: {
        settings: { number_of_shards: 3, number_of_replicas: 0 },
        mappings: {
          date_detection: false,
          properties: {
            '@timestamp': { type: 'date' },
            output: { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 2_048 } } },
            rule: { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 256 } } },
          },
        },
      },
    })
    expect([...server.docs.values()][0]).toMatchObject({ output_fields: { proc_pid: 4_711 } })
    const again = await opened(elasticsearch, { hostPort, createIndexTemplate: true }, server.answer)
    await again.send(noticesOf({ time: '2026-03-01T00:00:00Z' }))
    expect(again.io.requests.map(({ method }) => method)).toEqual(['GET', 'POST'])
  })

  it('waits for the template while the server is away, and does without where it may not make one', async () => {
    const server = fakeElastic()
    const answers = [{ status: 503 }, { status: 404 }, { status: 403, body: 'no' }]
    const setup = { hostPort, createIndexTemplate: true, index: 'x', suffix: 'none' }
    const { io, send } = await opened(elasticsearch, setup, (request) => answers.shift() ?? server.answer(request))
    await expect(send(noticesOf({}))).rejects.toMatchObject({ permanent: false })
    await send(noticesOf({}))
    expect(server.docs.size).toBe(1)
    expect(io.lines.map(({ message }) => message)).toEqual(['the index template was not made'])
  })

  it('prefers the user to the API key, and escapes the pipeline', async () => {
    const all = { hostPort: `${hostPort}/es/`, apiKey: 'k', username: 'u', password: 'p', pipeline: 'a&b' }
    const request = await requestFor(elasticsearch, all, aNotice(), { body: { errors: false } })
    expect(request.url).toBe(`${hostPort}/es/_bulk?pipeline=a%26b`)
    expect(request.headers.authorization).toBe('Basic dTpw')
  })

  it('compresses what it sends', async () => {
    const config = { hostPort, enableCompression: true }
    const { headers } = await requestFor(elasticsearch, config, aNotice(), { body: { errors: false } })
    expect(headers['content-encoding']).toBe('gzip')
  })

  it.each([
    [{ enabled: false }, ['/falco/_doc', '/falco/_doc', '/falco/_doc']],
    [{ flushInterval: '500ms' }, ['/_bulk']],
  ])('with batching %j a gateway sends as many requests as it should', async (batching, paths) => {
    const seen: string[] = []
    const server = createServer((request, response) => {
      seen.push(request.url ?? '')
      request.resume().on('end', () => response.end('{"errors":false}'))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const output = elasticsearch({ hostPort: `http://127.0.0.1:${port}`, suffix: 'none', batching })
    const gateway = createGateway({ outputs: [output] })
    for (let i = 0; i < 3; i++) await gateway.emit(anEvent().toJSON())
    await gateway.stop()
    server.close()
    expect(seen).toEqual(paths)
  })

  it('says how long and how many documents wait', () => {
    expect(elasticsearch.batching?.(config({}))).toEqual({ batch: 500, linger: 1_000 })
    expect(elasticsearch.batching?.(config({ batching: { flushInterval: '5s' } }))).toEqual({
      batch: 500,
      linger: 5_000,
    })
    expect(elasticsearch.batching?.(config({ batching: { enabled: false } }))).toEqual({ batch: 1, linger: 0 })
    expect(config({})).toMatchObject({ batching: { enabled: true, batchSize: 5_242_880 }, numberOfShards: 3 })
  })

  it.each([
    [{ index: 'Falco' }, /index: must be the name of an index/],
    [{ index: 'a/b' }, /index: must be/],
    [{ index: '.security' }, /index: must be/],
    [{ suffix: 'weekly' }, /suffix must be one of daily, monthly, annually, none/],
    [{ hostPort: 'http://u:p@e:9200' }, /hostPort: must have no credentials/],
    [{ numberOfShards: 0 }, /numberOfShards/],
    [{ batching: { flushinterval: '1s' } }, /flushinterval is not a known setting/],
  ])('refuses %j', (more, message) => {
    expect(() => elasticsearch({ hostPort, ...more } as never)).toThrow(message)
  })
})

describe('the document', () => {
  it('of a report is of the time when the response began, and links to its trace', async () => {
    const server = fakeElastic()
    const { send } = await opened(elasticsearch, { hostPort }, server.answer)
    const notice = aNotice({ id: 'r', report: aReport(), traceUrl: 'https://jaeger.example/trace/4bf9' })
    await send([notice])
    expect(server.docs.get('falco-2026.01.31/r')).toMatchObject({
      '@timestamp': '2026-01-31T12:00:00.200Z',
      time: '2026-01-31T12:00:00.123456789Z',
      response: { outcome: 'succeeded', duration: 42 },
      trace_url: 'https://jaeger.example/trace/4bf9',
    })
  })

  it.each([
    ['failed to parse field [output_fields.proc.aname[2]] of type [long]', 'proc.aname[2]'],
    ['object mapping for [output_fields.fd] tried to parse field [fd]', 'fd'],
    ['mapper [output_fields.a.b] cannot be changed from type [long] to [text]', 'a.b'],
    ['Could not add mapping for [output_fields.a.b]. Existing', 'a.b'],
    ['failed to parse field [hostname] of type [ip]', undefined],
    ['', undefined],
  ])('%s names %s', (reason, field) => expect(fieldIn(reason)).toBe(field))

  it('loses a field, those below it, and one that holds it; others with a like name stay', () => {
    const doc = (fields: object) => ({ id: '', index: '', members: { output_fields: { ...fields } } })
    const left = (fields: object, field: string) => without(doc(fields), field)?.members.output_fields
    expect(left({ 'a.b': 1, 'a.bc': 1, 'a.b.c': 1 }, 'a.b')).toEqual({ 'a.bc': 1 })
    expect(left({ 'ka.req': { a: 1 }, ka: 1, x: 1 }, 'ka.req.a')).toEqual({ x: 1 })
    expect(left({ x: 1 }, 'y')).toBeUndefined()
  })

  it('stays two lines of JSON whatever the event says', async () => {
    const text = fc.string({
      unit: fc.constantFrom('\n', '\r', '"', '\\', '\u2028', '{', 'ü', '\ud800'),
      maxLength: 50,
    })
    await fc.assert(
      fc.asyncProperty(text, fc.dictionary(text, text), async (output, output_fields) => {
        const server = fakeElastic()
        const { send } = await opened(elasticsearch, { hostPort }, server.answer)
        await send([aNotice({ event: anEvent({ output: output || 'x', output_fields }) })])
        expect(server.docs.size).toBe(1)
      }),
      { numRuns: 50 },
    )
  })
})
