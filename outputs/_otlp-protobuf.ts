/** The messages of OTLP as protobuf, from what they are as JSON. */

/** How a member is written: a scalar, another message, or a list of them. */
type Kind = 'string' | 'hex' | 'varint' | 'fixed32' | 'fixed64' | 'double' | Schema | (() => Schema)
type Schema = Readonly<Record<string, readonly [number: number, kind: Kind]>>

const ANY_VALUE: Schema = {
  stringValue: [1, 'string'],
  boolValue: [2, 'varint'],
  intValue: [3, 'varint'],
  doubleValue: [4, 'double'],
  arrayValue: [5, () => ({ values: [1, ANY_VALUE] })],
  kvlistValue: [6, () => ({ values: [1, KEY_VALUE] })],
}

const KEY_VALUE: Schema = { key: [1, 'string'], value: [2, ANY_VALUE] }

const SPAN: Schema = {
  traceId: [1, 'hex'],
  spanId: [2, 'hex'],
  name: [5, 'string'],
  kind: [6, 'varint'],
  startTimeUnixNano: [7, 'fixed64'],
  endTimeUnixNano: [8, 'fixed64'],
  attributes: [9, KEY_VALUE],
  events: [11, { timeUnixNano: [1, 'fixed64'], name: [2, 'string'], attributes: [3, KEY_VALUE] }],
  links: [13, { traceId: [1, 'hex'], spanId: [2, 'hex'] }],
  status: [15, { message: [2, 'string'], code: [3, 'varint'] }],
}

const LOG_RECORD: Schema = {
  timeUnixNano: [1, 'fixed64'],
  severityNumber: [2, 'varint'],
  severityText: [3, 'string'],
  body: [5, ANY_VALUE],
  attributes: [6, KEY_VALUE],
  flags: [8, 'fixed32'],
  traceId: [9, 'hex'],
  spanId: [10, 'hex'],
}

const DATA_POINT: Schema = {
  startTimeUnixNano: [2, 'fixed64'],
  timeUnixNano: [3, 'fixed64'],
  asInt: [6, 'fixed64'],
  attributes: [7, KEY_VALUE],
}

const METRIC: Schema = {
  name: [1, 'string'],
  description: [2, 'string'],
  sum: [7, { dataPoints: [1, DATA_POINT], aggregationTemporality: [2, 'varint'], isMonotonic: [3, 'varint'] }],
}

/** What is around the spans, the logs and the metrics has the same numbers. */
const request = (group: string, inner: string, items: string, item: Schema): Schema => ({
  [group]: [
    1,
    {
      resource: [1, { attributes: [1, KEY_VALUE] }],
      [inner]: [2, { scope: [1, { name: [1, 'string'] }], [items]: [2, item] }],
      schemaUrl: [3, 'string'],
    },
  ],
})

const REQUEST: Schema = {
  ...request('resourceSpans', 'scopeSpans', 'spans', SPAN),
  ...request('resourceLogs', 'scopeLogs', 'logRecords', LOG_RECORD),
  ...request('resourceMetrics', 'scopeMetrics', 'metrics', METRIC),
}

/**
 * The bytes of an export request. Members that are undefined are left out; a member the table does not have is not written.
 *
 * Source: the `.proto` files of opentelemetry-proto 1.x; the encoding of Protocol Buffers.
 * @param body as OTLP's JSON encoding has it: ids in hexadecimal, 64-bit integers as texts
 * @example protobuf({ resourceLogs: [{ scopeLogs: [{ logRecords: [{ severityNumber: 9 }] }] }] })
 */
export const protobuf = (body: object): Uint8Array => message(REQUEST, body)

const message = (schema: Schema, value: object): Uint8Array =>
  Buffer.concat(
    Object.entries(value).flatMap(([name, member]: [string, unknown]) => {
      const field = schema[name]
      if (!field || member === undefined) return []
      return (Array.isArray(member) ? (member as unknown[]) : [member]).map((one) => encoded(field[0], field[1], one))
    }),
  )

const encoded = (number: number, kind: Kind, value: unknown): Uint8Array => {
  if (kind === 'varint') return Buffer.concat([varint((number << 3) | 0), varint(value as bigint)])
  if (kind === 'fixed64') return Buffer.concat([varint((number << 3) | 1), fixed64(value as string)])
  if (kind === 'double') return Buffer.concat([varint((number << 3) | 1), double(value as number)])
  if (kind === 'fixed32') return Buffer.concat([varint((number << 3) | 5), fixed32(value as number)])
  const bytes = bytesOf(kind, value)
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes])
}

const bytesOf = (kind: Exclude<Kind, 'varint' | 'fixed32' | 'fixed64' | 'double'>, value: unknown): Uint8Array => {
  if (kind === 'string') return Buffer.from(value as string)
  if (kind === 'hex') return Buffer.from(value as string, 'hex')
  return message(typeof kind === 'function' ? kind() : kind, value as object)
}

/** A negative integer is one of 64 bits, as protobuf has it. */
const varint = (value: bigint | number | string | boolean): Uint8Array => {
  const bytes: number[] = []
  let left = BigInt.asUintN(64, BigInt(value))
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128)
  return Uint8Array.from([...bytes, Number(left)])
}

const fixed64 = (value: string): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)))
  return bytes
}

const fixed32 = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

const double = (value: number): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return bytes
}
