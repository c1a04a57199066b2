/** MQTT, as its output sees it: messages go out, and the broker answers for each, as far as the quality of service goes. */
import type { IClientOptions, MqttClient, MqttProtocol } from 'mqtt'
import { inChunks, messageOf, YarakError } from '../src/plugin.ts'
import { optional } from './_package.ts'
import type { Link, Outcome, TraceHeaders } from './_queue.ts'
import { serial } from './_serial.ts'
import { type TlsSettings, tlsOptions } from './_tls.ts'

export interface MqttSettings {
  /** With its scheme. */
  readonly broker: string
  readonly qos: 0 | 1 | 2
  readonly retained: boolean
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly clientId?: string | undefined
  readonly protocolVersion: 4 | 5
  readonly tls?: TlsSettings
}

export interface MqttMessage {
  readonly topic: string
  readonly content: string
  readonly headers: TraceHeaders
}

export interface MqttLink extends Link<MqttMessage> {
  /** Bytes that the broker takes in one packet. */
  readonly maxPacket: number
}

/** @param lost called when the connection has ended by itself */
export type MqttDriver = (settings: MqttSettings, lost: () => void) => Promise<MqttLink>

/** Milliseconds until the broker must have let us in. */
const TIMEOUT = 5_000

/** Names that other clients give to the two transports. */
const SECURE = /^(mqtts|ssl|tls|tcps|mqtt\+ssl|wss):/

const protocolOf = ({ broker, tls }: MqttSettings): MqttProtocol => {
  const isSecure = tls !== undefined || SECURE.test(broker)
  if (broker.startsWith('ws')) return isSecure ? 'wss' : 'ws'
  return isSecure ? 'mqtts' : 'mqtt'
}

const optionsOf = async (settings: MqttSettings): Promise<IClientOptions> => {
  const { user, password, protocolVersion, clientId, tls } = settings
  return {
    protocolVersion,
    clientId: clientId ?? `yarak-${crypto.randomUUID().slice(0, 6)}`,
    reconnectPeriod: 0,
    connectTimeout: TIMEOUT,
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(tls && (await tlsOptions(tls))),
  }
}

/** A driver on MQTT.js, which is loaded at the first send. */
export const mqttDriver: MqttDriver = async (settings, lost) => {
  const { connectAsync } = await optional('mqtt', () => import('mqtt'))
  const address = settings.broker.replace(/^[a-z+]+:/, `${protocolOf(settings)}:`)
  const client = await connectAsync(address, await optionsOf(settings), false)
  const inTurn = serial()
  const gone = Promise.withResolvers<never>()
  gone.promise.catch(() => {})
  client.on('error', (error) => gone.reject(error))
  client.on('disconnect', ({ reasonCode }) => gone.reject(ended(`the broker ended it with ${reasonCode}`)))
  client.on('close', () => {
    gone.reject(ended('the connection was lost'))
    lost()
  })
  const { maximumPacketSize = Infinity, receiveMaximum = 20 } = client.serverProperties ?? {}
  return {
    maxPacket: maximumPacketSize,
    /** No more are on their way at once than the broker takes: it would end the connection. */
    publish: (messages) =>
      inTurn(async () => {
        const outcomes: Outcome[] = []
        for (const some of inChunks(messages, { count: receiveMaximum, size: Infinity }, () => 1)) {
          const all = Promise.all(some.map((message) => published(client, message, settings)))
          outcomes.push(...(await Promise.race([all, gone.promise])))
        }
        return outcomes
      }),
    close: () => client.endAsync(true),
  }
}

const ended = (text: string): YarakError => new YarakError('unavailable', `MQTT: ${text}`, { reason: 'closed' })

const published = async (
  client: MqttClient,
  { topic, content, headers }: MqttMessage,
  { qos, retained, protocolVersion }: MqttSettings,
): Promise<Outcome> => {
  const properties = { contentType: 'application/json', payloadFormatIndicator: true, userProperties: { ...headers } }
  try {
    await client.publishAsync(topic, content, { qos, retain: retained, ...(protocolVersion === 5 && { properties }) })
    return undefined
  } catch (error) {
    const { code } = error as { code?: unknown }
    if (typeof code !== 'number') throw error
    return new YarakError('failed', `${topic}: ${messageOf(error)}`, { cause: error, ...meaningOf(code) })
  }
}

/** Reason codes of PUBACK and PUBREC that say more than that it may be tried again (MQTT 5, 3.4.2.1). */
const meaningOf = (code: number): { readonly reason: string; readonly permanent: boolean } => {
  if (code === 0x99) return { reason: 'payload-format', permanent: true }
  return { reason: code === 0x87 ? 'authorization' : code === 0x97 ? 'quota' : `reason-${code}`, permanent: false }
}
