/** A dead-letter topic: what cannot be taken is written there before its offset counts as settled. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type InputIo, messageOf } from '../src/plugin.ts'
import type { KafkaClient, KafkaRecord, TopicPartition } from '../src/resources/kafka.ts'

/** Why a record is not taken. */
export interface Refusal {
  /** A short stable word. */
  readonly reason: string
  readonly why: string
}

export interface Poison {
  /** Resolves when the record is where it is to be kept; not at all when a stop comes first. Never rejects. */
  keep(at: TopicPartition, record: KafkaRecord, refusal: Refusal): Promise<void>
  close(): Promise<void>
}

/** Milliseconds between two tries. */
const AGAIN = 1_000

const NOWHERE: Poison = { keep: () => Promise.resolve(), close: () => Promise.resolve() }

/** @param topic undefined: nothing is written */
export const createPoison = (client: Pick<KafkaClient, 'producer'>, topic: string | undefined, io: InputIo): Poison => {
  if (topic === undefined) return NOWHERE
  const producer = client.producer({ createTopics: false })
  const attributes = {
    'messaging.system': 'kafka',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'send',
    'messaging.destination.name': topic,
  }
  const write = (at: TopicPartition, record: KafkaRecord, refusal: Refusal): Promise<void> =>
    io.call({ name: `send ${topic}`, kind: 'producer', attributes }, () =>
      producer.send(
        topic,
        [
          {
            key: record.key,
            value: record.value ?? '',
            headers: { ...record.headers, ...labels(at, record, refusal) },
          },
        ],
        { acks: 'all', compression: 'none' },
      ),
    )
  return {
    async keep(at, record, refusal) {
      while (!io.signal.aborted) {
        try {
          return await write(at, record, refusal)
        } catch (error) {
          io.log.warn('a record was not written to the dead-letter topic; trying again', {
            topic,
            error: messageOf(error),
          })
          await sleep(AGAIN, undefined, { signal: io.signal }).catch(() => {})
        }
      }
      return new Promise<never>(() => {})
    },
    close: () => producer.close(),
  }
}

const labels = (
  { topic, partition }: TopicPartition,
  { offset }: KafkaRecord,
  { reason, why }: Refusal,
): Record<string, string> => ({
  'yarak-reason': reason,
  'yarak-error': why,
  'yarak-topic': topic,
  'yarak-partition': String(partition),
  'yarak-offset': String(offset),
})
