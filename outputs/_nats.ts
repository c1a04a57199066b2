/** NATS, as its output sees it: messages go out, and each is answered for. No type of a client library is in it. */
import { readFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import type { ConnectionOptions, MsgHdrs, NatsConnection } from '@nats-io/transport-node'
import { messageOf, YarakError } from '../src/plugin.ts'
import { optional } from './_package.ts'
import type { Link, Outcome, TraceHeaders } from './_queue.ts'
import { serial } from './_serial.ts'
import { type TlsSettings, tlsOptions } from './_tls.ts'

export interface NatsSettings {
  readonly hostPort: readonly string[]
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly token?: string | undefined
  readonly credsFile?: string | undefined
  readonly tls?: TlsSettings
  readonly stream: boolean | string
}

export interface NatsMessage {
  readonly subject: string
  readonly data: string
  readonly headers: TraceHeaders
  /** JetStream takes a second one with the same id for a duplicate. */
  readonly id: string
}

export interface NatsLink extends Link<NatsMessage> {
  /** Bytes that a message may have, its headers included. */
  readonly maxPayload: number
}

/** @param lost called when the connection has ended by itself */
export type NatsDriver = (settings: NatsSettings, lost: () => void) => Promise<NatsLink>

/** Milliseconds for the handshake, and for the acknowledgement of JetStream. */
const TIMEOUT = 5_000

/** A driver on the clients of nats-io, which are loaded at the first send. */
export const natsDriver: NatsDriver = async (settings, lost) => {
  const lib = await optional('@nats-io/transport-node', () => import('@nats-io/transport-node'))
  const { credsFile } = settings
  const client = await lib.connect({
    ...(await optionsOf(settings)),
    ...(credsFile && { authenticator: lib.credsAuthenticator(await readCreds(credsFile)) }),
  })
  const gone = client.closed().then(() => {
    lost()
    throw connectionLost()
  })
  gone.catch(() => {})
  const send = settings.stream === false ? coreOf(client) : await streamOf(client, settings.stream)
  return {
    maxPayload: client.info?.max_payload ?? Infinity,
    publish(messages) {
      const prepared = messages.map(({ headers, ...message }) => {
        const own = lib.headers()
        for (const [name, value] of Object.entries(headers)) own.set(name, value)
        return { ...message, headers: own }
      })
      // the library waits for ever for the answer to a ping on a connection that is lost
      return Promise.race([send(prepared), gone])
    },
    close: () => client.close(),
  }
}

const connectionLost = (): YarakError =>
  new YarakError('unavailable', 'NATS: the connection was lost', { reason: 'closed' })

const optionsOf = async ({ hostPort, username, password, token, tls }: NatsSettings): Promise<ConnectionOptions> => {
  const secured = tls ?? (hostPort.some((one) => one.startsWith('tls:')) ? { verify: true } : undefined)
  return {
    servers: hostPort.map((one) => one.replace(/^[a-z]+:\/\//, '')),
    name: 'yarak',
    timeout: TIMEOUT,
    reconnect: false,
    ...(username !== undefined && { user: username, pass: password ?? '' }),
    ...(token !== undefined && { token }),
    ...(secured && { tls: await tlsOptions(secured) }),
  }
}

const readCreds = async (file: string): Promise<Uint8Array> => {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new YarakError('config', `credsFile: ${messageOf(cause)}`, { cause, reason: 'creds-file' })
  }
}

type Prepared = Omit<NatsMessage, 'headers'> & { readonly headers: MsgHdrs }
type Publish = (messages: readonly Prepared[]) => Promise<readonly Outcome[]>

const refused = (subject: string, cause: unknown, reason: string, permanent = false): YarakError =>
  new YarakError('failed', `${subject}: ${messageOf(cause)}`, { cause, reason, permanent })

/** JetStream: the message is larger than `max_msg_size` of the stream. */
const TOO_LARGE = 10_054

/** What is refused for what it is, by the client before anything is sent, or by JetStream. */
const isOfMessage = (error: unknown): boolean => {
  const { name, code } = error as Error & { code?: unknown }
  return /^Invalid(Argument|Subject)Error$/.test(name) || code === TOO_LARGE
}

/** Core NATS: the server says what it does not allow before it answers the ping of the flush. */
const coreOf = (client: NatsConnection): Publish => {
  const denied = new Map<string, Error>()
  const inTurn = serial()
  void (async () => {
    for await (const status of client.status()) {
      const error = status.type === 'error' ? (status.error as Error & { subject?: string }) : undefined
      if (error?.subject !== undefined) denied.set(error.subject, error)
    }
  })()
  const publish = ({ subject, data, headers }: Prepared): Outcome => {
    try {
      client.publish(subject, data, { headers })
      return undefined
    } catch (error) {
      if (!isOfMessage(error)) throw error
      return refused(subject, error, 'rejected', true)
    }
  }
  return (messages) =>
    inTurn(async () => {
      denied.clear()
      const outcomes = messages.map(publish)
      await client.flush()
      await setImmediate()
      return outcomes.map((outcome, i) => {
        const { subject = '' } = messages[i] ?? {}
        return outcome ?? (denied.has(subject) ? refused(subject, denied.get(subject), 'authorization') : undefined)
      })
    })
}

/** JetStream: all are on their way at once, in order, and each is acknowledged. */
const streamOf = async (client: NatsConnection, stream: string | true): Promise<Publish> => {
  const { jetstream } = await optional('@nats-io/jetstream', () => import('@nats-io/jetstream'))
  const js = jetstream(client, { timeout: TIMEOUT })
  const expect = stream === true ? {} : { expect: { streamName: stream } }
  const store = ({ subject, data, headers, id }: Prepared): Promise<Outcome> =>
    js.publish(subject, data, { headers, msgID: id, ...expect }).then(
      () => undefined,
      (error: unknown) => unstored(subject, error),
    )
  return async (messages) => {
    const outcomes = await Promise.all(messages.map(store))
    if (client.isClosed()) throw connectionLost()
    return outcomes
  }
}

const REASONS: Readonly<Record<string, string>> = {
  PermissionViolationError: 'authorization',
  JetStreamNotEnabled: 'no-stream',
}

/** @throws YarakError `unavailable` when nobody answers: sent again, a message is not stored twice */
const unstored = (subject: string, error: unknown): YarakError => {
  const { name } = error as Error
  if (name === 'TimeoutError')
    throw new YarakError('unavailable', 'NATS: no acknowledgement in time', { cause: error, reason: 'timeout' })
  const reason = REASONS[name] ?? 'rejected'
  return reason === 'no-stream'
    ? new YarakError('failed', `no stream of JetStream takes ${subject}`, { cause: error, reason })
    : refused(subject, error, reason, isOfMessage(error))
}
