/** InfluxDB. */
import { defineOutput, message, type Notice, secret, z } from '../src/plugin.ts'
import { basicAuth } from './_basic.ts'
import { type Point, pointLine, PRECISIONS } from './_influx-line.ts'
import { serverUrl } from './_settings.ts'
import { postTexts } from './_texts.ts'
import { under } from './_url.ts'

const config = z.strictObject({
  hostPort: serverUrl().describe('Address of the server, e.g. `http://influxdb:8086`.'),
  database: z.string().min(1).default('falco').describe('Database of InfluxDB 1. Default falco.'),
  organization: z.string().default('').describe('Organization of InfluxDB 2 and later. Default none: InfluxDB 1.'),
  bucket: z.string().default('falco').describe('Bucket of InfluxDB 2 and later. Default falco.'),
  precision: z
    .enum(PRECISIONS)
    .default('ns')
    .describe('What times are rounded down to: ns, us, ms or s; for InfluxDB 1 also u, m or h. Default ns.'),
  user: z.string().optional().describe('Name for InfluxDB 1. Default none.'),
  password: secret().optional().describe('Password for InfluxDB 1.'),
  token: secret().optional().describe('Token; name and password are not sent then.'),
})

type Config = z.output<typeof config>

const LIMITS = { count: 1_000, size: 5_000_000 }

const eventPoint = ({ event, digest }: Notice): Point => {
  const own = [
    ['rule', event.rule],
    ['priority', event.priority],
    ['source', event.source],
    ['hostname', event.hostname ?? ''],
    ['tags', event.tags.join('_')],
  ] as const
  const texts = Object.entries(event.fields).flatMap(([name, value]) =>
    typeof value === 'string' ? [[name, value] as const] : [],
  )
  return {
    measurement: 'events',
    tags: [...own, ...texts.sort(([one], [other]) => (one < other ? -1 : 1)), ...own],
    fields: { value: event.output, ...(digest && { alerts: digest.count }) },
    time: event.time,
  }
}

const pointOf = (notice: Notice): Point => {
  const { event, report } = notice
  if (!report) return eventPoint(notice)
  const { title, text } = message(notice)
  return {
    measurement: 'responses',
    tags: [
      ['rule', report.rule],
      ['outcome', report.outcome],
      ['mode', report.mode],
      ['event_rule', event.rule],
      ['source', event.source],
      ['hostname', event.hostname ?? ''],
      ['target', report.target ?? ''],
    ],
    fields: {
      value: [title, text].filter(Boolean).join('; '),
      duration: report.duration,
      response: report.id,
      ...(report.traceId && { trace: notice.traceUrl ?? report.traceId }),
    },
    time: report.startedAt,
  }
}

/** Where to write, by the API of InfluxDB 2 when an organization is set. */
const placeOf = ({ hostPort, database, organization, bucket, precision }: Config) => {
  const isNew = organization !== '' && bucket !== ''
  const template = isNew ? '/api/v2/write' : '/write'
  const query = new URLSearchParams({ ...(isNew ? { org: organization, bucket } : { db: database }), precision })
  return { url: under(hostPort, `${template}?${query.toString()}`), template }
}

/**
 * Writes each notice as a point, many in one request.
 *
 * Source: the `influxdb` output of Falcosidekick 2.x (`outputs/influxdb.go`); `/write` and `/api/v2/write` of InfluxDB's
 * HTTP API.
 * @example influxdb({ hostPort: 'http://influxdb:8086', organization: 'acme', bucket: 'falco', token: '…' })
 */
export const influxdb = defineOutput({
  type: 'influxdb',
  summary: 'Writes the event as a point to InfluxDB.',
  notes: `
An event is a point of the measurement \`events\`: its rule, priority, source, text fields, hostname and tags are tags, its
output is the field \`value\`; a digest has the field \`alerts\`. The report of a response is a point of the measurement
\`responses\` with the tags \`rule\`, \`outcome\`, \`mode\`, \`event_rule\`, \`source\`, \`hostname\` and \`target\`, and the fields
\`value\`, \`duration\` (milliseconds), \`response\` and \`trace\`. Up to 1,000 points or 5 MB are one request; a point waits up to
a second for others.

Differences from Falcosidekick: the point has the event's time, so that one that is written a second time is the same
point; commas, equals signs, quotes, line ends and backslashes are written so that no event can add tags or points,
and blanks of every tag become \`_\`; name and password are in a header, not in the URL; fields over InfluxDB's limits are cut,
and tags that do not fit left out.
`.trim(),
  config,
  http: true,
  batch: LIMITS.count,
  linger: 1_000,
  open(settings, io) {
    const { user, password, token, precision } = settings
    const place = placeOf(settings)
    const headers = {
      accept: 'application/json',
      'content-type': 'text/plain; charset=utf-8',
      authorization: token ? `Token ${token}` : basicAuth(user, password),
    }
    return {
      send: (notices, signal) =>
        postTexts(
          notices.map((notice) => pointLine(pointOf(notice), precision)),
          LIMITS,
          (lines) => io.http({ ...place, headers, body: lines.join('\n') }, signal),
        ),
    }
  },
  example: {
    config: { hostPort: 'http://influxdb:8086', organization: 'acme', token: 'dGhpcyBpcyBub3QgYSB0b2tlbg==' },
    sends: {
      url: 'http://influxdb:8086/api/v2/write?org=acme&bucket=falco&precision=ns',
      body:
        'events,rule=Terminal_shell_in_container,priority=Notice,source=syscall,hostname=node-1,' +
        'tags=container_shell_mitre_execution,container.id=4f8e0c1d2b3a,k8s.ns.name=default,k8s.pod.name=web-1,' +
        'proc.cmdline=bash,user.name=root ' +
        'value="A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)" ' +
        '1769860800123456789',
    },
  },
})
