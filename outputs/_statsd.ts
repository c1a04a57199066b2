/** Counts of events and responses in the line protocol of StatsD, by UDP. */
import { defineOutput, inChunks, type Io, type Notice, type Sender, z } from '../src/plugin.ts'
import type { Lines, Place } from './_lines.ts'
import { sendParts } from './_parts.ts'

/** Bytes of a datagram that fit into one Ethernet frame: what Datadog's own clients take. */
const MAX_DATAGRAM = 1_432

const FORWARDER = /^(?:\[[0-9a-fA-F:.%]+\]|[^\s:/[\]]+):\d{1,5}$/

const settings = z.strictObject({
  forwarder: z
    .string()
    .regex(FORWARDER, 'must be host:port; there are no Unix datagram sockets here')
    .describe('Address of the server: `host:port`, by UDP.'),
  namespace: z
    .string()
    .regex(/^[^\s:|@#]*$/, 'must hold no blank and none of : | @ #')
    .default('yarak.')
    .describe('What every name begins with. Default `yarak.`.'),
  tags: z
    .array(z.string().regex(/^[^\s,|]+$/, 'must hold no blank and none of , |'))
    .default([])
    .describe('Tags of every line, e.g. `env:prod`. Default none.'),
})

type Settings = z.output<typeof settings>

/** What is counted, and words that tell apart: all of them closed lists, none from an event's text. */
interface Count {
  readonly name: string
  readonly value: number
  /** `c` a count, `ms` a time in milliseconds. */
  readonly type: 'c' | 'ms'
  readonly tags: Readonly<Record<string, string>>
}

/** How a count becomes a line, without its end. */
export type Line = (count: Count, settings: Settings) => string

const countsOf = ({ event, report, digest }: Notice): Count[] => {
  if (report) {
    const tags = { mode: report.mode, outcome: report.outcome }
    return [
      { name: 'responses', value: 1, type: 'c', tags },
      { name: 'responses.duration', value: Math.round(report.duration), type: 'ms', tags },
    ]
  }
  const value = digest?.count ?? 1
  return [
    { name: 'falco.accepted', value, type: 'c', tags: { priority: event.priority } },
    { name: 'total', value, type: 'c', tags: {} },
    { name: 'inputs.requests.accepted', value, type: 'c', tags: {} },
  ]
}

/** The lines of a notice, each with its end. */
const linesOf = (notice: Notice, settings: Settings, line: Line): string =>
  countsOf(notice)
    .map((count) => `${line(count, settings)}\n`)
    .join('')

/**
 * A line as DogStatsD has it.
 *
 * Source: "DogStatsD datagram format" of Datadog's documentation.
 * @example tagged({ name: 'falco.accepted', value: 1, type: 'c', tags: ['priority:Notice'] }, settings)
 */
export const tagged = (
  { name, value, type, tags }: Omit<Count, 'tags'> & { readonly tags: readonly string[] },
  settings: Settings,
): string => {
  const all = [...settings.tags, ...tags]
  return `${settings.namespace}${name}:${value}|${type}${all.length > 0 ? `|#${all.join(',')}` : ''}`
}

/** What the two differ in. */
interface StatsdSpec {
  readonly type: string
  readonly summary: string
  readonly notes: string
  readonly example: { readonly config: z.input<typeof settings> }
  readonly line: Line
}

export const createStatsdOutput = ({ line, ...spec }: StatsdSpec, connect: (place: Place) => Lines) =>
  defineOutput({
    ...spec,
    config: settings,
    batch: 500,
    preview: (notice, config) => linesOf(notice, config, line),
    open: (config, io) => createSender(config, io, line, connect),
  })

/** Sends as many notices in one datagram as fit. */
const createSender = (config: Settings, io: Io, line: Line, connect: (place: Place) => Lines): Sender => {
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(config.forwarder) ?? []
  const lines = connect({ host, port: Number(port) })
  const attributes = { 'server.address': host, 'server.port': Number(port), 'network.transport': 'udp' }
  return {
    async send(notices, signal) {
      const texts = notices.map((notice) => linesOf(notice, config, line))
      const parts = inChunks(texts, { count: Infinity, size: MAX_DATAGRAM }, (text) => Buffer.byteLength(text))
      const all = () => sendParts(parts, (part) => lines.write([part.join('')], signal))
      await io.call({ name: 'send statsd', attributes }, all)
    },
    close: () => lines.close(),
  }
}
