/** A Kafka topic, by the Kafka REST proxy. */
import { defineOutput, type FailedItem, type Notice, toJson, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { refused } from './_parts.ts'
import { payload } from './_payload.ts'
import { secretUrl } from './_settings.ts'
import { jsonWithin } from './_shrink.ts'
import { postTexts } from './_texts.ts'

const config = z.strictObject({
  address: secretUrl().describe(
    'Address of the topic, e.g. `http://kafka-rest:8082/topics/falco`. A secret as a whole, since it may hold a password.',
  ),
  version: z
    .union([z.literal(1), z.literal(2)])
    .default(2)
    .describe("Version of the proxy's API: 1 or 2. Default 2."),
})

/** Bytes of one record, below the brokers' default limit of 1 MiB, and of one request in base64. */
const MAX_RECORD = 1_000_000
const LIMITS = { count: 500, size: 4_000_000 }

const recordOf = (notice: Notice): string => {
  const value = Buffer.from(jsonWithin(payload(notice), MAX_RECORD)).toString('base64')
  return toJson({ value })
}

interface Offset {
  readonly error_code?: number | null
  readonly error?: string | null
}

/** By the proxy's documentation an error of 2 passes, and one of 1 does not. */
const failedOf = (answer: string): FailedItem[] => {
  const { offsets } = parsed(answer)
  if (!Array.isArray(offsets)) return []
  return (offsets as readonly (Offset | null)[]).flatMap((one, index) => {
    if (!one?.error_code) return []
    const permanent = one.error_code === 1
    return [{ index, permanent, reason: permanent ? (one.error ?? 'error 1') : 'retriable' }]
  })
}

const parsed = (text: string): { readonly offsets?: unknown } => {
  try {
    return (JSON.parse(text) ?? {}) as { offsets?: unknown }
  } catch {
    return {}
  }
}

/**
 * Writes each notice as a record of binary form, many in one request.
 *
 * Source: the `kafkarest` output of Falcosidekick 2.x (`outputs/kafkarest.go`); "POST /topics/(string: topic_name)" of the
 * Confluent REST Proxy's API v2.
 * @example kafkarest({ address: 'http://kafka-rest:8082/topics/falco' })
 */
export const kafkarest = defineOutput({
  type: 'kafkarest',
  summary: 'Writes the event to a Kafka topic by the Kafka REST proxy.',
  notes: `
The value of a record is the event as \`webhook\` sends it, in base64; for the report of a response with the member
\`response\`. There is no key: partitions take turns. Up to 500 records or 4 MB are one request; a record that the proxy
says it could not write is tried again, or is a dead letter, by itself. The longest texts of an event of more than
1,000,000 bytes are cut, with \`truncated: true\`, since brokers refuse it otherwise.

Differences from Falcosidekick: one request may hold many records; an error told for a record in the answer is one.
`.trim(),
  config,
  http: true,
  batch: LIMITS.count,
  kind: 'producer',
  open: ({ address, version }, io) => ({
    send: (notices, signal) =>
      postTexts(notices.map(recordOf), LIMITS, async (records) => {
        const { body } = await io.http(
          {
            url: address,
            headers: { 'content-type': `application/vnd.kafka.binary.v${version}+json` },
            body: `{"records":[${records.join(',')}]}`,
          },
          signal,
        )
        const error = refused(failedOf(body), records.length, 'records')
        if (error) throw error
      }),
  }),
  example: {
    config: { address: 'http://kafka-rest:8082/topics/falco' },
    sends: {
      url: 'http://kafka-rest:8082/topics/falco',
      body: { records: [{ value: btoa(toJson(EXAMPLE_BODY)) }] },
    },
  },
})
