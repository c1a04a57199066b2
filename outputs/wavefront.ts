/** Wavefront (VMware Aria Operations for Applications): a point for each event. */
import { defineOutput, type HttpRequest, type Notice, secret, wholeOrEach, YarakError, z } from '../src/plugin.ts'
import { nanosOf } from './_nanos.ts'
import { clip, printable } from './_text.ts'

const config = z
  .strictObject({
    endpointType: z.enum(['direct', 'proxy']).describe('`direct`: to Wavefront itself; `proxy`: to a Wavefront proxy.'),
    endpointHost: z
      .string()
      .regex(/^(?:https?:\/\/)?[^\s/?#@:]+\/*$/, 'must be a host, without a port and a path')
      .describe('Host, e.g. `example.wavefront.com`; `https://` before it for a proxy that speaks TLS.'),
    endpointToken: secret().optional().describe('API token with the right of direct ingestion. Needed for `direct`.'),
    endpointMetricPort: z.int().min(1).max(65_535).default(2_878).describe('Port of the proxy. Default 2878.'),
    metricName: z.string().min(1).default('falco.alert').describe('Name of the metric. Default `falco.alert`.'),
  })
  .refine(({ endpointType, endpointToken }) => endpointType === 'proxy' || endpointToken, {
    path: ['endpointToken'],
    message: 'is required for direct',
  })

type Config = z.output<typeof config>

/** More, or longer ones, make Wavefront drop the point ("Wavefront Data Format"). */
const MAX_TAGS = 20
const MAX_NAME = 64
const MAX_TAG = 254

type Tags = Readonly<Record<string, string>>

const eventTags = ({ event }: Notice): Tags => {
  const texts = Object.entries(event.fields).filter((field): field is [string, string] => typeof field[1] === 'string')
  return {
    severity: event.priority,
    rule: event.rule,
    source: event.source,
    hostname: event.hostname ?? '',
    tags: event.tags.join(', '),
    ...Object.fromEntries(texts.sort(([one], [other]) => (one < other ? -1 : 1))),
  }
}

/** A name as Wavefront takes it. */
const nameText = (name: string): string => name.slice(0, MAX_NAME).replaceAll(/(?!^[~∆Δ])[^\w,\-./]/g, '-')

/** A backslash before a quote, or at the end, would take the quote along. */
const escape = (text: string): string =>
  printable(text)
    .replaceAll(/\\+(?="|$)/g, '_')
    .replaceAll('"', String.raw`\"`)

const valueText = (text: string, max: number): string => `"${clip(text.trim(), max, escape)}"`

const line = (metric: string, value: number, time: string, source: string, tags: Tags): string => {
  const named = new Map(
    Object.entries(tags).flatMap(([name, one]) => (one.trim() && name ? [[nameText(name), one]] : [])),
  )
  const shown = [...named].slice(0, MAX_TAGS).map(([name, one]) => `"${name}"=${valueText(one, MAX_TAG - name.length)}`)
  return `${[`"${nameText(metric)}"`, value, nanosOf(time), `source="${source}"`, ...shown].join(' ')}\n`
}

const lineOf = (notice: Notice, { metricName }: Config): string => {
  const { event, report, digest } = notice
  if (!report) return line(metricName, digest?.count ?? 1, event.time, 'falco-exporter', eventTags(notice))
  const { rule, outcome, mode, target = '' } = report
  const tags = { rule, outcome, mode, target, event_rule: event.rule, severity: event.priority }
  return line('yarak.response.duration', Math.round(report.duration), report.startedAt, 'yarak', tags)
}

const PATH = '/report?f=wavefront'

const requestOf = (notices: readonly Notice[], settings: Config): HttpRequest => {
  const { endpointType, endpointHost, endpointMetricPort, endpointToken } = settings
  const [, scheme, host] = /^(https?:\/\/)?([^/]+)/.exec(endpointHost) ?? []
  const isDirect = endpointType === 'direct'
  const origin = isDirect ? `https://${host}` : `${scheme ?? 'http://'}${host}:${endpointMetricPort}`
  return {
    url: `${origin}${PATH}`,
    template: PATH,
    headers: {
      'content-type': 'application/octet-stream',
      ...(isDirect && { authorization: `Bearer ${endpointToken}` }),
    },
    body: notices.map((notice) => lineOf(notice, settings)).join(''),
  }
}

/** By 406 Wavefront says that it gets too much. */
const pushedBack = (error: unknown): unknown => {
  if (!(error instanceof YarakError) || error.reason !== '406') return error
  const { code, message, reason, retryAfter } = error
  return new YarakError(code, message, { cause: error, reason, ...(retryAfter !== undefined && { retryAfter }) })
}

/**
 * Sends each notice as a point, many in one request.
 *
 * Source: the `wavefront` output of Falcosidekick 2.x (`outputs/wavefront.go`); "Wavefront Data Format" and "Direct Data
 * Ingestion" of Wavefront's documentation.
 * @example wavefront({ endpointType: 'proxy', endpointHost: 'wavefront-proxy.monitoring' })
 */
export const wavefront = defineOutput({
  type: 'wavefront',
  summary: 'Sends the event as a point of a metric to Wavefront, or to a Wavefront proxy.',
  notes: `
An event is a point of \`metricName\` at its own time with the value 1, of a digest the number of its alerts; its tags are
priority (\`severity\`), rule, source, hostname, tags and the event's text fields. The report of a response is a point of
\`yarak.response.duration\`, in milliseconds, with the tags \`rule\`, \`outcome\`, \`mode\`, \`target\`, \`event_rule\` and
\`severity\`. Each new value of a tag is a new series: name the fields that are worth it in Falco's rules.

Differences from Falcosidekick: many points are one request; a proxy gets HTTP on its metrics port also when
\`endpointHost\` is a bare host; an event with an empty text field is sent, without that tag; 20 tags at most, each of at
most 254 characters, since Wavefront drops the point otherwise; a backslash before a quote or at the end of a value is
written \`_\`. Its \`batchsize\` and \`flushintervalseconds\` are \`batch\` of any output here.
`.trim(),
  config,
  http: true,
  batch: 1_000,
  open: (settings, io) => ({
    send: (notices, signal) =>
      wholeOrEach(notices, async (some) => {
        try {
          await io.http(requestOf(some, settings), signal)
        } catch (error) {
          throw pushedBack(error)
        }
      }),
  }),
  example: {
    config: { endpointType: 'direct', endpointHost: 'example.wavefront.com', endpointToken: '0123456789abcdef' },
    sends: {
      url: 'https://example.wavefront.com/report?f=wavefront',
      body:
        '"falco.alert" 1 1769860800123456789 source="falco-exporter" "severity"="Notice" ' +
        '"rule"="Terminal shell in container" "source"="syscall" "hostname"="node-1" ' +
        '"tags"="container, shell, mitre_execution" "container.id"="4f8e0c1d2b3a" "k8s.ns.name"="default" ' +
        '"k8s.pod.name"="web-1" "proc.cmdline"="bash" "user.name"="root"\n',
    },
  },
})
