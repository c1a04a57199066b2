/** Syslog: notices as messages by UDP, TCP or TLS. */
import { hostname } from 'node:os'
import { pid } from 'node:process'
import { defineOutput, type Notice, size, z } from '../src/plugin.ts'
import { datagramsOf, type Lines, streamOf } from './_lines.ts'
import { cefText, frameOf, jsonText } from './_syslog.ts'
import { tlsSettings } from './_tls.ts'

const config = z
  .strictObject({
    host: z.string().min(1).describe('Host name or IP address of the server.'),
    port: z.int().min(1).max(65_535).default(514).describe('Its port. Default 514.'),
    protocol: z.enum(['udp', 'tcp']).default('udp').describe('How to get there; TLS is by tcp. Default udp.'),
    format: z.enum(['json', 'cef']).default('json').describe('The text of a message. Default json.'),
    rfc: z
      .union([z.literal(3164), z.literal(5424)])
      .default(3164)
      .describe(
        'The frame of a message: 3164 as Go writes it, or 5424, by tcp with its length before it. Default 3164.',
      ),
    maxSize: size()
      .refine((bytes) => bytes >= 1_024, 'must be at least 1KiB')
      .optional()
      .describe('Bytes of a message; what is over is cut with a mark. Default none; by udp 65507.'),
    tls: tlsSettings(),
  })
  .refine(({ protocol, tls }) => protocol === 'tcp' || tls === undefined, 'tls needs protocol: tcp')

type Config = z.output<typeof config>

/** What a datagram can hold. */
const MAX_DATAGRAM = 65_507

/** With room for a line break. */
const limitOf = ({ protocol, maxSize = Infinity }: Config): number =>
  Math.min(maxSize, protocol === 'udp' ? MAX_DATAGRAM : Infinity) - 1

const messageOf = (notice: Notice, settings: Config): string => {
  const { format, rfc, protocol } = settings
  const frame = frameOf(notice, rfc, { host: hostname(), pid })
  const room = Math.max(0, limitOf(settings) - Buffer.byteLength(frame))
  const whole = frame + (format === 'cef' ? cefText : jsonText)(notice, room)
  if (rfc === 3164) return `${whole}\n`
  return protocol === 'tcp' ? `${Buffer.byteLength(whole)} ${whole}` : whole
}

const notes = `
The message is from \`Falco\`, of the facility 0 and the severity of the event's priority; its text is the event as \`webhook\`
sends it, or CEF. In CEF the report of a response is a \`Falco Response\` with \`response\`, \`outcome\`, \`mode\`, \`target\`,
\`duration\`, \`trace\` and \`undo\`. Many servers cut messages, rsyslog at 8 KiB: with \`maxSize\` they are cut here, and JSON
stays JSON.

Syslog does not say what it took: by TCP what was on its way when the connection broke may be lost or come twice, by UDP
any message may be lost unseen.

Differences from Falcosidekick: udp and port 514 are the defaults, where it has none; one connection instead of one for each
event; time and host of a message are the event's; CEF is escaped, has its fields sorted and without those that are null,
and \`start\` has its fraction of a second; messages over the limit are cut; RFC 5424, TLS and \`maxSize\` are new.
`.trim()

const linesOf = ({ host, port, protocol, tls }: Config): Lines =>
  protocol === 'udp' ? datagramsOf({ host, port }) : streamOf({ host, port }, tls)

/** The output on a connection of your own, e.g. a fake in a test. */
export const createSyslog = (connect: (settings: Config) => Lines) =>
  defineOutput({
    type: 'syslog',
    summary: 'Sends the event as a syslog message.',
    notes,
    config,
    batch: 100,
    ordered: true,
    preview: messageOf,
    open(settings, io) {
      const { host, port, protocol } = settings
      const lines = connect(settings)
      const attributes = { 'server.address': host, 'server.port': port, 'network.transport': protocol }
      return {
        send: (notices, signal) =>
          io.call({ name: 'write syslog', attributes }, () =>
            lines.write(
              notices.map((notice) => messageOf(notice, settings)),
              signal,
            ),
          ),
        close: () => lines.close(),
      }
    },
    example: { config: { host: 'rsyslog', port: 514, protocol: 'tcp' } },
  })

/**
 * Sends each notice as a message.
 *
 * Source: the `syslog` output of Falcosidekick 2.x (`outputs/syslog.go`) and Go's `log/syslog`; RFC 5424, RFC 5425, RFC 5426,
 * RFC 6587.
 * @example syslog({ host: 'rsyslog', port: 514, protocol: 'tcp', format: 'cef' })
 */
export const syslog = createSyslog(linesOf)
