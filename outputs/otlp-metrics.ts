/** OTLP: events and responses as counters. */
import { defineOutput, duration, type Io, type Notice, type Sender, z } from '../src/plugin.ts'
import { unlessAborted } from './_connection.ts'
import { otlpSettings, postOtlp, resourceOf } from './_otlp.ts'
import { type Increase, increased, type Labels, metricsOf, type Sums } from './_otlp-sums.ts'
import { serial } from './_serial.ts'

const DAY = 86_400_000

const config = z.strictObject({
  ...otlpSettings('metrics'),
  extraAttributes: z
    .array(z.string().regex(/^[a-zA-Z_:][\w:.]*$/, 'must be the name of a field, of letters, digits and _ : .'))
    .default([])
    .describe('Text fields that are attributes too, with `_` for each `.`: each value is a series. Default none.'),
  interval: duration()
    .refine((milliseconds) => milliseconds >= 1_000 && milliseconds <= DAY, 'must be from 1s to 1d')
    .prefault('60s')
    .describe('How often the counters are exported when nothing happens, so that no store forgets them. Default 60s.'),
})

type Config = z.output<typeof config>

const INPUTS = 'falcosecurity_falcosidekick_inputs'
const MATCHES = 'falcosecurity_falco_rules_matches_total'
const RESPONSES = 'yarak_responses'

const DESCRIPTIONS: Labels = {
  [INPUTS]: 'Number of times an input is received',
  [MATCHES]: 'Number of times rules match',
  [RESPONSES]: 'Number of responses that ended',
}

const increasesOf = ({ event, report, digest }: Notice, { extraAttributes }: Config): Increase[] => {
  if (report) {
    const { rule, outcome, mode } = report
    return [{ metric: RESPONSES, labels: { rule, outcome, mode }, by: 1 }]
  }
  const by = digest?.count ?? 1
  const { source, priority, rule, hostname = 'unknown', tags } = event
  const extra = extraAttributes.map((name) => [name.replaceAll('.', '_'), textField(event.field(name))])
  return [
    { metric: INPUTS, labels: { source: 'requests', status: 'accepted' }, by },
    { metric: MATCHES, labels: { ...Object.fromEntries(extra), source, priority, rule, hostname, tags }, by },
  ]
}

const textField = (value: unknown): string => (typeof value === 'string' ? value : '')

const bodyOf = (sums: Sums, since: bigint, now: bigint) => {
  const scope = { name: 'falcosecurity.falco.otlpmetrics.meter' }
  const scopeMetrics = [{ scope, metrics: metricsOf(sums, DESCRIPTIONS, since, now) }]
  return { resourceMetrics: [{ ...resourceOf('0.1.0'), scopeMetrics }] }
}

/** What a failed export had in it is not counted: it comes again with the next try. */
const createSender = (settings: Config, io: Io, now: () => number): Sender => {
  const nanoseconds = (): bigint => BigInt(now()) * 1_000_000n
  const since = nanoseconds()
  const inTurn = serial()
  let sums: Sums = new Map()
  const post = (some: Sums, signal?: AbortSignal): Promise<void> =>
    postOtlp(bodyOf(some, since, nanoseconds()), settings, io, signal)
  const again = async (): Promise<void> => {
    if (sums.size > 0) await post(sums)
  }
  const timer = setInterval(() => void inTurn(again).catch(() => {}), settings.interval).unref()
  const send = async (notices: readonly Notice[], signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted()
    const next = increased(
      sums,
      notices.flatMap((notice) => increasesOf(notice, settings)),
    )
    await post(next, signal)
    sums = next
  }
  return {
    send: (notices, signal) => unlessAborted(signal, 'otlp.metrics', () => inTurn(() => send(notices, signal))),
    close: async () => clearInterval(timer),
  }
}

const notes = `
Counters, cumulative since the output was opened: \`${MATCHES}\` by \`source\`, \`priority\`, \`rule\`,
\`hostname\` and \`tags\`, and \`${INPUTS}\` for events; \`${RESPONSES}\` by \`rule\`, \`outcome\` and \`mode\`
for the reports of responses. Of a digest all its alerts are counted. Beyond 2,000 series of a counter the rest is one
series with the attribute \`otel.metric.overflow\`.

Differences from Falcosidekick: \`falcosecurity_falcosidekick_outputs\` is not exported, and of inputs only what was
accepted, since an output is not told of the rest: Yarak's own \`/metrics\` has both; the counters are exported when they
grow, and each \`interval\`; the variables \`OTEL_*\` do not replace these settings; no \`grpc\`; \`extraenvvars\` have no meaning
here.
`.trim()

/** What is exported after the first event of the sample. */
const exampleBody = () => {
  const own = { source: 'syscall', priority: 'Notice', rule: 'Terminal shell in container', hostname: 'node-1' }
  const tags = ['container', 'shell', 'mitre_execution']
  const sums = increased(new Map(), [
    { metric: INPUTS, labels: { source: 'requests', status: 'accepted' }, by: 1 },
    { metric: MATCHES, labels: { ...own, tags }, by: 1 },
  ])
  return bodyOf(sums, EXAMPLE_TIME, EXAMPLE_TIME)
}

const EXAMPLE_TIME = 1_769_860_800_000_000_000n

/** @param now milliseconds since 1970, e.g. always the same in a test */
export const createOtlpMetrics = (now: () => number = Date.now) =>
  defineOutput({
    type: 'otlp.metrics',
    summary: 'Counts events and responses, and exports the counters by OTLP.',
    notes,
    config,
    http: true,
    batch: 1_000,
    linger: 1_000,
    preview: (notice, settings) => bodyOf(increased(new Map(), increasesOf(notice, settings)), 0n, 0n),
    open: (settings, io) => createSender(settings, io, now),
    example: {
      config: { endpoint: 'http://otel-collector:4318', protocol: 'http/json' },
      sends: {
        url: 'http://otel-collector:4318/v1/metrics',
        body: exampleBody(),
      },
    },
  })

/**
 * Counts each notice, and exports all counters after each batch of them.
 *
 * Source: the `otlp.metrics` output of Falcosidekick 2.x (`outputs/otlp_metrics`); the OTLP specification 1.x.
 * @example otlpMetrics({ endpoint: 'http://prometheus:9090/api/v1/otlp/v1/metrics' })
 */
export const otlpMetrics = createOtlpMetrics()
