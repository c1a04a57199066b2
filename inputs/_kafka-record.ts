/** A Kafka record as the gateway is told of it. Pure. */
import { type EmitOptions, traceContext } from '../src/plugin.ts'
import type { KafkaRecord, TopicPartition } from '../src/resources/kafka.ts'

export interface RecordOrigin {
  readonly groupId: string
  readonly authenticated: string | undefined
  /** The cluster whose events a topic holds. */
  readonly clusterOf?: (topic: string) => string | undefined
}

/** Names of headers are as the producer wrote them. */
const contextOf = (headers: KafkaRecord['headers']): Readonly<Record<string, string>> => {
  const lower: Record<string, string> = {}
  for (const name in headers) lower[name.toLowerCase()] = headers[name] as string
  return traceContext((name) => lower[name])
}

/**
 * Position, trace context and span of a record.
 * @see https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
 */
export const emitOptions = (
  { topic, partition }: TopicPartition,
  record: KafkaRecord,
  { groupId, authenticated, clusterOf }: RecordOrigin,
): EmitOptions => {
  const cluster = clusterOf?.(topic)
  const key = textOf(record.key)
  return {
    position: `${topic}/${partition}/${record.offset}`,
    headers: contextOf(record.headers),
    ...(authenticated && { authenticated }),
    ...(cluster !== undefined && { cluster }),
    span: {
      name: `process ${topic}`,
      kind: 'consumer',
      attributes: {
        'messaging.system': 'kafka',
        'messaging.operation.type': 'process',
        'messaging.operation.name': 'process',
        'messaging.destination.name': topic,
        'messaging.destination.partition.id': String(partition),
        'messaging.consumer.group.name': groupId,
        'messaging.kafka.offset': record.offset,
        ...(key !== undefined && { 'messaging.kafka.message.key': key }),
      },
    },
  }
}

const MAX_KEY = 256
const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** A key that is short and printable text; anything else has no place in an attribute. */
const textOf = (key: Uint8Array | null): string | undefined => {
  if (key === null || key.length === 0 || key.length > MAX_KEY) return undefined
  try {
    const text = UTF8.decode(key)
    return /\p{Cc}/u.test(text) ? undefined : text
  } catch {
    return undefined
  }
}
