/**
 * Tracing, as the engine sees it: over the OpenTelemetry API alone, so that an embedding program's own set-up is used.
 * What starts an SDK is in `telemetry/`, and is called by the binary only. Nothing else imports OpenTelemetry.
 */
import {
  type Context,
  context,
  createContextKey,
  isSpanContextValid,
  type Link,
  propagation,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span as ApiSpan,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api'
import { createClock } from './clock.ts'
import { messageOf, reasonOf } from './errors.ts'
import { fnv128 } from './fnv.ts'
import type { TraceFields } from './log-area.ts'
import { mapTexts } from './texts.ts'

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
  /** Points to another span, in this trace or another. */
  link(to: Span | string): void
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
  /** A root that has the same text is in the same trace, where the SDK lets us choose. Default a trace of its own. */
  readonly group?: string | undefined
}

/** Lets the SDK's next root have a trace id of ours. */
export interface TraceIds {
  /** Called right before a root is started. */
  next(traceId: string): void
}

export interface TracingOptions {
  /** Applied to the text of every attribute and error. Default none. */
  readonly clean?: ((text: string) => string) | undefined
  /** Default every root has an id of the SDK's own. */
  readonly ids?: TraceIds | undefined
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
  /** Of the span that is active, where the program keeps track of that. */
  activeIds(): TraceFields | undefined
  /** Runs `fn` below no span: what goes on for long is no part of what happened to begin it. */
  apart<T>(fn: () => T): T
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

/** Tracing through whatever OpenTelemetry provider is registered; without one, spans cost next to nothing. */
export const createTracing = (version: string, { clean, ids }: TracingOptions = {}): Tracing => {
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
    activeIds() {
      const id = trace.getActiveSpan()?.spanContext()
      return id && isSpanContextValid(id) ? { trace_id: id.traceId, span_id: id.spanId } : undefined
    },
    apart: (fn) => context.with(ROOT_CONTEXT, fn),
    remote(traceparent, cluster) {
      const id = traceparent === undefined ? undefined : spanContextOf(traceparent)
      if (!id) return NO_SPAN
      const span = trace.wrapSpanContext({ ...id, isRemote: true })
      return new OpenSpan(span, { context: within(trace.setSpan(ROOT_CONTEXT, span), cluster), now, clean })
    },
    start(name, options = {}) {
      if (isIdle()) return NO_SPAN
      const parent = parentContext(options)
      if (options.group !== undefined && ids && !trace.getSpanContext(parent)) ids.next(fnv128(options.group))
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
      // what an SDK does not record and does not know by an id is nothing
      if (!span.isRecording() && !isSpanContextValid(span.spanContext())) return NO_SPAN
      return new OpenSpan(span, { context: within(trace.setSpan(parent, span), cluster), now, clean })
    },
  }
}

/** Every span of an event tells its cluster: those below take it from those above. */
const CLUSTER = 'k8s.cluster.name'
const CLUSTER_KEY = createContextKey(`yarak ${CLUSTER}`)

const within = (at: Context, cluster: string | undefined): Context =>
  cluster === undefined ? at : at.setValue(CLUSTER_KEY, cluster)

const parentContext = ({ parent, from }: StartOptions): Context =>
  (parent instanceof OpenSpan ? parent.context : undefined) ??
  (from ? propagation.extract(context.active(), from, HARMLESS) : context.active())

/** What a sender says of its trace goes out with every call: a line break in it would make each of them fail. */
const HARMLESS: TextMapGetter<Headers> = {
  get: (headers, name) => (PRINTABLE.test(headers[name] ?? '') ? headers[name] : undefined),
  keys: (headers) => Object.keys(headers),
}

/** The length is that of W3C Baggage, the longest of them. */
const PRINTABLE = /^[\t\x20-\x7e]{0,8192}$/

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** The span that a `traceparent` names; ids of zeros name none. */
const spanContextOf = (traceparent: string): SpanContext | undefined => {
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(traceparent) ?? []
  const context = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) }
  return isSpanContextValid(context) ? context : undefined
}

const linkTo = (to: Span | string): Link[] => {
  const context = spanContextOf((typeof to === 'string' ? to : to.traceparent) ?? '')
  return context ? [{ context }] : []
}

/** A span of nothing: nothing is recorded, and there is nothing to pass on. As all are without a provider. */
export const NO_SPAN: Span = Object.freeze({
  traceId: undefined,
  traceparent: undefined,
  set: () => {},
  event: () => {},
  fail: () => {},
  end: () => {},
  link: () => {},
  run: <T>(fn: () => T): T => fn(),
  headers: () => ({}),
})

/** A class, since there are several spans for each event. */
class OpenSpan implements Span {
  readonly traceId: string | undefined
  readonly #id: SpanContext
  readonly #span: ApiSpan
  readonly #within: Within

  constructor(span: ApiSpan, within: Within) {
    this.#span = span
    this.#within = within
    this.#id = span.spanContext()
    this.traceId = this.#id.traceId
  }

  /** What is started below it has this as its parent. */
  get context(): Context {
    return this.#within.context
  }

  get traceparent(): string {
    const { traceId, spanId, traceFlags } = this.#id
    return `00-${traceId}-${spanId}-0${traceFlags & 1}`
  }

  #cleaned<A>(attributes: A): A {
    const { clean } = this.#within
    return clean ? mapTexts(attributes, clean) : attributes
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(this.#cleaned(attributes))
  }

  event(name: string, attributes?: SpanAttributes): void {
    this.#span.addEvent(name, attributes && this.#cleaned(attributes))
  }

  fail(error: unknown): void {
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: this.#cleaned(messageOf(error)) })
    this.#span.setAttribute('error.type', reasonOf(error))
  }

  end(at?: number): void {
    this.#span.end(at ?? this.#within.now())
  }

  link(to: Span | string): void {
    this.#span.addLinks(linkTo(to))
  }

  run<T>(fn: () => T): T {
    return context.with(this.#within.context, fn)
  }

  headers(): Record<string, string> {
    const carrier: Record<string, string> = {}
    propagation.inject(this.#within.context, carrier)
    return carrier
  }
}

interface Within {
  readonly context: Context
  now(): number
  readonly clean?: ((text: string) => string) | undefined
}
