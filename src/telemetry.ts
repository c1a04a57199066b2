/**
 * Tracing: the only file that imports OpenTelemetry. The engine uses the API alone, so that an embedding program's own
 * set-up is used; {@link startTelemetry} starts the SDK and is called by the binary only.
 */
import {
  type Context,
  context,
  createContextKey,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  type Link,
  propagation,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span as ApiSpan,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from '@opentelemetry/api'
import type { ReadableSpan, Sampler, SpanExporter } from '@opentelemetry/sdk-trace'
import { createClock } from './clock.ts'
import { messageOf, reasonOf } from './errors.ts'
import type { Log } from './plugin.ts'
import { mapTexts } from './texts.ts'
import type { SpanRecord } from './trace-tree.ts'

export type SpanAttributes = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/** An open span, as the engine sees it. */
export interface Span {
  /** Undefined when nothing is traced. */
  readonly traceId: string | undefined
  /** The W3C header that makes another process's span a child of this one. */
  readonly traceparent: string | undefined
  set(attributes: SpanAttributes): void
  event(name: string, attributes?: SpanAttributes): void
  /** Marks the span as failed, with `error.type`. */
  fail(error: unknown): void
  end(at?: number): void
  /** Runs `fn` with this span as the active one, so that a host's own instrumentation nests under it. */
  run<T>(fn: () => T): T
  /** Trace context headers for an outbound call. */
  headers(): Record<string, string>
}

export type Headers = Readonly<Record<string, string | undefined>>

export interface StartOptions {
  readonly kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  /** A span of ours, or the headers of a sender; neither: the active span, else a root. */
  readonly parent?: Span | undefined
  readonly from?: Headers | undefined
  readonly attributes?: SpanAttributes
  /** Milliseconds since the epoch; default now. */
  readonly at?: number
  readonly links?: readonly (Span | string)[]
}

/** Starts spans. */
export interface Tracing {
  start(name: string, options?: StartOptions): Span
  /** Nobody has set up tracing: every span is nothing. */
  readonly idle: boolean
  /**
   * The span of a `traceparent`, which may have ended long ago, as a parent.
   * @param cluster of its event
   */
  remote(traceparent: string | undefined, cluster?: string): Span
  /** Milliseconds since the epoch, with fractions: the clock of all spans, so that they are in order. */
  now(): number
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const

/** What the API uses until a program sets up tracing. */
const NO_PROVIDER = new ProxyTracerProvider().getDelegate()

const CONTEXTS = new WeakMap<Span, Context>()

/**
 * Tracing through whatever OpenTelemetry provider is registered; without one, spans cost next to nothing.
 * @param clean applied to the text of every attribute and error. Default none
 */
export const createTracing = (version: string, clean?: (text: string) => string): Tracing => {
  const tracer = trace.getTracer('yarak', version)
  const clock = createClock()
  const cleaned = <A>(attributes: A): A => (clean ? mapTexts(attributes, clean) : attributes)
  const now = (): number => (isIdle() ? Date.now() : clock())
  const provider = trace.getTracerProvider()
  const isIdle = (): boolean => provider instanceof ProxyTracerProvider && provider.getDelegate() === NO_PROVIDER
  return {
    now,
    get idle() {
      return isIdle()
    },
    remote(traceparent, cluster) {
      const at = traceparent ? propagation.extract(ROOT_CONTEXT, { traceparent }) : ROOT_CONTEXT
      return wrap(trace.getSpan(at) ?? trace.wrapSpanContext(INVALID_SPAN_CONTEXT), within(at, cluster), now, clean)
    },
    start(name, options = {}) {
      if (isIdle()) return NOTHING
      const parent = parentContext(options)
      const cluster = (options.attributes?.[CLUSTER] ?? parent.getValue(CLUSTER_KEY)) as string | undefined
      const attributes = cluster === undefined ? options.attributes : { ...options.attributes, [CLUSTER]: cluster }
      const span = tracer.startSpan(
        name,
        {
          kind: KINDS[options.kind ?? 'internal'],
          ...(attributes && { attributes: cleaned(attributes) }),
          startTime: options.at ?? now(),
          ...(options.links?.length && { links: options.links.flatMap(linkTo) }),
        },
        parent,
      )
      return wrap(span, within(trace.setSpan(parent, span), cluster), now, clean)
    },
  }
}

/** Every span of an event tells its cluster: those below take it from those above. */
const CLUSTER = 'k8s.cluster.name'
const CLUSTER_KEY = createContextKey(`yarak ${CLUSTER}`)

const within = (at: Context, cluster: string | undefined): Context =>
  cluster === undefined ? at : at.setValue(CLUSTER_KEY, cluster)

const parentContext = ({ parent, from }: StartOptions): Context =>
  (parent && CONTEXTS.get(parent)) ?? (from ? propagation.extract(context.active(), from) : context.active())

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

const linkTo = (to: Span | string): Link[] => {
  const match = TRACEPARENT.exec((typeof to === 'string' ? to : to.traceparent) ?? '')
  return match
    ? [
        {
          context: { traceId: match[1] ?? '', spanId: match[2] ?? '', traceFlags: Number.parseInt(match[3] ?? '', 16) },
        },
      ]
    : []
}

/** Without a provider nothing is recorded, and there is nothing to pass on. */
const NOTHING: Span = Object.freeze({
  traceId: undefined,
  traceparent: undefined,
  set: () => {},
  event: () => {},
  fail: () => {},
  end: () => {},
  run: <T>(fn: () => T): T => fn(),
  headers: () => ({}),
})

const wrap = (span: ApiSpan, own: Context, now: () => number, clean?: (text: string) => string): Span => {
  const cleaned = <A>(attributes: A): A => (clean ? mapTexts(attributes, clean) : attributes)
  const id = span.spanContext()
  const valid = isSpanContextValid(id)
  if (!valid && !span.isRecording()) return NOTHING
  const wrapped: Span = {
    traceId: valid ? id.traceId : undefined,
    traceparent: valid ? `00-${id.traceId}-${id.spanId}-0${id.traceFlags & 1}` : undefined,
    set: (attributes) => void span.setAttributes(cleaned(attributes)),
    event: (name, attributes) => void span.addEvent(name, attributes && cleaned(attributes)),
    fail(error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: clean ? clean(messageOf(error)) : messageOf(error) })
      span.setAttribute('error.type', reasonOf(error))
    },
    end: (at) => span.end(at ?? now()),
    run: (fn) => context.with(own, fn),
    headers() {
      const carrier: Record<string, string> = {}
      propagation.inject(own, carrier)
      return carrier
    },
  }
  CONTEXTS.set(wrapped, own)
  return wrapped
}

// ── the SDK, for the binary ─────────────────────────────────────────────────────────────────────────────────────────

export interface TelemetryOptions {
  readonly version: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Told when spans cannot be exported, once for each outage. */
  readonly log: Log
  /** Called once for each finished trace that holds a response, e.g. to print it as a tree. */
  readonly onTrace?: ((spans: readonly SpanRecord[]) => void) | undefined
}

export interface Telemetry {
  /** Exports what is left; waits at most `ms`. */
  stop(ms: number): Promise<void>
}

/** As the specification has it, any case will do. */
const isDisabled = (env: TelemetryOptions['env']): boolean => env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true'

/** True when the standard variables ask for an export; an empty one counts as not set. Without one, Yarak is silent. */
const wantsExport = (env: TelemetryOptions['env']): boolean =>
  env.OTEL_TRACES_EXPORTER !== 'none' &&
  Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_TRACES_EXPORTER)

const numberOf = (text: string | undefined, otherwise: number): number => (text?.trim() ? Number(text) : otherwise)

/**
 * Starts the OpenTelemetry SDK as the standard `OTEL_*` variables say; loads nothing when there is nothing to do.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export const startTelemetry = async (options: TelemetryOptions): Promise<Telemetry> => {
  const { env, onTrace, log } = options
  if (isDisabled(env) && onTrace) log.warn('OTEL_SDK_DISABLED is set: nothing is traced, and no response is shown')
  if (isDisabled(env) || (!wantsExport(env) && !onTrace)) return { stop: async () => {} }
  const [{ NodeSDK }, sdkTrace, { resourceFromAttributes, defaultResource }] = await Promise.all([
    import('@opentelemetry/sdk-node'),
    loadSdkTrace(),
    import('@opentelemetry/resources'),
  ])
  const exporters = wantsExport(env) ? await exportersOf(env, log) : []
  const sdk = new NodeSDK({
    resource: defaultResource().merge(
      resourceFromAttributes({ 'service.name': env.OTEL_SERVICE_NAME ?? 'yarak', 'service.version': options.version }),
    ),
    sampler: matchedFirst(sdkTrace, samplerOf(sdkTrace, env)),
    spanProcessors: [
      ...exporters.map(
        (exporter) =>
          new sdkTrace.BatchSpanProcessor({
            exporter: told(exporter, log),
            maxQueueSize: numberOf(env.OTEL_BSP_MAX_QUEUE_SIZE, 65_536),
            maxExportBatchSize: numberOf(env.OTEL_BSP_MAX_EXPORT_BATCH_SIZE, 2_048),
            scheduledDelayMillis: numberOf(env.OTEL_BSP_SCHEDULE_DELAY, 1_000),
          }),
      ),
      ...(onTrace ? [collector(onTrace)] : []),
    ],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
  })
  sdk.start()
  return {
    async stop(ms) {
      const late = new Promise<void>((done) => setTimeout(done, ms).unref())
      await Promise.race([sdk.shutdown().catch(() => {}), late])
      for (const api of [trace, context, propagation]) api.disable()
    },
  }
}

type SdkTrace = Pick<
  Awaited<ReturnType<typeof loadSdkTrace>>,
  'AlwaysOffSampler' | 'AlwaysOnSampler' | 'TraceIdRatioBasedSampler' | 'ParentBasedSampler' | 'SamplingDecision'
>

const loadSdkTrace = () => import('@opentelemetry/sdk-trace')

const exportersOf = async (env: TelemetryOptions['env'], log: Log): Promise<SpanExporter[]> => {
  const names = (env.OTEL_TRACES_EXPORTER || 'otlp').split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !['otlp', 'console', 'none'].includes(name))
  if (unknown.length > 0)
    log.warn(`OTEL_TRACES_EXPORTER: ${unknown.join(', ')} is not known; there are otlp, console and none`)
  return Promise.all([
    ...(names.includes('otlp') ? [otlpExporter(env)] : []),
    ...(names.includes('console')
      ? [import('@opentelemetry/sdk-trace').then(({ ConsoleSpanExporter }) => new ConsoleSpanExporter())]
      : []),
  ])
}

const otlpExporter = async (env: TelemetryOptions['env']): Promise<SpanExporter> => {
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? env.OTEL_EXPORTER_OTLP_PROTOCOL
  if (protocol === 'grpc') return new (await import('@opentelemetry/exporter-trace-otlp-grpc')).OTLPTraceExporter()
  if (protocol === 'http/json') return new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter()
  return new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter()
}

/** The exporter, saying when it begins to fail and when it works again. */
const told = (exporter: SpanExporter, log: Log): SpanExporter => {
  let failing = false
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const fails = result.error !== undefined || Number(result.code) !== 0
        if (fails && !failing)
          log.warn('spans cannot be exported', { error: messageOf(result.error), spans: spans.length })
        if (!fails && failing) log.info('spans are exported again')
        failing = fails
        done(result)
      })
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  }
}

const samplerOf = (sdk: SdkTrace, env: TelemetryOptions['env']): Sampler => {
  const name = env.OTEL_TRACES_SAMPLER ?? 'parentbased_always_on'
  const base = name.replace('parentbased_', '')
  const root =
    base === 'always_off'
      ? new sdk.AlwaysOffSampler()
      : base === 'traceidratio'
        ? new sdk.TraceIdRatioBasedSampler(Number(env.OTEL_TRACES_SAMPLER_ARG ?? 1))
        : new sdk.AlwaysOnSampler()
  return name.startsWith('parentbased_') ? new sdk.ParentBasedSampler({ root }) : root
}

/**
 * Records every event that a rule matched, also under a parent that was not sampled, with all that comes of it; the rest
 * as configured.
 */
const matchedFirst = ({ SamplingDecision }: SdkTrace, otherwise: Sampler): Sampler => ({
  shouldSample(parent, traceId, name, kind, attributes, links) {
    const above = trace.getSpanContext(parent)
    const within = above !== undefined && above.isRemote !== true && (above.traceFlags & TraceFlags.SAMPLED) !== 0
    return within || Number(attributes['yarak.matched'] ?? 0) > 0
      ? { decision: SamplingDecision.RECORD_AND_SAMPLED }
      : otherwise.shouldSample(parent, traceId, name, kind, attributes, links)
  },
  toString: () => `MatchedFirst{${otherwise.toString()}}`,
})

/** How long after a trace's last open span we wait for another one, in milliseconds. */
const QUIET = 60
/** Traces kept while they are open; beyond it the oldest is let go. */
const MAX_TRACES = 2_000

interface OpenTrace {
  open: number
  spans: SpanRecord[]
  timer?: NodeJS.Timeout
}

/** A span processor that hands over whole traces, once nothing of them is open any more. */
const collector = (onTrace: (spans: readonly SpanRecord[]) => void) => {
  const traces = new Map<string, OpenTrace>()
  const flush = (traceId: string): void => {
    const found = traces.get(traceId)
    clearTimeout(found?.timer)
    traces.delete(traceId)
    if (found?.spans.some(({ name }) => name.startsWith('respond '))) onTrace(found.spans)
  }
  return {
    onStart(span: { spanContext(): { traceId: string } }) {
      const { traceId } = span.spanContext()
      const found = traces.get(traceId) ?? { open: 0, spans: [] }
      clearTimeout(found.timer)
      found.open++
      traces.set(traceId, found)
      const oldest = traces.size > MAX_TRACES ? traces.keys().next().value : undefined
      if (oldest !== undefined) traces.delete(oldest)
    },
    onEnd(span: ReadableSpan) {
      const { traceId } = span.spanContext()
      const found = traces.get(traceId)
      if (!found) return
      found.spans.push(recordOf(span))
      if (--found.open === 0) found.timer = setTimeout(() => flush(traceId), QUIET).unref()
    },
    async forceFlush() {},
    async shutdown() {
      for (const traceId of [...traces.keys()]) flush(traceId)
    },
  }
}

const millis = ([seconds, nanos]: readonly [number, number]): number => seconds * 1_000 + nanos / 1_000_000

/** A finished span as plain data. */
export const recordOf = (span: ReadableSpan): SpanRecord => ({
  name: span.name,
  kind: (SpanKind[span.kind] ?? 'INTERNAL').toLowerCase(),
  traceId: span.spanContext().traceId,
  spanId: span.spanContext().spanId,
  parentId: span.parentSpanContext?.spanId,
  start: millis(span.startTime),
  end: millis(span.endTime),
  failed: span.status.code === SpanStatusCode.ERROR,
  message: span.status.message,
  attributes: span.attributes,
  events: span.events.map((event) => ({ name: event.name, attributes: event.attributes ?? {} })),
  links: span.links.map(({ context: { spanId } }) => spanId),
})
