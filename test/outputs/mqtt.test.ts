import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createWebSocketStream, WebSocketServer } from 'ws'
import { createMqtt, mqtt } from '../../outputs/mqtt.ts'
import type { MqttMessage } from '../../outputs/_mqtt.ts'
import { type YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent } from '../../src/testing.ts'
import { createFakeLink, opened } from './_link.ts'
import { speak } from './_tcp.ts'

interface Published {
  readonly qos: number
  readonly retain: boolean
  readonly topic: string
  readonly rest: Buffer
}

interface Broker {
  readonly version?: 4 | 5
  /** Of CONNACK. */
  readonly code?: number
  /** Properties of CONNACK, MQTT 5. */
  readonly properties?: Buffer
  /** The reason code for a message, or what else to do with it. */
  readonly onPublish?: (message: Published, socket: Socket) => number | 'hang' | 'drop'
}

/** A number of at most 2 bytes as MQTT writes lengths, and where it ends. */
const lengthAt = (data: Buffer, at: number): [length: number, next: number] => {
  let [length, shift] = [0, 0]
  for (let i = at; i < data.length; i++, shift += 7) {
    length |= (data.readUInt8(i) & 0x7f) << shift
    if (data.readUInt8(i) < 0x80) return [length, i + 1]
  }
  return [Infinity, at]
}

/** The little of MQTT 3.1.1 and 5 that publishing takes. Source: OASIS MQTT 5.0, chapters 2 and 3. */
const startBroker = async ({
  version = 4,
  code = 0,
  properties = Buffer.alloc(0),
  onPublish = () => 0,
}: Broker = {}) => {
  const published: Published[] = []
  const connects: Buffer[] = []
  const waiting = { now: 0, most: 0 }
  const answer = (socket: Socket, type: number, id: Buffer, reason = 0) => {
    const body = version === 5 && reason > 0 ? Buffer.from([...id, reason]) : id
    socket.write(Buffer.from([type, body.length, ...body]))
  }
  const publish = (socket: Socket, head: number, body: Buffer) => {
    const end = 2 + body.readUInt16BE(0)
    const qos = (head >> 1) & 3
    const message = {
      qos,
      retain: (head & 1) === 1,
      topic: body.subarray(2, end).toString(),
      rest: body.subarray(end + 2),
    }
    const reason = onPublish(message, socket)
    if (reason === 'drop') return void socket.destroy()
    if (reason === 'hang') return
    published.push(message)
    if (qos === 0) return
    waiting.most = Math.max(waiting.most, ++waiting.now)
    setImmediate(() => {
      waiting.now--
      answer(socket, qos === 1 ? 0x40 : 0x50, body.subarray(end, end + 2), reason)
    })
  }
  const server = await speak((socket, data) => {
    for (let rest = data; ;) {
      const [length, start] = rest.length > 1 ? lengthAt(rest, 1) : [Infinity, 0]
      if (rest.length < start + length) return rest
      const [head, body] = [rest.readUInt8(0), rest.subarray(start, start + length)]
      rest = rest.subarray(start + length)
      if (head >> 4 === 1) {
        connects.push(body)
        const tail = version === 5 ? [properties.length, ...properties] : []
        socket.write(Buffer.from([0x20, 2 + tail.length, 0, code, ...tail]))
      }
      if (head >> 4 === 3) publish(socket, head, body)
      if (head >> 4 === 6) answer(socket, 0x70, body.subarray(0, 2))
    }
  })
  return Object.assign(server, { published, connects, waiting })
}

const real = (port: number, more: object = {}) => opened(mqtt, { broker: `tcp://127.0.0.1:${port}`, qos: 1, ...more })
const numbered = (n: number) => aNotice({ event: anEvent({ rule: `rule ${n}` }) })

describe('a message', () => {
  it('goes to the topic, with its place in the trace', async () => {
    const fake = createFakeLink<MqttMessage, { maxPacket: number }>({ maxPacket: Infinity })
    const { send, io } = await opened(createMqtt(fake.driver), { broker: 'm:1883', topic: 'a/b' })
    await send(aNotice())
    expect(fake.sent).toMatchObject([{ topic: 'a/b', headers: { traceparent: aNotice().traceparent } }])
    expect(io.spans[0]).toMatchObject({ name: 'send a/b', attributes: { 'messaging.destination.name': 'a/b' } })
  })

  it('is cut to what the broker takes', async () => {
    const fake = createFakeLink<MqttMessage, { maxPacket: number }>({ maxPacket: 8_192 })
    const { send } = await opened(createMqtt(fake.driver), { broker: 'm:1883' })
    await send(aNotice({ event: anEvent({ output: '規'.repeat(9_000) }) }))
    expect(Buffer.byteLength(fake.sent[0]?.content ?? '')).toBeLessThan(8_192 - 512)
    expect(JSON.parse(fake.sent[0]?.content ?? '')).toMatchObject({ truncated: true })
  })
})

describe('the client', () => {
  it.each([0, 1, 2] as const)('publishes with the quality of service %i', async (qos) => {
    await using broker = await startBroker()
    const { send, sender } = await real(broker.port, { qos, retained: qos === 2 })
    await send(numbered(1), numbered(2))
    await expect.poll(() => broker.published.length).toBe(2)
    await sender.close?.()
    expect(broker.published).toMatchObject([1, 2].map(() => ({ qos, retain: qos === 2, topic: 'falco/events' })))
  })

  it('speaks over a WebSocket', async () => {
    await using broker = await startBroker()
    const front = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'mqtt' })
    front.on('connection', (socket) => {
      const stream = createWebSocketStream(socket).on('error', () => {})
      stream.pipe(connect(broker.port, '127.0.0.1')).pipe(stream)
    })
    await once(front, 'listening')
    const { port } = front.address() as AddressInfo
    const { send, sender } = await real(0, { broker: `ws://127.0.0.1:${port}/mqtt` })
    await send(numbered(1))
    await sender.close?.()
    expect(broker.published).toMatchObject([{ qos: 1, topic: 'falco/events' }])
    for (const one of front.clients) one.terminate()
    front.close()
  })

  it('signs in, under a name of its own', async () => {
    await using broker = await startBroker()
    for (let i = 0; i < 2; i++) {
      const { send, sender } = await real(broker.port, { user: 'falco', password: 'hush-hush' })
      await send(aNotice())
      await sender.close?.()
    }
    const [one, two] = broker.connects.map((body) => body.toString('latin1'))
    expect(one).toMatch(/MQTT\x04.*yarak-[0-9a-f]{6}.*falco.*hush-hush/s)
    expect(two).not.toBe(one)
  })

  it('has the name that it is given', async () => {
    await using broker = await startBroker()
    const { send, sender } = await real(broker.port, { clientId: 'gateway-1' })
    await send(aNotice())
    await sender.close?.()
    expect(broker.connects[0]?.toString()).toContain('gateway-1')
  })

  it('sends the trace along with MQTT 5', async () => {
    await using broker = await startBroker({ version: 5 })
    const { send, sender } = await real(broker.port, { protocolVersion: 5 })
    await send(aNotice())
    await sender.close?.()
    const sent = broker.published[0]?.rest.toString() ?? ''
    expect(sent).toContain('traceparent')
    expect(sent).toContain(aNotice().traceparent)
    expect(sent).toContain('application/json')
  })

  it('has no more on their way than the broker takes', async () => {
    // receive maximum, 3.2.2.3.3
    await using broker = await startBroker({ version: 5, properties: Buffer.from([0x21, 0, 3]) })
    const { send, sender } = await real(broker.port, { protocolVersion: 5 })
    const notices = Array.from({ length: 10 }, (_, i) => numbered(i))
    await Promise.all([send(...notices), send(...notices)])
    await sender.close?.()
    expect(broker.published).toHaveLength(20)
    expect(broker.waiting.most).toBe(3)
  })

  it('cuts to the packet size that the broker tells', async () => {
    // maximum packet size, 3.2.2.3.6
    await using broker = await startBroker({ version: 5, properties: Buffer.from([0x27, 0, 0, 0x20, 0]) })
    const { send, sender } = await real(broker.port, { protocolVersion: 5 })
    await send(aNotice({ event: anEvent({ output: 'x'.repeat(20_000) }) }))
    await sender.close?.()
    expect(broker.published[0]?.rest.toString()).toContain('"truncated":true')
  })

  it.each([
    [0x87, 'authorization', false],
    [0x97, 'quota', false],
    [0x80, 'reason-128', false],
    [0x99, 'payload-format', true],
  ])('tells what the broker says of a message: %i', async (code, reason, permanent) => {
    await using broker = await startBroker({
      version: 5,
      onPublish: ({ rest }) => (rest.includes('rule 2') ? code : 0),
    })
    const { send, sender } = await real(broker.port, { protocolVersion: 5 })
    await expect(send(numbered(1), numbered(2), numbered(3))).rejects.toMatchObject({
      code: 'failed',
      reason,
      failed: [{ index: 1, permanent }],
    })
    await sender.close?.()
    expect(broker.counts.connections).toBe(1)
  })

  it.each([
    [4, 4],
    [4, 5],
    [5, 0x86],
    [5, 0x87],
  ] as const)('says when it is not let in: MQTT %i, code %i', async (version, code) => {
    await using broker = await startBroker({ version, code })
    const { send } = await real(broker.port, { protocolVersion: version, user: 'falco', password: 'hush-hush' })
    const error = await send(aNotice()).catch((one: unknown) => one as YarakError)
    expect(error).toMatchObject({ code: 'unavailable', reason: 'authentication', permanent: false })
    expect(String(error)).not.toContain('hush')
  })

  it('connects again after the connection was lost in the middle', async () => {
    let drops = 1
    await using broker = await startBroker({ onPublish: () => (drops-- > 0 ? 'drop' : 0) })
    const { send, sender } = await real(broker.port)
    await expect(send(aNotice())).rejects.toMatchObject({ code: 'unavailable', permanent: false })
    await send(aNotice())
    await sender.close?.()
    expect(broker).toMatchObject({ counts: { connections: 2 }, published: { length: 1 } })
  })

  it('gives up a broker that does not keep to the protocol', async () => {
    await using broker = await startBroker({ version: 5, onPublish: () => 0x01 })
    const { send, sender } = await real(broker.port, { protocolVersion: 5 })
    await expect(send(aNotice())).rejects.toMatchObject({ code: 'unavailable', permanent: false })
    await sender.close?.()
  })

  it('lets go of a broker that does not acknowledge', async () => {
    await using broker = await startBroker({ onPublish: () => 'hang' })
    const { sender } = await real(broker.port)
    const stop = new AbortController()
    const sending = sender.send([aNotice()], stop.signal)
    await expect.poll(() => broker.connects.length).toBe(1)
    stop.abort()
    await expect(sending).rejects.toMatchObject({ code: 'interrupted' })
    await sender.close?.()
  })
})

describe('the settings', () => {
  it.each([
    ['tcp://m:1883', 'tcp://m:1883'],
    ['m:1883', 'tcp://m:1883'],
    ['ssl://m', 'ssl://m'],
    ['mqtt+ssl://[::1]:8883', 'mqtt+ssl://[::1]:8883'],
    ['wss://m/mqtt', 'wss://m/mqtt'],
  ])('take the broker %j', (broker, taken) => {
    expect(mqtt.config.parse({ broker }).broker).toBe(taken)
  })

  it('have the defaults of Falcosidekick', () => {
    expect(mqtt.config.parse({ broker: 'm:1883' })).toMatchObject({ topic: 'falco/events', qos: 0, retained: false })
  })

  it.each([
    [{}, /broker is required/],
    [{ broker: 'tcp://u:p@m:1883' }, /without credentials/],
    [{ broker: 'http://m' }, /tcp:\/\/host:port/],
    [{ broker: 'm', topic: 'falco/#' }, /without the wildcards/],
    [{ broker: 'm', topic: 'é'.repeat(33_000) }, /65,535 bytes/],
    [{ broker: 'm', password: 'p' }, /password needs a user/],
    [{ broker: 'm', qos: 3 }, /qos/],
    [{ broker: 'm', protocolVersion: 3 }, /protocolVersion/],
  ])('refuse %j', (config, message) => {
    expect(() => mqtt(config as never)).toThrow(message)
  })
})
