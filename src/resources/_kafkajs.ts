/** The Kafka driver on kafkajs, which is loaded by the first consumer or producer. */
import { readFile } from 'node:fs/promises'
import type * as kafkajs from 'kafkajs'
import type { Admin, Kafka, KafkaConfig, LogEntry } from 'kafkajs'
import { type Log, messageOf, YarakError } from '../plugin.ts'
import { createCodecs } from './_kafka-codecs.ts'
import { kafkaError } from './_kafka-errors.ts'
import { committedBy, endsOf, topicsOf, withAdmin } from './_kafkajs-admin.ts'
import { createKafkajsConsumer } from './_kafkajs-consumer.ts'
import { createKafkajsProducer } from './_kafkajs-producer.ts'
import { saslOf } from './_kafkajs-sasl.ts'
import type { DriverIo, KafkaConnection, KafkaDriver } from './kafka.ts'

export type KafkaJs = Pick<
  typeof kafkajs,
  'Kafka' | 'logLevel' | 'Partitioners' | 'CompressionTypes' | 'CompressionCodecs'
>

/** The library and one client of it. */
export interface Opened {
  readonly lib: KafkaJs
  readonly kafka: Kafka
}

/** What a consumer or producer of one connection needs. */
export interface Connected {
  open(): Promise<Opened>
  readonly brokers: readonly string[]
  readonly log: Log
}

/** Its default export: Node finds only some of the names of this CommonJS package. */
const loadKafkajs = async (): Promise<KafkaJs> => (await import('kafkajs')).default

/**
 * A driver on kafkajs.
 * @param load gives the library; the parameter is for a host that bundles its own
 * @example createKafkaInput(createKafkajsDriver())
 */
export const createKafkajsDriver =
  (load: () => Promise<KafkaJs> = loadKafkajs): KafkaDriver =>
  (connection, io) => {
    const { brokers } = connection
    let opened: Promise<Opened> | undefined
    const connect = async (): Promise<Opened> => {
      const [lib, ssl] = await Promise.all([load(), tlsOf(connection)])
      Object.assign(lib.CompressionCodecs, CODECS)
      return { lib, kafka: new lib.Kafka(clientOptions(connection, ssl, io)) }
    }
    /** A failure is not kept: a file that was missing may be there the next time. */
    const open = () => (opened ??= connect().catch(forget))
    const forget = (error: unknown): never => {
      opened = undefined
      throw error
    }
    const connected: Connected = { open, brokers, log: io.log }
    const ask = async <T>(what: string, question: (admin: Admin) => Promise<T>): Promise<T> => {
      try {
        return await withAdmin((await open()).kafka, question)
      } catch (error) {
        throw kafkaError(error, brokers, what)
      }
    }
    return {
      topics: () => ask('listing topics', topicsOf),
      ends: (topics) => ask('asking for offsets', (admin) => endsOf(admin, topics)),
      committed: (groupId, topics) =>
        ask('asking for what the group has committed', (admin) => committedBy(admin, groupId, topics)),
      consumer: (options) => createKafkajsConsumer(connected, options),
      producer: (options) => createKafkajsProducer(connected, options),
    }
  }

export const kafkajsDriver: KafkaDriver = createKafkajsDriver()

/** kafkajs itself reads gzip only, and gives up where something cannot be read. */
const CODECS = Object.fromEntries([...createCodecs()].map(([type, codec]) => [type, () => codec]))

/** Milliseconds for a connection, TLS included; kafkajs's own second is short for a distant broker. */
const CONNECTION_TIMEOUT = 5_000

/** Some patience with a moving leader; long outages are the engine's to wait out. */
const RETRY = { initialRetryTime: 200, retries: 4 }

const clientOptions = (
  { brokers, clientId, sasl }: KafkaConnection,
  ssl: Tls | undefined,
  io: DriverIo,
): KafkaConfig => ({
  brokers,
  clientId,
  connectionTimeout: CONNECTION_TIMEOUT,
  retry: RETRY,
  // INFO: at DEBUG every request is logged with its content
  logLevel: 4,
  logCreator: () => logTo(io.log),
  ...(ssl && { ssl }),
  ...(sasl && { sasl: saslOf(sasl, io) }),
})

interface Tls {
  readonly rejectUnauthorized: boolean
  readonly ca?: [string]
  readonly cert?: string
  readonly key?: string
}

const tlsOf = async ({ tls, sasl }: KafkaConnection): Promise<Tls | undefined> => {
  if (!tls) return sasl?.mechanism === 'aws-msk-iam' ? { rejectUnauthorized: true } : undefined
  const [ca, cert, key] = await Promise.all([tls.caFile, tls.certFile, tls.keyFile].map(readPem))
  return { rejectUnauthorized: tls.verify, ...(ca && { ca: [ca] }), ...(cert && { cert }), ...(key && { key }) }
}

const readPem = async (file: string | undefined): Promise<string | undefined> => {
  if (file === undefined) return undefined
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new YarakError('config', `tls: ${messageOf(cause)}`, { cause })
  }
}

/** What the library says of troubles that it also raises, or that it settles by itself. */
const SAID_ELSEWHERE =
  /default partitioner|rebalanc|not aware of this member|connect|authenticat|^Crash|^Failed to send|^Response /i

/** kafkajs's `logLevel.WARN`; ERROR is 1. */
const WARN = 2

/** kafkajs's log lines: warnings that nothing else tells as warnings, the rest at debug. */
const logTo =
  (log: Log) =>
  ({ level, log: { message, error, broker, groupId, topic } }: LogEntry): void => {
    const fields = {
      library: 'kafkajs',
      broker,
      groupId,
      topic,
      error: error === undefined ? undefined : String(error),
    }
    const quiet = Number(level) > WARN || SAID_ELSEWHERE.test(`${message} ${fields.error ?? ''}`)
    log[quiet ? 'debug' : 'warn'](message, fields)
  }
