/** A mail server that delivers nothing and keeps what it gets: the npm package `smtp-server`, in this process. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { text as allOf } from 'node:stream/consumers'
import { authority, loopback } from './certificates.ts'
import { launch, type Launch } from './launch.ts'
import { freePort, type Part } from './part.ts'
import { lacking } from './tools.ts'
import { versions } from './versions.ts'

export interface SmtpOptions {
  /** Asks clients for this name and password. */
  readonly username?: string
  readonly password?: string
  /** TLS from the first byte; STARTTLS is offered in any case. */
  readonly secure?: boolean
}

export interface SmtpAddresses {
  readonly host: string
  readonly port: number
  readonly url: string
  readonly username?: string
  readonly password?: string
  /** Certificate of the authority that signed the server's, PEM file. */
  readonly ca: string
  /** The mails so far. */
  mails(): readonly Mail[]
}

export interface Mail {
  /** Who sent it and who gets it, as the client told the server. */
  readonly from: string
  readonly to: readonly string[]
  readonly subject: string
  readonly text: string
  readonly html: string
  /** All of it, as it came. */
  readonly source: string
}

const packages = ['smtp-server', 'mailparser']
const resolve = createRequire(import.meta.url).resolve

const folderOf = (name: string): string | undefined => {
  try {
    return dirname(resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}

export const smtp: Part<SmtpAddresses, SmtpOptions> = {
  name: 'smtp',
  version: versions.smtpServer,
  missing() {
    const uninstalled = packages.find((name) => !folderOf(name))
    return uninstalled ? `the npm package ${uninstalled} is not installed` : lacking('openssl')
  },
  cached: () => packages.map(folderOf).filter((folder) => folder !== undefined),
  ensure: () => Promise.resolve(),
  start: (options = {}) => launch('smtp', (run) => listen(options, run)),
}

const listen = async ({ username, password, secure = false }: SmtpOptions, run: Launch): Promise<SmtpAddresses> => {
  const [{ SMTPServer }, { simpleParser }] = await Promise.all([import('smtp-server'), import('mailparser')])
  const host = '127.0.0.1'
  const port = await freePort()
  const authorised = await authority(run.dir)
  const { key, cert } = await authorised.issue('smtp', { name: 'localhost', hosts: loopback })
  const mails: Mail[] = []
  const server = new SMTPServer({
    name: host,
    secure,
    key: readFileSync(key),
    cert: readFileSync(cert),
    authOptional: username === undefined,
    allowInsecureAuth: true,
    onAuth(login, _session, done) {
      const known = username === undefined || (login.username === username && login.password === password)
      if (known) done(null, { user: login.username })
      else done(new Error('wrong name or password'))
    },
    onData(stream, { envelope }, done) {
      const keep = async () => {
        const source = await allOf(stream)
        const { subject = '', text = '', html } = await simpleParser(source)
        const from = envelope.mailFrom ? envelope.mailFrom.address : ''
        mails.push({ from, to: envelope.rcptTo.map(({ address }) => address), subject, text, html: html || '', source })
      }
      keep().then(() => done(), done)
    },
  })
  // A client that breaks off in the middle is for the test to look at, not for the server to fall over.
  server.on('error', () => undefined)
  await new Promise<void>((ready, fail) => server.once('error', fail).listen(port, host, ready))
  run.closing(() => new Promise((done) => server.close(done)))
  const url = `${secure ? 'smtps' : 'smtp'}://${host}:${port}`
  const login = username === undefined ? {} : { username, password }
  return { host, port, url, ...login, ca: authorised.cert, mails: () => mails }
}
