/** A producer on kafkajs: connects at the first send, and again after a failure. */
import type { Producer } from 'kafkajs'
import { kafkaError } from './_kafka-errors.ts'
import type { Connected } from './_kafkajs.ts'
import type { KafkaProducer, ProducerOptions, SendOptions } from './kafka.ts'

const ACKS: Readonly<Record<SendOptions['acks'], number>> = { all: -1, leader: 1, none: 0 }

const CODECS = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', zstd: 'ZSTD' } as const

export const createKafkajsProducer = ({ open, brokers }: Connected, options: ProducerOptions): KafkaProducer => {
  let connected: Promise<Producer> | undefined
  const connect = async (): Promise<Producer> => {
    const { kafka, lib } = await open()
    const producer = kafka.producer({
      allowAutoTopicCreation: options.createTopics,
      createPartitioner: lib.Partitioners.DefaultPartitioner,
    })
    await producer.connect()
    return producer
  }
  const forget = (error: unknown): never => {
    connected = undefined
    throw error
  }
  return {
    async send(topic, records, { acks, compression }) {
      try {
        const producer = await (connected ??= connect().catch(forget))
        const { lib } = await open()
        await producer.send({
          topic,
          acks: ACKS[acks],
          compression: lib.CompressionTypes[CODECS[compression]],
          messages: records.map(({ key, value, headers }) => ({
            key: key === null ? null : bytesOf(key),
            value: bytesOf(value),
            headers: { ...headers },
          })),
        })
      } catch (error) {
        throw kafkaError(error, brokers, `writing to ${topic}`)
      }
    },
    async close() {
      const producer = await connected?.catch(() => undefined)
      connected = undefined
      await producer?.disconnect()
    },
  }
}

/** kafkajs takes no other kind of bytes than a Buffer. */
const bytesOf = (data: string | Uint8Array): string | Buffer =>
  typeof data === 'string' ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
