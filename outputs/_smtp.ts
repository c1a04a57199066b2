/** One connection to a mail server: STARTTLS, the SASL mechanisms, one mail at a time. */
import type SMTPConnection from 'nodemailer/lib/smtp-connection'
import { YarakError } from '../src/plugin.ts'
import { connection, type Connection, unlessAborted } from './_connection.ts'
import { optional } from './_package.ts'
import { serial } from './_serial.ts'
import { clip, printable } from './_text.ts'
import { tlsOptions, type TlsSettings } from './_tls.ts'

export interface SmtpSettings {
  readonly host: string
  readonly port: number
  /** Absent: none. Port 465 speaks TLS from the first byte, any other by STARTTLS, without which nothing is sent. */
  readonly tls: TlsSettings
  readonly authMechanism: Mechanism
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly token?: string | undefined
  readonly identity?: string | undefined
  readonly trace?: string | undefined
}

export interface Envelope {
  readonly from: string | false
  readonly to: readonly string[]
}

export const MECHANISMS = ['plain', 'login', 'oauthbearer', 'external', 'anonymous', 'none'] as const

export type Mechanism = (typeof MECHANISMS)[number]

const base64 = (text = ''): string => Buffer.from(text).toString('base64') || '='

/**
 * What the client says, line by line, for as long as the server asks on (334); undefined: it does not sign in.
 *
 * Source: RFC 4954; PLAIN RFC 4616, OAUTHBEARER RFC 7628, EXTERNAL RFC 4422, ANONYMOUS RFC 4505, LOGIN
 * draft-murchison-sasl-login.
 */
export const saslLines = (settings: SmtpSettings): readonly string[] | undefined => {
  const { authMechanism, host, port, user = '', password = '', token = '', identity = '', trace = '' } = settings
  switch (authMechanism) {
    case 'plain':
      return user ? [`AUTH PLAIN ${base64(`${identity}\0${user}\0${password}`)}`] : undefined
    case 'login':
      return user ? ['AUTH LOGIN', base64(user), base64(password)] : undefined
    case 'oauthbearer': {
      const name = user.replaceAll('=', '=3D').replaceAll(',', '=2C')
      const said = `n,a=${name},\x01host=${host}\x01port=${port}\x01auth=Bearer ${token}\x01\x01`
      // A server that refuses the token says why, and waits for this before its answer.
      return [`AUTH OAUTHBEARER ${base64(said)}`, base64('\x01')]
    }
    case 'external':
      return [`AUTH EXTERNAL ${base64(identity)}`]
    case 'anonymous':
      return [`AUTH ANONYMOUS ${base64(trace)}`]
    case 'none':
      return undefined
  }
}

/** A server may quote what it refuses. */
const secretsOf = (settings: SmtpSettings): string[] => {
  const said = (saslLines(settings) ?? []).map((line) => line.replace(/^AUTH \S+ ?/, ''))
  return [settings.password, settings.token, ...said.filter(({ length }) => length > 4)].filter(
    (one) => one !== undefined,
  )
}

type Client = SMTPConnection

interface Answer {
  readonly status: number
}

/** @throws Error when the last answer is not that it is signed in */
const signIn = async (lines: readonly string[], say: (line: string) => Promise<Answer>): Promise<void> => {
  let answer: Answer = { status: 334 }
  for (const line of lines) if (answer.status === 334) answer = await say(line)
  if (answer.status !== 235) throw new Error('the server does not accept the credentials')
}

/** Milliseconds; the engine's deadline of a delivery is commonly shorter. */
const PATIENCE = 30_000

/** Where to connect, and from which byte on with TLS. */
export const addressOf = ({ host, port, tls }: SmtpSettings) => ({
  host,
  port,
  secure: tls !== undefined && port === 465,
  requireTLS: tls !== undefined,
  ignoreTLS: tls === undefined,
})

const open = async (settings: SmtpSettings, lost: () => void): Promise<Client> => {
  const { default: Connection } = await optional('nodemailer', () => import('nodemailer/lib/smtp-connection'))
  const lines = saslLines(settings)
  const client = new Connection({
    ...addressOf(settings),
    ...(settings.tls && { tls: await tlsOptions(settings.tls) }),
    connectionTimeout: PATIENCE,
    greetingTimeout: PATIENCE,
    socketCloseTimeout: 0,
    logger: false,
    customAuth: { YARAK: ({ sendCommand }) => signIn(lines ?? [], (line) => sendCommand(line)) },
  })
  // It stays: an error event that nobody hears would end the process.
  client.on('error', () => {})
  client.once('end', lost)
  try {
    await finished(client, (done) => client.connect(done))
    if (lines) await finished(client, (done) => client.login({ method: 'YARAK' }, done))
  } catch (error) {
    client.close()
    throw error
  }
  return client
}

type Done<T> = (error?: Error | null, value?: T) => void

/** What `start` gives, or why the connection ended meanwhile. */
const finished = async <T = unknown>(client: Client, start: (done: Done<T>) => void): Promise<T> => {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const ended = () => reject(new Error('the server closed the connection'))
  client.once('error', reject).once('end', ended)
  try {
    start((error, value) => (error ? reject(error) : resolve(value as T)))
    return await promise
  } finally {
    client.off('error', reject).off('end', ended)
  }
}

interface SmtpError {
  readonly code?: string
  readonly command?: string
  readonly responseCode?: number
  readonly response?: string
}

const meaningOf =
  (name: string, secrets: readonly string[]) =>
  (error: unknown): YarakError | undefined => {
    const { code, command, responseCode, response = '' } = error as SmtpError
    if (code === 'EMESSAGE' && !responseCode) {
      const options = { permanent: true, reason: 'too-large' }
      return new YarakError('failed', `${name}: the mail is larger than it takes`, options)
    }
    // A greeting or a refused STARTTLS says nothing of the mail.
    if (!responseCode || command === 'CONN' || code === 'ETLS') return undefined
    const told = secrets.reduce((text, secret) => text.replaceAll(secret, '***'), response.replaceAll(/\s+/g, ' '))
    return new YarakError('failed', `${name} answered ${clip(printable(told), 200)}`, {
      permanent: responseCode >= 500,
      reason: String(responseCode),
    })
  }

/** Sends mails, one after another. */
export interface Mailer {
  /**
   * @returns the recipients that the server refused, where it took others
   * @throws YarakError `failed`, permanent for answers of 5xx, `unavailable` or `interrupted`
   */
  send(envelope: Envelope, message: Buffer, signal: AbortSignal): Promise<readonly string[]>
  close(): Promise<void>
}

export const mailer = (settings: SmtpSettings): Mailer => {
  const name = `SMTP at ${settings.host}:${settings.port}`
  const secrets = secretsOf(settings)
  const link: Connection<Client> = connection({
    name,
    open: (lost) => open(settings, lost),
    close: (client) => client.close(),
    meaning: meaningOf(name, secrets),
  })
  const inTurn = serial()
  return {
    send: (envelope, message, signal) =>
      unlessAborted(signal, name, () =>
        inTurn(() => link.use((client) => transfer(client, envelope, message), signal)),
      ),
    close: () => link.close(),
  }
}

/** After a refusal the server may wait for the rest of the mail: only a new connection is sure to be at its beginning. */
const transfer = async (client: Client, { from, to }: Envelope, message: Buffer): Promise<readonly string[]> => {
  try {
    const info = await finished<{ rejected?: string[] }>(client, (done) =>
      client.send({ from, to: [...to], size: message.length }, message, done),
    )
    return info.rejected ?? []
  } catch (error) {
    client.close()
    throw error
  }
}
