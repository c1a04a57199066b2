/** Reads OTLP's protobuf back into what it is as JSON, by the numbers of the `.proto` files of opentelemetry-proto. */

type Read = 'text' | 'hex' | 'int' | 'long' | 'bool' | 'fixed64' | 'fixed32' | 'double' | (() => Table)
type Table = Readonly<Record<number, readonly [name: string, read: Read, many?: 'many']>>

const anyValue = (): Table => ({
  1: ['stringValue', 'text'],
  2: ['boolValue', 'bool'],
  3: ['intValue', 'long'],
  4: ['doubleValue', 'double'],
  5: ['arrayValue', () => ({ 1: ['values', anyValue, 'many'] })],
  6: ['kvlistValue', () => ({ 1: ['values', keyValue, 'many'] })],
})
const keyValue = (): Table => ({ 1: ['key', 'text'], 2: ['value', anyValue] })

const span = (): Table => ({
  1: ['traceId', 'hex'],
  2: ['spanId', 'hex'],
  3: ['traceState', 'text'],
  4: ['parentSpanId', 'hex'],
  5: ['name', 'text'],
  6: ['kind', 'int'],
  7: ['startTimeUnixNano', 'fixed64'],
  8: ['endTimeUnixNano', 'fixed64'],
  9: ['attributes', keyValue, 'many'],
  11: [
    'events',
    () => ({ 1: ['timeUnixNano', 'fixed64'], 2: ['name', 'text'], 3: ['attributes', keyValue, 'many'] }),
    'many',
  ],
  13: ['links', () => ({ 1: ['traceId', 'hex'], 2: ['spanId', 'hex'] }), 'many'],
  15: ['status', () => ({ 2: ['message', 'text'], 3: ['code', 'int'] })],
  16: ['flags', 'fixed32'],
})

const logRecord = (): Table => ({
  1: ['timeUnixNano', 'fixed64'],
  2: ['severityNumber', 'int'],
  3: ['severityText', 'text'],
  5: ['body', anyValue],
  6: ['attributes', keyValue, 'many'],
  8: ['flags', 'fixed32'],
  9: ['traceId', 'hex'],
  10: ['spanId', 'hex'],
  11: ['observedTimeUnixNano', 'fixed64'],
})

const dataPoint = (): Table => ({
  2: ['startTimeUnixNano', 'fixed64'],
  3: ['timeUnixNano', 'fixed64'],
  6: ['asInt', 'fixed64'],
  7: ['attributes', keyValue, 'many'],
})

const metric = (): Table => ({
  1: ['name', 'text'],
  2: ['description', 'text'],
  7: [
    'sum',
    () => ({ 1: ['dataPoints', dataPoint, 'many'], 2: ['aggregationTemporality', 'int'], 3: ['isMonotonic', 'bool'] }),
  ],
})

const request = (group: string, inner: string, items: string, item: () => Table) => (): Table => ({
  1: [
    group,
    () => ({
      1: ['resource', () => ({ 1: ['attributes', keyValue, 'many'] })],
      2: [inner, () => ({ 1: ['scope', () => ({ 1: ['name', 'text'] })], 2: [items, item, 'many'] }), 'many'],
      3: ['schemaUrl', 'text'],
    }),
    'many',
  ],
})

export const REQUESTS = {
  traces: request('resourceSpans', 'scopeSpans', 'spans', span),
  logs: request('resourceLogs', 'scopeLogs', 'logRecords', logRecord),
  metrics: request('resourceMetrics', 'scopeMetrics', 'metrics', metric),
}

const varintAt = (bytes: Buffer, at: number): [value: bigint, next: number] => {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[at++] ?? 0
    value |= BigInt(byte & 127) << shift
    if (byte < 128) return [value, at]
  }
}

/** Throws for a member with a number or a wire type that is not of the table. */
export const decoded = (bytes: Buffer, tableOf: () => Table): Record<string, unknown> => {
  const table = tableOf()
  const made: Record<string, unknown> = {}
  for (let at = 0; at < bytes.length;) {
    const [tag, start] = varintAt(bytes, at)
    const [name, read, many] = table[Number(tag >> 3n)] ?? []
    if (name === undefined || read === undefined) throw new Error(`no member ${tag >> 3n}`)
    const [value, next] = member(bytes, start, read, Number(tag & 7n))
    at = next
    made[name] = many ? [...((made[name] as unknown[] | undefined) ?? []), value] : value
  }
  return made
}

const WIRES: Readonly<Record<string, number>> = { int: 0, long: 0, bool: 0, fixed64: 1, double: 1, fixed32: 5 }

const member = (bytes: Buffer, at: number, read: Read, wire: number): [unknown, number] => {
  if (wire !== (typeof read === 'string' ? (WIRES[read] ?? 2) : 2))
    throw new Error(`wire type ${wire} of ${String(read)}`)
  if (read === 'fixed64') return [String(bytes.readBigUInt64LE(at)), at + 8]
  if (read === 'double') return [bytes.readDoubleLE(at), at + 8]
  if (read === 'fixed32') return [bytes.readUInt32LE(at), at + 4]
  const [value, start] = varintAt(bytes, at)
  if (read === 'int') return [Number(value), start]
  if (read === 'bool') return [value === 1n, start]
  if (read === 'long') return [String(BigInt.asIntN(64, value)), start]
  const inner = bytes.subarray(start, start + Number(value))
  const end = start + Number(value)
  if (read === 'text') return [inner.toString(), end]
  return [read === 'hex' ? inner.toString('hex') : decoded(inner, read), end]
}

type Value = Readonly<Record<string, unknown>>

/** Attributes as a plain object: what `anyValue` makes of values, back again. */
export const plainAttributes = (list: unknown): Record<string, unknown> =>
  Object.fromEntries(
    ((list ?? []) as { key: string; value: Value }[]).map(({ key, value }) => [key, plainValue(value)]),
  )

const plainValue = ({ intValue, arrayValue, kvlistValue, ...scalar }: Value): unknown => {
  if (intValue !== undefined) return Number(intValue)
  if (arrayValue) return ((arrayValue as { values?: Value[] }).values ?? []).map(plainValue)
  if (kvlistValue) return plainAttributes((kvlistValue as { values?: unknown }).values)
  return Object.values(scalar)[0] ?? null
}
