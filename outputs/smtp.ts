/** Mail, by an SMTP server. */
import { defineOutput, type Io, type Notice, secret, z } from '../src/plugin.ts'
import { mailOf } from './_mail.ts'
import { optional } from './_package.ts'
import { type Envelope, type Mailer, mailer, MECHANISMS, type SmtpSettings } from './_smtp.ts'
import { tlsSettings } from './_tls.ts'

const HOST_PORT = /^(?:\[([\da-fA-F:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})$/

const ADDRESS = /^(?:[^<>,\p{Cc}]*<)?[^\s@<>,]+@[^\s@<>,]+>?$/u

const address = () => z.string().regex(ADDRESS, 'must be a mail address')

const list = () =>
  z.string().transform((text) =>
    text
      .split(',')
      .map((one) => one.trim())
      .filter(Boolean),
  )

const config = z
  .strictObject({
    hostPort: z.string().regex(HOST_PORT, 'must be host:port').describe('The mail server, e.g. smtp.example.com:587.'),
    tls: z
      .union([z.boolean(), tlsSettings().unwrap()])
      .default(true)
      .describe('TLS, by STARTTLS; at port 465 from the first byte. Nothing is sent without. Default true.'),
    authMechanism: z
      .enum(MECHANISMS)
      .default('plain')
      .describe('How it signs in; plain and login do not without a user. Default plain.'),
    user: z.string().optional().describe('Name for plain, login and oauthbearer. Default none.'),
    password: secret().optional().describe('Password for plain and login.'),
    token: secret().optional().describe('Token for oauthbearer.'),
    identity: z.string().optional().describe('Whom to act for, of plain and external. Default the user itself.'),
    trace: z.string().optional().describe('What is told to an anonymous server, e.g. a mail address. Default nothing.'),
    from: address().describe('Sender.'),
    to: z
      .union([list(), z.array(z.string())])
      .pipe(z.array(address()).min(1, 'must name a recipient'))
      .describe('Recipients: a list, or text with commas between them.'),
    outputFormat: z.enum(['html', 'text']).default('html').describe('html has the text beside it. Default html.'),
  })
  .refine(({ authMechanism, token }) => authMechanism !== 'oauthbearer' || token, 'oauthbearer needs a token')

type Config = z.output<typeof config>

/** What the connection is made with. */
export const smtpSettings = ({ hostPort, tls, ...settings }: Config): SmtpSettings => {
  const [, six, host = six ?? '', port] = HOST_PORT.exec(hostPort) ?? []
  return { ...settings, host, port: Number(port), tls: tls === true ? { verify: true } : tls || undefined }
}

const headersOf = (notice: Notice, { from, to }: Config) => {
  const date = new Date(notice.report?.startedAt ?? notice.event.time)
  const domain = /@([^\s@<>]+)>?$/.exec(from)?.[1] ?? 'localhost'
  return {
    from,
    to,
    ...(!Number.isNaN(date.getTime()) && { date }),
    // The same for every try, so that a mail that came twice is seen as one.
    messageId: `<${notice.id.replaceAll(/[^\w.-]/g, '-')}@${domain}>`,
    headers: { 'Auto-Submitted': 'auto-generated' },
  }
}

const contentOf = (notice: Notice, { outputFormat }: Config) => {
  const { html, ...plain } = mailOf(notice)
  return outputFormat === 'html' ? { ...plain, html } : plain
}

const composed = async (notice: Notice, settings: Config): Promise<{ envelope: Envelope; message: Buffer }> => {
  const { default: Composer } = await optional('nodemailer', () => import('nodemailer/lib/mail-composer'))
  const safe = { disableFileAccess: true, disableUrlAccess: true }
  const mail = new Composer({ ...headersOf(notice, settings), ...contentOf(notice, settings), ...safe }).compile()
  return { envelope: mail.getEnvelope(), message: await mail.build() }
}

const deliver = async (mails: Mailer, notice: Notice, settings: Config, io: Io, signal: AbortSignal): Promise<void> => {
  const { host, port } = smtpSettings(settings)
  const attributes = { 'server.address': host, 'server.port': port, 'network.protocol.name': 'smtp' }
  const { envelope, message } = await composed(notice, settings)
  const refused = await io.call({ name: `send ${host}`, attributes }, () => mails.send(envelope, message, signal))
  if (refused.length > 0) io.log.warn('recipients were refused', { refused, recipients: envelope.to.length })
}

/** @param connect stands in for the connection in a test */
export const createSmtp = (connect: typeof mailer = mailer) =>
  defineOutput({
    type: 'smtp',
    summary: 'Sends the event as a mail.',
    notes: `
The subject is the priority and the output of the event, on one line and cut after 200 characters; that of a report is
the outcome and the rule. Answers of 4xx are tried again, those of 5xx are dead letters. Where the server refuses some of
the recipients the mail is delivered to the others, and a line of the log names the refused.

A digest is one mail that tells how many alerts it stands for. With \`tls: false\` the password goes over the network as
it is. \`tls\` can be a map: \`caFile\`, \`certFile\`, \`keyFile\` (for external), \`verify\`. Needs the package \`nodemailer\`.

Differences from Falcosidekick: nothing of an event becomes a header or markup; a refused sign-in is an error; one
connection is kept; port 465 is TLS from the first byte; recipients may have names; the colours are those of the chat
outputs; no picture is loaded from elsewhere; a null field is left out, other values that are not text are JSON, times
are RFC 3339, \`Date\` is in UTC; long values are cut.
`.trim(),
    config,
    preview: (notice, settings) => ({ ...headersOf(notice, settings), ...contentOf(notice, settings) }),
    open: (settings, io) => {
      const mails = connect(smtpSettings(settings))
      return {
        async send(notices, signal) {
          for (const notice of notices) await deliver(mails, notice, settings, io, signal)
        },
        close: () => mails.close(),
      }
    },
    example: {
      config: {
        hostPort: 'smtp.example.com:587',
        user: 'falco@example.com',
        password: 'correct-horse-battery',
        from: 'Falco <falco@example.com>',
        to: 'soc@example.com, on-call@example.com',
      },
    },
  })

/**
 * Sends each notice as a mail, over one connection that is kept.
 *
 * Source: the `smtp` output of Falcosidekick 2.x (`outputs/smtp.go`), the `smtp` notifier of Falco Talon; RFC 5321, 5322.
 * @example smtp({ hostPort: 'smtp.example.com:587', user: 'falco', password: '…', from: 'falco@example.com', to: 'soc@example.com' })
 */
export const smtp = createSmtp()
