/** The broker's server.properties: one broker that is its own controller, and one listener for each way to connect. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Ports of the listeners; one that is left out is off. */
export interface Listeners {
  readonly plaintext: number
  readonly controller: number
  readonly sasl?: number
  readonly tls?: number
  readonly saslTls?: number
}

export interface User {
  readonly username: string
  readonly password: string
}

interface Broker {
  /** Holds the data and, for the TLS listeners, `broker.crt`, `broker.key` and the authority's certificate. */
  readonly dir: string
  readonly at: Listeners
  readonly user: User
  readonly extra: Readonly<Record<string, string>>
}

type Settings = Readonly<Record<string, string | number | boolean>>

const protocols = {
  PLAINTEXT: 'PLAINTEXT',
  CONTROLLER: 'PLAINTEXT',
  SASL: 'SASL_PLAINTEXT',
  TLS: 'SSL',
  SASLTLS: 'SASL_SSL',
} as const

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const

/** Values for `StorageTool format --add-scram`: users of SCRAM exist before the broker first starts. */
export const scramUsers = ({ username, password }: User): string[] =>
  mechanisms.filter((name) => name !== 'PLAIN').map((name) => `${name}=[name=${username},password=${password}]`)

/** Everything that a cluster would keep in three copies is kept in one. */
const singleNode: Settings = {
  'offsets.topic.replication.factor': 1,
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.replication.factor': 1,
  'transaction.state.log.min.isr': 1,
  'transaction.state.log.num.partitions': 1,
}

/** Tests do not wait for what production waits for: late group members, a lost broker's session. */
const impatient: Settings = {
  'group.initial.rebalance.delay.ms': 0,
  'group.min.session.timeout.ms': 1000,
  'broker.session.timeout.ms': 3000,
  'broker.heartbeat.interval.ms': 500,
}

const network = ({ plaintext, controller, sasl, tls, saslTls }: Listeners): Settings => {
  const open = { PLAINTEXT: plaintext, SASL: sasl, TLS: tls, SASLTLS: saslTls }
  const urls = Object.entries(open).flatMap(([name, port]) => (port === undefined ? [] : `${name}://127.0.0.1:${port}`))
  return {
    listeners: [...urls, `CONTROLLER://127.0.0.1:${controller}`].join(','),
    'advertised.listeners': urls.join(','),
    'listener.security.protocol.map': Object.entries(protocols)
      .map(([name, protocol]) => `${name}:${protocol}`)
      .join(','),
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
  }
}

const sasl = (listener: string, { username, password }: User): Settings => {
  const prefix = `listener.name.${listener}`
  const security = 'org.apache.kafka.common.security'
  const scram = `${security}.scram.ScramLoginModule required;`
  return {
    [`${prefix}.sasl.enabled.mechanisms`]: mechanisms.join(','),
    [`${prefix}.plain.sasl.jaas.config`]: `${security}.plain.PlainLoginModule required user_${username}="${password}";`,
    [`${prefix}.scram-sha-256.sasl.jaas.config`]: scram,
    [`${prefix}.scram-sha-512.sasl.jaas.config`]: scram,
  }
}

/** A client may show a certificate and need not, so that one listener serves TLS and mutual TLS. */
const tls = (dir: string): Settings => {
  const pair = join(dir, 'broker.pem')
  writeFileSync(pair, readFileSync(join(dir, 'broker.key'), 'utf8') + readFileSync(join(dir, 'broker.crt'), 'utf8'))
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': pair,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': join(dir, 'yarak-test-ca.crt'),
    'ssl.client.auth': 'requested',
  }
}

export const properties = ({ dir, at, user, extra }: Broker): string => {
  const settings: Settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'log.dirs': join(dir, 'data'),
    ...network(at),
    ...singleNode,
    ...impatient,
    ...(at.sasl === undefined ? {} : sasl('sasl', user)),
    ...(at.saslTls === undefined ? {} : sasl('sasltls', user)),
    ...(at.tls === undefined ? {} : tls(dir)),
    ...extra,
  }
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
