/** Logstash: notices as lines of JSON over one TCP connection. */
import { defineOutput, type FieldValue, type Notice, toJson, z } from '../src/plugin.ts'
import { type Lines, streamOf } from './_lines.ts'
import { payload } from './_payload.ts'
import { tlsSettings } from './_tls.ts'

const config = z.strictObject({
  address: z.string().min(1).describe('Host name or IP address of Logstash, without the port.'),
  port: z.int().min(1).max(65_535).default(5_044).describe('Port of its `tcp` input. Default 5044.'),
  tls: tlsSettings(),
  tags: z.array(z.string()).default([]).describe("Tags that are added to the event's. Default none."),
})

type Config = z.output<typeof config>

type Fields = Readonly<Record<string, FieldValue>>

const isFields = (value: FieldValue): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Logstash reads `[0]` in a name as a reference to a field: `proc.aname[2]` becomes `proc.aname.2`. */
const withoutBrackets = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name.replaceAll(/\[(\d+)\]/g, '.$1'),
      isFields(value) ? withoutBrackets(value) : value,
    ]),
  )

const lineOf = (notice: Notice, added: readonly string[]): string => {
  const { fields, tags } = notice.event
  const all = [...tags, ...added]
  const line = { ...payload(notice), output_fields: withoutBrackets(fields), ...(all.length > 0 && { tags: all }) }
  return `${toJson(line)}\r\n`
}

const notes = `
The line is the event as \`webhook\` sends it, for a \`tcp\` input with the codec \`json_lines\`; \`[0]\` in the name of a field
becomes \`.0\`. There is one connection, opened by the first event and again after a failure. Logstash does not say what it
took: what was on its way when the connection broke may be lost, or come twice.

Differences from Falcosidekick: nothing is connected at the start; the server's certificate is checked unless \`tls.verify\`
is false; a failed write is tried again.
`.trim()

/** The output on a connection of your own, e.g. a fake in a test. */
export const createLogstash = (connect: (settings: Config) => Lines) =>
  defineOutput({
    type: 'logstash',
    summary: 'Writes the event as a line of JSON to Logstash.',
    notes,
    config,
    batch: 100,
    ordered: true,
    preview: (notice, { tags }) => lineOf(notice, tags),
    open(settings, io) {
      const { address, port, tags } = settings
      const lines = connect(settings)
      const span = { name: 'write logstash', attributes: { 'server.address': address, 'server.port': port } }
      return {
        send: (notices, signal) =>
          io.call(span, () =>
            lines.write(
              notices.map((notice) => lineOf(notice, tags)),
              signal,
            ),
          ),
        close: () => lines.close(),
      }
    },
    example: { config: { address: 'logstash', port: 5_044, tags: ['falco'] } },
  })

/**
 * Writes each notice as a line of JSON.
 *
 * Source: the `logstash` output of Falcosidekick 2.x (`outputs/logstash.go`); Logstash's `tcp` input and `json_lines` codec.
 * @example logstash({ address: 'logstash', port: 5044, tls: { caFile: '/etc/ssl/logstash-ca.pem' } })
 */
export const logstash = createLogstash(({ address, port, tls }) => streamOf({ host: address, port }, tls))
