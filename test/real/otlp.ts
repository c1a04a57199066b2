/** OTLP's JSON as trace stores give it, read into plain values. */

/** A span, its children below it in the order in which they began. */
export interface SpanNode {
  readonly id: string
  readonly parentId: string | undefined
  /** What vendors say of the trace, as the header `tracestate` has it; empty when there is none. */
  readonly traceState: string
  readonly name: string
  readonly kind: 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  readonly status: { readonly code: 'unset' | 'ok' | 'error'; readonly message: string }
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
  readonly links: readonly SpanLink[]
  /** Nanoseconds since 1970. */
  readonly start: bigint
  readonly end: bigint
  /** Attributes of what sent the span. */
  readonly resource: Attributes
  readonly children: SpanNode[]
}

export interface SpanEvent {
  readonly name: string
  readonly time: bigint
  readonly attributes: Attributes
}

export interface SpanLink {
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Attributes
}

export type Attribute = string | number | boolean | null | readonly Attribute[] | { readonly [key: string]: Attribute }
export type Attributes = Readonly<Record<string, Attribute>>

interface KeyValue {
  key: string
  value?: AnyValue
}

interface AnyValue {
  stringValue?: string
  boolValue?: boolean
  intValue?: string | number
  doubleValue?: number
  bytesValue?: string
  arrayValue?: { values?: AnyValue[] }
  kvlistValue?: { values?: KeyValue[] }
}

interface OtlpSpan {
  spanId: string
  parentSpanId?: string
  traceState?: string
  name: string
  kind?: string | number
  status?: { code?: string | number; message?: string }
  attributes?: KeyValue[]
  events?: { name: string; timeUnixNano: string; attributes?: KeyValue[] }[]
  links?: { traceId: string; spanId: string; attributes?: KeyValue[] }[]
  startTimeUnixNano: string
  endTimeUnixNano: string
}

/** Spans grouped by what sent them, the unit of OTLP. */
export interface ResourceSpans {
  resource?: { attributes?: KeyValue[] }
  scopeSpans?: { spans?: OtlpSpan[] }[]
  /** What OTLP called `scopeSpans` before 1.0. */
  instrumentationLibrarySpans?: { spans?: OtlpSpan[] }[]
}

const kinds = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const
const codes = ['unset', 'ok', 'error'] as const

/** All spans of a document, without their children. */
export const readSpans = (groups: readonly ResourceSpans[]): SpanNode[] =>
  groups.flatMap((group) => {
    const resource = readAttributes(group.resource?.attributes)
    const scopes = group.scopeSpans ?? group.instrumentationLibrarySpans ?? []
    return scopes.flatMap((scope) => (scope.spans ?? []).map((span) => readSpan(span, resource)))
  })

const readSpan = (span: OtlpSpan, resource: Attributes): SpanNode => ({
  id: readId(span.spanId),
  parentId: readParent(span.parentSpanId),
  traceState: span.traceState ?? '',
  name: span.name,
  kind: readEnum(kinds, span.kind),
  status: { code: readEnum(codes, span.status?.code), message: span.status?.message ?? '' },
  attributes: readAttributes(span.attributes),
  events: (span.events ?? []).map(({ name, timeUnixNano, attributes }) => ({
    name,
    time: BigInt(timeUnixNano),
    attributes: readAttributes(attributes),
  })),
  links: (span.links ?? []).map((link) => ({
    traceId: readId(link.traceId),
    spanId: readId(link.spanId),
    attributes: readAttributes(link.attributes),
  })),
  start: BigInt(span.startTimeUnixNano),
  end: BigInt(span.endTimeUnixNano),
  resource,
  children: [],
})

/** A root has no parent id, or one of zeros. */
const readParent = (id = ''): string | undefined => (/[^0]/.test(readId(id)) ? readId(id) : undefined)

/** OTLP's JSON has ids in hexadecimal; Tempo's is plain protobuf JSON, which has them in base64. */
const readId = (id: string): string => (/^([0-9a-f]{16}){1,2}$/i.test(id) ? id.toLowerCase() : fromBase64(id))
const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString('hex')

/** An enumeration comes as its number or as its name with a prefix, e.g. `SPAN_KIND_SERVER`. */
const readEnum = <T extends string>(names: readonly [T, ...T[]], value: string | number | undefined): T => {
  const last = typeof value === 'string' ? value.split('_').pop()?.toLowerCase() : value
  return names.find((name, index) => name === last || index === last) ?? names[0]
}

const readAttributes = (list: readonly KeyValue[] = []): Attributes =>
  Object.fromEntries(list.map(({ key, value }) => [key, readValue(value)]))

const readValue = (value: AnyValue = {}): Attribute => {
  if (value.intValue !== undefined) return Number(value.intValue)
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(readValue)
  if (value.kvlistValue) return readAttributes(value.kvlistValue.values)
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? value.bytesValue ?? null
}
