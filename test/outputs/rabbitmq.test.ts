import { EventEmitter } from 'node:events'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createRabbitmq, rabbitmq } from '../../outputs/rabbitmq.ts'
import type { RabbitmqMessage } from '../../outputs/_rabbitmq.ts'
import { type YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent } from '../../src/testing.ts'
import { createFakeLink, opened } from './_link.ts'

type Confirm = (error: Error | null) => void

/** The broker, as amqplib shows it: what it does with a message is decided by `onPublish`. */
class Channel extends EventEmitter {
  confirms: Confirm[] = []
  constructor() {
    super()
    // as the library does: its own listener comes first, and fails what is not confirmed
    this.on('close', () => this.confirms.splice(0).forEach((confirm) => confirm(new Error('channel closed'))))
  }
  publish(exchange: string, routingKey: string, content: Buffer, options: { messageId: string }, confirm: Confirm) {
    broker.published.push({ exchange, routingKey, content: content.toString(), options })
    this.confirms.push(confirm)
    setImmediate(() => broker.onPublish(this, options.messageId, () => this.confirms.shift()?.(null)))
    return true
  }
}

type OnPublish = (channel: Channel, id: string, confirm: () => void) => void

const taken: OnPublish = (_channel, _id, confirm) => confirm()

const broker = {
  connects: [] as [string, object][],
  published: [] as { exchange: string; routingKey: string; content: string; options: object }[],
  closed: 0,
  onConnect: () => {},
  onPublish: taken,
}

vi.mock('amqplib', () => ({
  connect: async (url: string, options: object) => {
    broker.connects.push([url, options])
    broker.onConnect()
    return Object.assign(new EventEmitter(), {
      createConfirmChannel: async () => new Channel(),
      close: async () => void broker.closed++,
    })
  },
}))

beforeEach(() => {
  Object.assign(broker, { connects: [], published: [], closed: 0, onConnect: () => {}, onPublish: taken })
})

const URL_ = 'amqp://yarak:hush-hush@rabbitmq.example.com:5672/vhost'
const real = (more: object = {}) => opened(rabbitmq, { url: URL_, queue: 'falco', ...more })
const numbered = (n: number) => aNotice({ id: `notice-${n}` })

describe('a message', () => {
  const sent = async (settings: object) => {
    const fake = createFakeLink<RabbitmqMessage, object>({})
    await (await opened(createRabbitmq(fake.driver), { url: URL_, ...settings })).send(aNotice())
    return fake.sent[0]
  }

  it.each([
    [{ queue: 'falco' }, { exchange: '', routingKey: 'falco' }],
    [
      { queue: 'falco', exchange: 'x' },
      { exchange: 'x', routingKey: 'falco' },
    ],
    [
      { exchange: 'x', route: 'a.b' },
      { exchange: 'x', routingKey: 'a.b' },
    ],
    [{ exchange: 'x' }, { exchange: 'x', routingKey: '' }],
  ])('goes where %j says', async (settings, where) => {
    expect(await sent(settings)).toMatchObject(where)
  })

  it('is cut to what RabbitMQ takes', async () => {
    const fake = createFakeLink<RabbitmqMessage, object>({})
    const { send } = await opened(createRabbitmq(fake.driver), { url: URL_, queue: 'q' })
    await send(aNotice({ event: anEvent({ output: 'x'.repeat(17 * 1024 * 1024) }) }))
    const { content = '' } = fake.sent[0] ?? {}
    expect(Buffer.byteLength(content)).toBeLessThanOrEqual(16 * 1024 * 1024)
    expect(content).toContain('"truncated":true')
  })

  it('has the id of its notice, and its place in the trace', async () => {
    expect(await sent({ queue: 'q' })).toMatchObject({
      id: aNotice().id,
      headers: { traceparent: aNotice().traceparent },
    })
  })
})

describe('the client', () => {
  it('publishes as Falcosidekick does: plain text, not persistent; but mandatory', async () => {
    const { send, sender } = await real()
    await send(aNotice())
    await sender.close?.()
    expect(broker.connects).toEqual([[URL_, { timeout: 5_000 }]])
    expect(broker.published).toMatchObject([
      {
        ...{ exchange: '', routingKey: 'falco' },
        options: {
          ...{ contentType: 'text/plain', mandatory: true, persistent: false, messageId: aNotice().id },
          headers: { traceparent: aNotice().traceparent },
        },
      },
    ])
    expect(broker.closed).toBe(1)
  })

  it('asks for persistence and TLS when it is set to', async () => {
    const { send } = await real({ durable: true, tls: { verify: false } })
    await send(aNotice())
    expect(broker.connects).toEqual([[URL_.replace('amqp:', 'amqps:'), { timeout: 5_000, rejectUnauthorized: false }]])
    expect(broker.published).toMatchObject([{ options: { persistent: true } }])
  })

  it('tells of each message what became of it', async () => {
    broker.onPublish = (channel, id, confirm) => {
      if (id === 'notice-2')
        channel.emit('return', { properties: { messageId: id }, fields: { replyText: 'NO_ROUTE' } })
      if (id === 'notice-3') channel.confirms.shift()?.(new Error('message nacked'))
      else confirm()
    }
    const { send } = await real()
    await expect(send(numbered(1), numbered(2), numbered(3), numbered(4))).rejects.toMatchObject({
      code: 'failed',
      permanent: false,
      failed: [
        { index: 1, permanent: true, reason: 'no queue takes it: NO_ROUTE' },
        { index: 2, permanent: false, reason: 'nack' },
      ],
    })
    broker.onPublish = taken
    await send(numbered(2))
    expect(broker.connects).toHaveLength(1)
  })

  it.each([
    [404, 'not-found', 'the exchange does not exist'],
    [403, 'authentication', 'refuses the user or the password'],
  ])('says why the broker has closed the channel: %i', async (code, reason, text) => {
    broker.onPublish = (channel) => {
      channel.emit(
        'error',
        Object.assign(new Error(`Channel closed by server: ${code} (X) with message "..."`), { code }),
      )
      channel.emit('close')
    }
    const { send } = await real()
    const error = await send(aNotice()).catch((one: unknown) => one as YarakError)
    expect(error).toMatchObject({ code: 'unavailable', reason, message: expect.stringContaining(text) })
    broker.onPublish = taken
    await send(aNotice())
    expect(broker.connects).toHaveLength(2)
  })

  it('says when it is not let in, and does not tell the password', async () => {
    broker.onConnect = () => {
      throw new Error('Handshake terminated by server: 403 (ACCESS-REFUSED) with message "Login was refused"')
    }
    const { send } = await real()
    const error = await send(aNotice()).catch((one: unknown) => one as YarakError)
    expect(error).toMatchObject({ code: 'unavailable', reason: 'authentication', permanent: false })
    expect(String(error)).toContain('RabbitMQ at rabbitmq.example.com:5672')
    expect(String(error)).not.toContain('hush')
  })

  it('says when the virtual host is not there, and when nobody is', async () => {
    const { send } = await real()
    broker.onConnect = () => {
      throw new Error('Connection closed: 530 (NOT-ALLOWED) with message "vhost vhost not found"')
    }
    await expect(send(aNotice())).rejects.toMatchObject({ reason: 'vhost' })
    broker.onConnect = () => {
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    }
    await expect(send(aNotice())).rejects.toMatchObject({ code: 'unavailable', reason: 'econnrefused' })
  })

  it('connects again when the connection ended while nothing was sent', async () => {
    let idle: Channel | undefined
    broker.onPublish = (channel, _id, confirm) => {
      idle = channel
      confirm()
    }
    const { send } = await real()
    await send(aNotice())
    idle?.emit('close')
    await send(aNotice())
    expect(broker.connects).toHaveLength(2)
  })
})

describe('the settings', () => {
  it.each([
    [{ queue: 'q' }, /url is required/],
    [{ url: 'http://rabbitmq', queue: 'q' }, /amqp:\/\/user:password@host/],
    [{ url: 'amqp://', queue: 'q' }, /amqp:\/\/user:password@host/],
    [{ url: 'amqp://r' }, /needs a queue or an exchange/],
    [{ url: 'amqp://r', queue: 'é'.repeat(128) }, /at most 255 bytes/],
    [{ url: 'amqp://r', queue: 'q', routingKey: 'x' }, /routingKey is not a known setting/],
  ])('refuse %j', (config, message) => {
    expect(() => rabbitmq(config as never)).toThrow(message)
  })
})
