import { describe, expect, it } from 'vitest'
import { createKafkaOutput, kafka } from '../../outputs/kafka.ts'
import { failure, requestsOf, writeAll } from '../../outputs/_kafka-batch.ts'
import { type Notice, toJson, YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, outputCases, testIo, type TestIoOptions } from '../../src/testing.ts'
import { createFakeKafka } from '../inputs/_fake-driver.ts'

const NEVER = new AbortController().signal
const config = { brokers: ['broker:9092'], topic: 'out' }

const rig = async (settings: object = {}, options: TestIoOptions = {}) => {
  const fake = createFakeKafka({ out: 1 })
  const output = createKafkaOutput(fake.driver)
  const io = testIo(options)
  const sender = await output.open(output.config.parse({ ...config, ...settings }), io)
  const send = (...notices: Notice[]) => sender.send(notices, NEVER)
  const records = () => fake.sent.flatMap((one) => one.records)
  return { fake, io, sender, send, records }
}

const big = (kib: number, rule = 'big') => aNotice({ event: anEvent({ rule, output: 'x'.repeat(kib * 1024) }) })

describe('the conformance of the kafka output', () => {
  const sasl = { mechanism: 'plain', username: 'u', password: 'p' }
  const output = createKafkaOutput(createFakeKafka({ out: 1 }).driver)
  for (const { name, run } of outputCases(output, { config: { ...config, sasl } })) it(name, run)

  it('is a queue and takes batches', () => {
    expect(kafka.kind).toBe('producer')
    expect(kafka.batch).toBe(100)
  })
})

describe('what the kafka output writes', () => {
  it('writes an event as its JSON, every digit kept', async () => {
    const { send, records } = await rig()
    const event = anEvent({ output_fields: { 'evt.time': 1_769_860_800_123_456_789n } })
    await send(aNotice({ event }))
    expect(records()[0]?.value).toBe(toJson({ uuid: event.id, ...event.toJSON() }))
    expect(records()[0]?.value).toContain('1769860800123456789')
  })

  it('writes a report with its event', async () => {
    const { send, records } = await rig()
    const notice = aNotice({ report: aReport() })
    await send(notice)
    const value = JSON.parse(String(records()[0]?.value)) as { rule: string; response: { id: string } }
    expect(value.rule).toBe(notice.event.rule)
    expect(value.response.id).toBe(aReport().id)
  })

  const target = anEvent({ output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1' } })
  const nothing = anEvent({ output_fields: {}, hostname: null })

  it.each([
    ['the target, by default', {}, target, 'pod/shop/web-1'],
    ['no key for an event about nothing known', {}, nothing, null],
    ['the id of the event', { key: 'event' }, target, target.id],
    ['nothing, as Falcosidekick does', { key: 'none' }, target, null],
  ])('keys by %s', async (_, settings, event, key) => {
    const { send, records } = await rig(settings)
    await send(aNotice({ event }))
    expect(records()[0]?.key).toBe(key)
  })

  it('sends the notice’s own place in its trace', async () => {
    const { send, records } = await rig()
    const one = `00-${'a'.repeat(32)}-${'1'.repeat(16)}-01`
    const two = `00-${'b'.repeat(32)}-${'2'.repeat(16)}-01`
    await send(aNotice({ traceparent: one }), aNotice({ traceparent: two }))
    expect(records().map(({ headers }) => headers)).toEqual([{ traceparent: one }, { traceparent: two }])
  })

  it('adds the trace state only where it belongs to the same trace', async () => {
    const own = `00-${'a'.repeat(32)}-${'9'.repeat(16)}-01`
    const { send, records } = await rig({}, { headers: { traceparent: own, tracestate: 'vendor=1' } })
    await send(
      aNotice({ traceparent: `00-${'a'.repeat(32)}-${'1'.repeat(16)}-01` }),
      aNotice({ traceparent: `00-${'b'.repeat(32)}-${'1'.repeat(16)}-01` }),
      { id: 'untraced', event: anEvent() },
    )
    expect(records().map(({ headers }) => headers.tracestate)).toEqual(['vendor=1', undefined, 'vendor=1'])
    expect(records()[2]?.headers.traceparent).toBe(own)
  })

  it('passes what the brokers must do', async () => {
    const { send, fake } = await rig({ acks: 'leader', compression: 'zstd' })
    await send(aNotice())
    expect(fake.sent[0]).toMatchObject({ topic: 'out', options: { acks: 'leader', compression: 'zstd' } })
  })

  it('makes one call with the conventional attributes for a batch', async () => {
    const { send, io } = await rig()
    await send(aNotice(), aNotice())
    expect(io.spans).toEqual([
      {
        name: 'send out',
        kind: 'client',
        attributes: {
          'messaging.system': 'kafka',
          'messaging.operation.type': 'send',
          'messaging.operation.name': 'send',
          'messaging.destination.name': 'out',
          'messaging.batch.message_count': 2,
        },
      },
    ])
  })

  it('cuts what is larger than a record may be, and tells so', async () => {
    const { send, records } = await rig({ maxRecordSize: '8KiB' })
    await send(big(100), big(1))
    const [cut, whole] = records().map(({ value }) => String(value))
    expect(Buffer.byteLength(cut ?? '')).toBeLessThanOrEqual(8_192)
    expect(JSON.parse(cut ?? '')).toMatchObject({ rule: 'big', truncated: true })
    expect(JSON.parse(whole ?? '')).not.toHaveProperty('truncated')
  })

  it('stays below what brokers take, when nothing is set', async () => {
    const { send, records } = await rig()
    await send(big(5_000))
    const { value = '', key = '', headers = {} } = records()[0] ?? {}
    const bytes = [value, key ?? '', JSON.stringify(headers)].reduce((sum, one) => sum + Buffer.byteLength(one), 0)
    // message.max.bytes is 1048588, of which the batch and the record take less than 100
    expect(bytes).toBeLessThan(1_048_588 - 100)
    expect(bytes).toBeGreaterThan(1_000_000)
  })

  it('wants room for an event', () => {
    expect(() => kafka({ ...config, maxRecordSize: '1KiB' })).toThrow(/maxRecordSize: must be 4KiB at least/)
  })

  it('shows what it would write', () => {
    const settings = kafka.config.parse(config)
    expect(kafka.preview?.(aNotice(), settings)).toMatchObject({ topic: 'out', key: 'pod/default/web-1' })
  })

  it('closes its producer', async () => {
    const { sender, fake } = await rig()
    await sender.close?.()
    expect(fake.closed).toBe(1)
  })
})

describe('a batch', () => {
  it('is cut into requests that brokers take, in order', async () => {
    const { send, fake } = await rig()
    await send(big(200, 'a'), big(200, 'b'), big(200, 'c'), big(900, 'd'), big(1, 'e'))
    const rules = fake.sent.map(({ records }) =>
      records.map(({ value }) => (JSON.parse(String(value)) as { rule: string }).rule),
    )
    expect(rules).toEqual([['a', 'b'], ['c'], ['d'], ['e']])
  })

  it('fails for the one record that is too large, and for good; the others are delivered', async () => {
    const { send, fake, records } = await rig()
    fake.onSend = (some) => {
      if (some.some(({ value }) => String(value).includes('"poison"'))) throw tooLarge()
    }
    const notices = ['a', 'poison', 'b', 'c'].map((rule) => aNotice({ event: anEvent({ rule }) }))
    await expect(send(...notices)).rejects.toMatchObject({
      code: 'failed',
      reason: 'too-large',
      failed: [{ index: 1, permanent: true, reason: 'too-large' }],
    })
    expect(records().map(({ value }) => (JSON.parse(String(value)) as { rule: string }).rule)).toEqual(['a', 'b', 'c'])
  })

  it('names all that may be tried again when the brokers go away in the middle, and keeps their order', async () => {
    const { send, fake } = await rig()
    fake.onSend = () => {
      if (fake.sent.length === 1) throw new YarakError('unavailable', 'gone', { reason: 'econnreset' })
    }
    await expect(send(big(400), big(400), big(400))).rejects.toMatchObject({
      code: 'unavailable',
      permanent: false,
      failed: [1, 2].map((index) => ({ index, permanent: false, reason: 'econnreset' })),
    })
    expect(fake.sent).toHaveLength(1)
  })

  it('is tried again as a whole when nothing answers', async () => {
    const { send, fake, records } = await rig()
    fake.down = true
    const failed = send(aNotice(), aNotice())
    await expect(failed).rejects.toMatchObject({ code: 'unavailable', permanent: false })
    await expect(failed).rejects.toThrow('2 of 2 records: Kafka at broker:9092: connection refused')
    fake.down = false
    await send(aNotice(), aNotice())
    expect(records()).toHaveLength(2)
  })

  it('does not wait longer than it may', async () => {
    const { sender, fake } = await rig()
    fake.onSend = () => new Promise(() => {})
    const stop = new AbortController()
    const sending = sender.send([aNotice()], stop.signal)
    stop.abort()
    await expect(sending).rejects.toMatchObject({ code: 'interrupted', permanent: false })
  })

  it('writes nothing when it is told to stop before', async () => {
    const { sender, fake } = await rig()
    await expect(sender.send([aNotice()], AbortSignal.abort())).rejects.toMatchObject({ code: 'interrupted' })
    expect(fake.sent).toEqual([])
  })
})

const tooLarge = () => new YarakError('failed', 'too large', { permanent: true, reason: 'too-large' })

describe('the parts of a batch', () => {
  const item = (index: number, bytes: number) => ({
    index,
    record: { key: null, value: 'x'.repeat(bytes), headers: {} },
  })

  it('needs no request for nothing', () => expect(requestsOf([])).toEqual([]))

  it('counts bytes and not characters', () => {
    const wide = { index: 0, record: { key: null, value: '€'.repeat(100 * 1024), headers: {} } }
    expect(requestsOf([wide, { ...wide, index: 1 }])).toHaveLength(2)
  })

  it('finds every record that is too large among many', async () => {
    const sizes = [1, 9, 1, 9, 9, 1, 1, 9]
    const written: number[] = []
    const failed = await writeAll([sizes.map((size, index) => item(index, size))], async (items) => {
      if (items.some(({ record }) => record.value.length > 5)) throw tooLarge()
      written.push(...items.map(({ index }) => index))
    })
    expect(written).toEqual([0, 2, 5, 6])
    expect(failed.map(({ index }) => index)).toEqual([1, 3, 4, 7])
    expect(failure(failed, sizes.length, 'out').message).toBe('4 of 8 records: too large')
  })

  it('does not take an error of ours for one of the brokers', async () => {
    const broken = writeAll([[item(0, 1)]], () => Promise.reject(new TypeError('a bug')))
    await expect(broken).rejects.toThrow('a bug')
  })
})
