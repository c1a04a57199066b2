/** What a record holds: an alert, nothing for us, or something that cannot be taken. Pure. */
import type { KafkaRecord } from '../src/resources/kafka.ts'
import { isLogLine, unwrap, type UnwrapMode } from './_unwrap.ts'

export type Content =
  | { readonly alert: string | Uint8Array }
  | { readonly skipped: 'tombstone' | 'not-an-alert' }
  | { readonly refused: 'unreadable' | 'schema-registry'; readonly why: string }

export const contentOf = ({ value, unreadable }: KafkaRecord, mode: UnwrapMode): Content => {
  if (value === null) return { skipped: 'tombstone' }
  if (unreadable !== undefined) {
    return { refused: 'unreadable', why: `the batch of the record cannot be decompressed: ${unreadable}` }
  }
  if (value[0] === 0 && value.length > FRAMING) return { refused: 'schema-registry', why: framedBy(value) }
  if (mode === 'none') return { alert: value }
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()
  if (!/^\s*["{]/.test(text) && !isLogLine(text)) return { alert: value }
  const found = unwrap(text, mode)
  return 'text' in found ? { alert: found.text } : found
}

/** A zero and the number of a schema, before what the schema describes. */
const FRAMING = 5

const framedBy = (value: Uint8Array): string => {
  const schema = new DataView(value.buffer, value.byteOffset).getInt32(1)
  return (
    `the record is written for a Confluent schema registry (schema ${schema}); have its producer write plain JSON, ` +
    `e.g. with value.serializer=org.apache.kafka.common.serialization.StringSerializer, or in Kafka Connect with ` +
    `value.converter=org.apache.kafka.connect.json.JsonConverter and value.converter.schemas.enable=false`
  )
}
