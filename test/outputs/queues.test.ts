/** What the outputs to message queues have in common: the message of Falcosidekick, context, outcomes, connection. */
import { describe, expect, it } from 'vitest'
import { createKafkaOutput } from '../../outputs/kafka.ts'
import { createMqtt } from '../../outputs/mqtt.ts'
import { createNats } from '../../outputs/nats.ts'
import { settle, traceHeaders } from '../../outputs/_queue.ts'
import { createRabbitmq } from '../../outputs/rabbitmq.ts'
import { createRedis } from '../../outputs/redis.ts'
import type { RedisCommand } from '../../outputs/_redis.ts'
import { type Output, YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { createFakeKafka } from '../inputs/_fake-driver.ts'
import { exact, falcosidekickSent } from './_falcosidekick.ts'
import { createFakeLink, NEVER, opened } from './_link.ts'

interface Sent {
  readonly path: string
  readonly body: string
}

interface Rig {
  readonly output: Output
  readonly config: object
  /** What went out, in order. */
  sent(): Sent[]
}

const rigs: Readonly<Record<string, () => Rig>> = {
  nats() {
    const fake = createFakeLink<{ subject: string; data: string }, { maxPayload: number }>({ maxPayload: Infinity })
    const output = createNats(fake.driver)
    const sent = () => fake.sent.map(({ subject, data }) => ({ path: subject, body: data }))
    return { output, config: { hostPort: 'nats://n:4222' }, sent }
  },
  rabbitmq() {
    const fake = createFakeLink<{ exchange: string; routingKey: string; content: string }, object>({})
    const output = createRabbitmq(fake.driver)
    const sent = () =>
      fake.sent.map(({ exchange, routingKey, content }) => ({ path: `${exchange}/${routingKey}`, body: content }))
    return { output, config: { url: 'amqp://r', queue: 'falco' }, sent }
  },
  mqtt() {
    const fake = createFakeLink<{ topic: string; content: string }, { maxPacket: number }>({ maxPacket: Infinity })
    const output = createMqtt(fake.driver)
    const sent = () => fake.sent.map(({ topic, content }) => ({ path: topic, body: content }))
    return { output, config: { broker: 'tcp://m:1883', qos: 1 }, sent }
  },
  redis() {
    const commands: RedisCommand[] = []
    const run = async (some: readonly RedisCommand[]) => (commands.push(...some), [])
    const output = createRedis(async () => ({ run, close: async () => {} }))
    const sent = () => commands.map(([, key = '', body = '']) => ({ path: key, body }))
    return { output, config: { address: 'r:6379' }, sent }
  },
  kafka() {
    const fake = createFakeKafka({ falco: 1 })
    const output = createKafkaOutput(fake.driver)
    const sent = () =>
      fake.sent.flatMap(({ topic, records }) => records.map(({ value }) => ({ path: topic, body: String(value) })))
    return { output, config: { brokers: ['k:9092'], topic: 'falco', key: 'none' }, sent }
  },
}

type Body = Readonly<Record<string, unknown>>

/** A long number with its digits, any other as what it is: 2.50 may be written 2.5. */
const numbers = (_key: string, value: unknown): unknown => {
  const { number } = (value ?? {}) as { number?: string }
  return number === undefined || /^-?\d{16,}$/.test(number) ? value : Number(number)
}

const read = (json: string): Body => JSON.parse(JSON.stringify(exact(json)), numbers) as Body

/** The intended differences from Falcosidekick's message. */
const meant = (event: string, body: Body): Body => {
  // tags stay in the order in which they came
  if (event === 'an offset') return { ...body, tags: ['b', 'a'] }
  // fields of events over 4,096 bytes are not cut
  if (event === 'over 4,096 bytes')
    return { ...body, output: expect.not.stringContaining('[...]'), output_fields: expect.any(Object) }
  return body
}

describe.each(Object.keys(rigs))('%s', (name) => {
  const rig = () => rigs[name]?.() ?? expect.fail(name)

  it.each(falcosidekickSent(name).exchanges.map((one) => [one.name, one] as const))(
    'sends what Falcosidekick sends: %s',
    async (event, { notice, requests }) => {
      const { output, config, sent } = rig()
      await (await opened(output, config)).send(notice)
      expect(sent()).toHaveLength(requests.length)
      const [{ path, body }] = sent() as [Sent]
      expect(path).toBe(requests[0]?.path)
      expect(read(body)).toEqual(meant(event, read(requests[0]?.body ?? '')))
    },
  )

  it('sends the report of a response beside its event, to the same place', async () => {
    const { output, config, sent } = rig()
    await (
      await opened(output, config)
    ).send(aNotice(), aNotice({ report: aReport(), traceUrl: 'https://t.example/1' }))
    const [event, report] = sent() as [Sent, Sent]
    expect(report.path).toBe(event.path)
    expect(JSON.parse(report.body)).toEqual({
      ...(JSON.parse(event.body) as object),
      response: aReport(),
      trace_url: 'https://t.example/1',
    })
  })

  it('is a queue that takes batches, in order, and shows what it would send', () => {
    const { output, config } = rig()
    expect(output.batch).toBeGreaterThanOrEqual(20)
    expect(output.ordered).toBe(true)
    expect(JSON.stringify(output.preview?.(aNotice(), output.config.parse(config)))).toContain('Terminal shell')
  })

  it('makes one span for a batch, with the place and the number', async () => {
    const { output, config } = rig()
    const { io, send } = await opened(output, config)
    await send(aNotice(), aNotice())
    expect(io.spans).toHaveLength(1)
    const { attributes = {} } = io.spans[0] ?? {}
    expect(attributes[name === 'redis' ? 'db.system.name' : 'messaging.system']).toBe(name)
    expect(Object.values(attributes)).toContain(2)
  })
})

describe('the context of a message', () => {
  const own = `00-${'a'.repeat(32)}-${'9'.repeat(16)}-01`
  const context = { traceparent: own, tracestate: 'vendor=1' }

  it('is the notice’s own place; the trace state only where it belongs to the same trace', () => {
    const here = `00-${'a'.repeat(32)}-${'1'.repeat(16)}-01`
    const there = `00-${'b'.repeat(32)}-${'1'.repeat(16)}-01`
    expect(traceHeaders(aNotice({ traceparent: here }), context)).toEqual({ traceparent: here, tracestate: 'vendor=1' })
    expect(traceHeaders(aNotice({ traceparent: there }), context)).toEqual({ traceparent: there })
    expect(traceHeaders({ id: 'untraced', event: anEvent() }, context)).toEqual(context)
    expect(traceHeaders({ id: 'untraced', event: anEvent() }, {})).toEqual({})
  })
})

describe('the outcome of a batch', () => {
  const lasting = new YarakError('failed', 'no queue', { permanent: true, reason: 'unroutable' })
  const passing = new YarakError('failed', 'full', { reason: 'nack' })
  const thrown = (fn: () => void): unknown => {
    try {
      return fn()
    } catch (error) {
      return error
    }
  }

  it('is nothing to tell when all were taken', () => {
    expect(thrown(() => settle([]))).toBeUndefined()
    expect(thrown(() => settle([undefined, undefined]))).toBeUndefined()
  })

  it('names those that were not, with the words of one that may be tried again', () => {
    expect(thrown(() => settle([undefined, lasting, passing]))).toMatchObject({
      code: 'failed',
      message: '2 of 3 messages: full',
      reason: 'nack',
      permanent: false,
      failed: [
        { index: 1, permanent: true, reason: 'no queue' },
        { index: 2, permanent: false, reason: 'nack' },
      ],
    })
  })

  it('is for good when all of it is', () => {
    expect(thrown(() => settle([lasting]))).toMatchObject({
      message: 'no queue',
      permanent: true,
      reason: 'unroutable',
    })
  })
})

describe('the connection of a queue', () => {
  const rigged = async () => {
    const fake = createFakeLink<{ data: string }, { maxPayload: number }>({ maxPayload: Infinity })
    return { fake, ...(await opened(createNats(fake.driver), { hostPort: 'n:4222' })) }
  }

  it('is opened by the first send, kept, and closed with the output', async () => {
    const { fake, send, sender } = await rigged()
    expect(fake.opened).toBe(0)
    await send(aNotice())
    await send(aNotice())
    expect(fake).toMatchObject({ opened: 1, closed: 0 })
    await sender.close?.()
    expect(fake.closed).toBe(1)
  })

  it('is kept when the server refuses a message, and opened again after a loss', async () => {
    const { fake, send } = await rigged()
    fake.answer = async () => [new YarakError('failed', 'no', { permanent: true })]
    await expect(send(aNotice())).rejects.toMatchObject({ permanent: true })
    fake.answer = async () => Promise.reject(Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
    await expect(send(aNotice())).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'econnreset',
      message: 'NATS at n:4222: reset',
    })
    expect(fake).toMatchObject({ opened: 1, closed: 1 })
    fake.answer = async () => []
    await send(aNotice())
    expect(fake).toMatchObject({ opened: 2, sent: { length: 1 } })
  })

  it('is opened again when it ended by itself', async () => {
    const { fake, send } = await rigged()
    await send(aNotice())
    fake.lose()
    await send(aNotice())
    expect(fake.opened).toBe(2)
  })

  it('lets go at once when the signal fires, and sends nothing after that', async () => {
    const { fake, sender } = await rigged()
    fake.answer = () => new Promise(() => {})
    const stop = new AbortController()
    const sending = sender.send([aNotice()], stop.signal)
    stop.abort()
    await expect(sending).rejects.toMatchObject({ code: 'interrupted' })
    expect(fake.sent).toEqual([])
    expect(NEVER.aborted).toBe(false)
  })
})
