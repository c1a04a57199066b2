/** RabbitMQ, as its output sees it: messages go out, and the broker answers for each. */
import type { ConfirmChannel } from 'amqplib'
import { messageOf, YarakError } from '../src/plugin.ts'
import { optional } from './_package.ts'
import type { Link, Outcome, TraceHeaders } from './_queue.ts'
import { type TlsSettings, tlsOptions } from './_tls.ts'

export interface RabbitmqSettings {
  readonly url: string
  readonly durable: boolean
  readonly tls?: TlsSettings
}

export interface RabbitmqMessage {
  readonly exchange: string
  readonly routingKey: string
  readonly content: string
  readonly headers: TraceHeaders
  /** Its `message_id`; no two that are on their way have the same. */
  readonly id: string
}

export type RabbitmqLink = Link<RabbitmqMessage>

/** @param lost called when the connection or its channel has ended by itself */
export type RabbitmqDriver = (settings: RabbitmqSettings, lost: () => void) => Promise<RabbitmqLink>

/** Milliseconds for the handshake. */
const TIMEOUT = 5_000

/** A driver on amqplib, which is loaded at the first send. */
export const rabbitmqDriver: RabbitmqDriver = async ({ url, durable, tls }, lost) => {
  const { connect } = await optional('amqplib', () => import('amqplib'))
  const address = tls ? url.replace(/^amqp:/, 'amqps:') : url
  const client = await connect(address, { timeout: TIMEOUT, ...(tls && (await tlsOptions(tls))) })
  // without a listener an error would end the process; a lost connection closes its channel too
  client.on('error', () => {})
  const channel = await client.createConfirmChannel()
  return { publish: publisher(channel, durable, lost), close: () => client.close() }
}

/**
 * Every message is `mandatory`: one that no queue takes is given back, and confirmed after that.
 * Source: rabbitmq.com/docs/confirms and /docs/publishers, "Unroutable Message Handling".
 */
const publisher = (channel: ConfirmChannel, durable: boolean, lost: () => void): RabbitmqLink['publish'] => {
  const returned = new Map<unknown, string>()
  let why: unknown
  let isOpen = true
  channel.on('return', ({ properties, fields }) => {
    returned.set(properties.messageId, String((fields as { replyText?: unknown }).replyText))
  })
  channel.on('error', (error) => (why = error))
  // the library's own listener tells the callbacks, which are to know
  channel.prependListener('close', () => {
    isOpen = false
    lost()
  })
  const publish = ({ exchange, routingKey, content, headers, id }: RabbitmqMessage) =>
    new Promise<Outcome>((resolve, reject) => {
      const options = { mandatory: true, persistent: durable, contentType: 'text/plain', messageId: id }
      channel.publish(exchange, routingKey, Buffer.from(content), { ...options, headers: { ...headers } }, (error) => {
        const text = returned.get(id)
        returned.delete(id)
        if (error && !isOpen) reject((why ?? error) as Error)
        else if (error) resolve(refused(messageOf(error), 'nack', false))
        else resolve(text === undefined ? undefined : refused(`no queue takes it: ${text}`, 'unroutable', true))
      })
    })
  return (messages) => Promise.all(messages.map(publish))
}

const refused = (text: string, reason: string, permanent: boolean): YarakError =>
  new YarakError('failed', text, { reason, permanent })
