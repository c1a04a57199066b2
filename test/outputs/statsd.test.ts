/** "Metric types" of StatsD, "DogStatsD datagram format" of Datadog, and what Falcosidekick sent. */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { createDogstatsd, dogstatsd } from '../../outputs/dogstatsd.ts'
import { createStatsd, statsd } from '../../outputs/statsd.ts'
import { type Notice, type Output, PRIORITIES, YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, oddEvents, testIo } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { NEVER } from './_link.ts'

const FORWARDER = 'statsd:8125'

const linesOf = (output: Output, notice: Notice, config: object = {}): string[] =>
  String(output.preview?.(notice, output.config.parse({ forwarder: FORWARDER, ...config })))
    .split('\n')
    .slice(0, -1)

/** A server that takes datagrams on a free port. */
const listen = async () => {
  const socket: Socket = createSocket('udp4')
  const datagrams: string[] = []
  socket.on('message', (bytes) => datagrams.push(bytes.toString()))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  return {
    port,
    datagrams,
    [Symbol.asyncDispose]: () => new Promise<void>((closed) => socket.close(() => closed())),
  }
}

const digest = { count: 17, first: '2026-01-31T12:00:00Z', last: '2026-01-31T12:01:00Z' }

describe('what Falcosidekick sent for the same event', () => {
  const { exchanges, config } = falcosidekickSent('dogstatsd')

  it.each(exchanges)('dogstatsd: $name', ({ notice, requests }) => {
    const ours = linesOf(dogstatsd, notice, { namespace: 'falcosidekick.', tags: config.tags })
    expect(ours.map((line) => `${line}\n`)).toEqual(requests.map(({ body }) => body))
  })

  it.each(falcosidekickSent('statsd').exchanges)('statsd: $name', ({ notice, requests }) => {
    // the one difference: it means to write the word behind the name, and writes the tag
    const meant = requests.map(({ body }) => body.trim().replace(/(accepted):1\|c\|#priority:(\w+)/, '$1.$2:1|c'))
    expect(linesOf(statsd, notice, { namespace: 'falcosidekick.' })).toEqual(meant)
  })
})

describe('lines', () => {
  it('begin with the namespace, and count what the notice stands for', () => {
    expect(linesOf(statsd, aNotice({ digest }))).toEqual([
      'yarak.falco.accepted.Notice:17|c',
      'yarak.total:17|c',
      'yarak.inputs.requests.accepted:17|c',
    ])
    expect(linesOf(dogstatsd, aNotice(), { namespace: '' })[0]).toBe('falco.accepted:1|c|#priority:Notice')
  })

  it('have the tags that are set', () => {
    expect(linesOf(dogstatsd, aNotice(), { tags: ['env:prod', 'eu'] })).toEqual([
      'yarak.falco.accepted:1|c|#env:prod,eu,priority:Notice',
      'yarak.total:1|c|#env:prod,eu',
      'yarak.inputs.requests.accepted:1|c|#env:prod,eu',
    ])
    expect(linesOf(statsd, aNotice(), { tags: ['env:prod'] })[1]).toBe('yarak.total:1|c|#env:prod')
  })

  it('tell of a response, and how long it took', () => {
    const notice = aNotice({ report: aReport({ outcome: 'refused', mode: 'observe', duration: 41.6 }) })
    expect(linesOf(statsd, notice)).toEqual([
      'yarak.responses.observe.refused:1|c',
      'yarak.responses.duration.observe.refused:42|ms',
    ])
    expect(linesOf(dogstatsd, notice)).toEqual([
      'yarak.responses:1|c|#mode:observe,outcome:refused',
      'yarak.responses.duration:42|ms|#mode:observe,outcome:refused',
    ])
  })

  it('hold nothing of what an event says', () => {
    const usual = new Set(
      PRIORITIES.flatMap((priority) => linesOf(dogstatsd, aNotice({ event: anEvent({ priority }) }))),
    )
    for (const { event } of oddEvents())
      for (const line of linesOf(dogstatsd, aNotice({ event }))) expect(usual).toContain(line)
  })
})

describe.each<[string, Output]>([
  ['statsd', statsd],
  ['dogstatsd', dogstatsd],
])('datagrams of %s', (_type, output) => {
  it('are as few as there can be of at most 1,432 bytes, and hold every line', async () => {
    await using server = await listen()
    const io = testIo()
    const sender = await output.open(output.config.parse({ forwarder: `127.0.0.1:${server.port}` }), io)
    const notices = Array.from({ length: 100 }, (_, i) => aNotice({ id: `notice-${i}` }))
    await sender.send(notices, NEVER)
    const expected = notices.flatMap((notice) => linesOf(output, notice))
    await vi.waitFor(() => expect(server.datagrams.join('').trim().split('\n')).toEqual(expected))
    for (const one of server.datagrams) expect(Buffer.byteLength(one)).toBeLessThanOrEqual(1_432)
    expect(server.datagrams.length).toBeLessThan(10)
    expect(io.spans).toEqual([
      {
        name: 'send statsd',
        kind: 'client',
        attributes: { 'server.address': '127.0.0.1', 'server.port': server.port, 'network.transport': 'udp' },
      },
    ])
    await sender.close?.()
  })

  it.each([
    [{}, /forwarder is required/],
    [{ forwarder: 'statsd' }, /forwarder: must be host:port/],
    [{ forwarder: 'unix:///var/run/datadog/dsd.socket' }, /no Unix datagram sockets/],
    [{ forwarder: FORWARDER, namespace: 'a:b|c' }, /namespace: must hold no blank/],
    [{ forwarder: FORWARDER, tags: ['a,b'] }, /tags\[0\]: must hold no blank/],
    [{ forwarder: FORWARDER, tags: ['a\nb:1|c'] }, /tags\[0\]: must hold no blank/],
  ])('refuse %j', (config, message) => {
    expect(() => (output as unknown as (config: object) => unknown)(config)).toThrow(message)
  })
})

describe('a server that cannot be reached', () => {
  const places: object[] = []
  const broken = (failures: number) => (place: object) => {
    places.push(place)
    return {
      write: async () => {
        if (failures-- > 0)
          throw new YarakError('unavailable', 'udp://statsd:8125: refused', { reason: 'econnrefused' })
      },
      close: async () => {},
    }
  }

  it('fails what was not sent, and nothing that was', async () => {
    const parts: number[] = []
    const output = createStatsd(() => ({
      write: async ([text = '']) => {
        if (parts.push(text.length) === 2) throw new YarakError('unavailable', 'gone', { reason: 'econnrefused' })
      },
      close: async () => {},
    }))
    const sender = await output.open(output.config.parse({ forwarder: FORWARDER }), testIo())
    const notices = Array.from({ length: 40 }, (_, i) => aNotice({ id: `notice-${i}` }))
    const error: unknown = await sender.send(notices, NEVER).catch((thrown: unknown) => thrown)
    const { failed = [] } = error as YarakError
    const sent = Math.floor(1_432 / linesOf(output, aNotice()).join('\n').concat('\n').length)
    expect(failed.map(({ index }) => index)).toEqual(Array.from({ length: 40 - sent }, (_, i) => sent + i))
    expect(parts).toHaveLength(2)
  })

  it('is tried again with the next ones', async () => {
    const output = createDogstatsd(broken(1))
    const sender = await output.open(output.config.parse({ forwarder: '[::1]:8125' }), testIo())
    await expect(sender.send([aNotice()], NEVER)).rejects.toMatchObject({ permanent: false, reason: 'econnrefused' })
    await sender.send([aNotice()], NEVER)
    expect(places.at(-1)).toEqual({ host: '::1', port: 8125 })
  })
})
