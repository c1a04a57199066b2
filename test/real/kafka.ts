/** Apache Kafka in KRaft mode, one broker, from the jars of Maven Central. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { authority, loopback } from './certificates.ts'
import { Broker } from './kafka/broker.ts'
import { rebalance } from './kafka/client.ts'
import { ensureJars, jarsDir } from './kafka/jars.ts'
import { properties, scramUsers, type Listeners } from './kafka/properties.ts'
import { locked } from './lock.ts'
import { cacheDir, forget, freePort, runDir, type Part, type Running } from './part.ts'
import { lacking, type Say } from './tools.ts'
import { versions } from './versions.ts'

export interface KafkaOptions {
  /** One of `kafkaVersions`; the newest when left out. */
  readonly version?: string
  /** A listener with SASL: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  readonly sasl?: boolean
  /** A TLS listener; with `sasl` also one for SASL over TLS. */
  readonly tls?: boolean
  /** Further broker settings, e.g. `auto.create.topics.enable`. */
  readonly properties?: Readonly<Record<string, string>>
}

export interface KafkaAddresses {
  readonly version: string
  /** Without encryption or authentication; always there. */
  readonly brokers: readonly string[]
  readonly sasl?: readonly string[]
  readonly tls?: readonly string[]
  readonly saslTls?: readonly string[]
  /** The one user that every SASL mechanism knows. */
  readonly username?: string
  readonly password?: string
  /** PEM files: the authority of the broker's certificate, and a client's pair signed by it. */
  readonly ca?: string
  readonly clientCert?: string
  readonly clientKey?: string
}

export interface RunningKafka extends Running<KafkaAddresses> {
  readonly log: string
  /** Stops the broker in an orderly way; `up` starts it again. */
  down(): Promise<void>
  /** Ends the broker as a power cut would. */
  kill(): Promise<void>
  /** Starts the broker again on the same ports and data, and returns once it answers. */
  up(): Promise<void>
  /** `down` and `up`. */
  restart(): Promise<void>
  /** Lets a second member join the group and leave again: every other member rejoins twice. */
  rebalance(group: string, topics: readonly string[]): Promise<void>
}

/** Every version that tests run against, the newest first. */
export const kafkaVersions: readonly string[] = [versions.kafka, versions.kafka3]

/** How long a broker may take to hand over and flush. */
const patienceMs = 20_000

const user = { username: 'yarak', password: 'yarak-secret' }

const certificates = async (dir: string): Promise<{ ca: string; clientCert: string; clientKey: string }> => {
  const ca = await authority(dir)
  const [, client] = await Promise.all([
    ca.issue('broker', { name: 'localhost', hosts: loopback }),
    ca.issue('client', { name: user.username }),
  ])
  return { ca: ca.cert, clientCert: client.cert, clientKey: client.key }
}

const addressesOf = (version: string, at: Listeners): KafkaAddresses => ({
  version,
  brokers: [`127.0.0.1:${at.plaintext}`],
  ...(at.sasl === undefined ? {} : { sasl: [`127.0.0.1:${at.sasl}`], ...user }),
  ...(at.tls === undefined ? {} : { tls: [`127.0.0.1:${at.tls}`] }),
  ...(at.saslTls === undefined ? {} : { saslTls: [`127.0.0.1:${at.saslTls}`] }),
})

const listeners = async ({ sasl = false, tls = false }: KafkaOptions): Promise<Listeners> => ({
  plaintext: await freePort(),
  controller: await freePort(),
  ...(sasl ? { sasl: await freePort() } : {}),
  ...(tls ? { tls: await freePort() } : {}),
  ...(sasl && tls ? { saslTls: await freePort() } : {}),
})

/** Makes everything that the broker's process needs. */
const prepare = async (dir: string, options: KafkaOptions): Promise<{ broker: Broker; addresses: KafkaAddresses }> => {
  const { version = versions.kafka, sasl = false, tls = false } = options
  const at = await listeners(options)
  const config = join(dir, 'server.properties')
  const addresses = { ...addressesOf(version, at), ...(tls ? await certificates(dir) : {}) }
  writeFileSync(config, properties({ dir, at, user, extra: options.properties ?? {} }))
  const broker = new Broker({ version, dir, config, brokers: addresses.brokers })
  await broker.format(sasl ? scramUsers(user) : [])
  return { broker, addresses }
}

const start = async (options: KafkaOptions = {}): Promise<RunningKafka> => {
  const dir = runDir('kafka')
  const { broker, addresses } = await prepare(dir, options)
  try {
    await broker.up()
  } catch (error) {
    await broker.end(0)
    throw new Error(`kafka ${addresses.version} did not start; its log is ${broker.log}`, { cause: error })
  }
  return {
    addresses,
    log: broker.log,
    up: () => broker.up(),
    down: () => broker.end(patienceMs),
    kill: () => broker.end(0),
    async restart() {
      await broker.end(patienceMs)
      await broker.up()
    },
    rebalance: (group, topics) => rebalance(addresses.brokers, group, topics),
    async stop() {
      await broker.end(5_000)
      forget(dir)
    },
  }
}

export const kafka = {
  name: 'kafka',
  version: versions.kafka,
  missing: () =>
    lacking('java', 'openssl') ??
    (kafkaVersions.every((version) => existsSync(jarsDir(version))) ? undefined : lacking('mvn')),
  cached: () => kafkaVersions.map(jarsDir),
  ensure: (say: Say = () => undefined) =>
    locked(join(cacheDir(), 'kafka.lock'), async () => {
      for (const version of kafkaVersions) await ensureJars(version, say)
    }),
  start,
} satisfies Part<KafkaAddresses, KafkaOptions>
