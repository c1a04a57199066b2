/** Where a command finds the gateway that it is about: the one that runs, or else what it left. */
import { join } from 'node:path'
import { type Command } from 'commander'
import { Client, type Dispatcher } from 'undici'
import { type Address, addressText, type ConfigOptions, type Plugins } from '../config/index.ts'
import { messageOf, YarakError } from '../errors.ts'
import { configOption, loadedOrExit, type LoadFlags } from './load.ts'
import type { Terminal } from './terminal.ts'

/** The admin routes of a gateway that runs. */
export interface Admin {
  readonly url: string
  /**
   * @param path below `/admin/`
   * @throws YarakError with the gateway's own words, for people
   */
  ask<T>(method: Dispatcher.HttpMethod, path: string): Promise<T>
}

/** No gateway runs: its configuration, and the journal that it left. */
export interface AtRest {
  readonly path: string
  readonly options: ConfigOptions
  readonly plugins: Plugins
}

export interface PlaceFlags extends LoadFlags {
  readonly url?: string
  readonly token?: string
}

export const placeOptions = (command: Command): Command =>
  command
    .addOption(configOption())
    .option('--url <url>', 'address of the gateway, http:// or unix:/path (default: where the configuration listens)')
    .option(
      '--token <token>',
      'its admin token; default the environment variable YARAK_ADMIN_TOKEN, then the configuration',
    )

/** The running gateway when one answers, else what it left. */
export const findAdmin = async (flags: PlaceFlags, terminal: Terminal): Promise<{ readonly admin: Admin } | AtRest> => {
  const given = flags.token ?? terminal.env.YARAK_ADMIN_TOKEN
  if (flags.url !== undefined) return { admin: adminAt(flags.url, given) }
  const { options, plugins } = await loadedOrExit(flags, terminal)
  const { listen, dataDir, admin: settings } = options
  const token = given ?? settings.token
  for (const url of listen.flatMap(urlOf)) {
    const admin = adminAt(url, token)
    try {
      await admin.ask('GET', 'journal')
      return { admin }
    } catch (error) {
      if (!(error instanceof NotThere)) throw error
    }
  }
  return { path: join(dataDir, 'journal.db'), options, plugins }
}

/** Where a listener can be reached from its own machine; nowhere when it takes any free port. */
const urlOf = (address: Address & { readonly tls?: unknown }): string[] => {
  if ('path' in address) return [addressText(address)]
  const host = ANY[address.host] ?? address.host
  return address.port === 0 ? [] : [`http${address.tls ? 's' : ''}://${addressText({ ...address, host })}`]
}

const ANY: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Nobody listens there, or somebody who is no gateway. */
class NotThere extends YarakError {
  constructor(message: string) {
    super('unavailable', message)
  }
}

/** Milliseconds that an answer may take: a replay waits for the output, an undoing for the cluster. */
const TIMEOUT = 60_000

const adminAt = (url: string, token: string | undefined): Admin => ({
  url,
  async ask<T>(method: Dispatcher.HttpMethod, path: string): Promise<T> {
    const client = connect(url)
    const headers = { 'x-yarak-admin': '1', ...(token !== undefined && { authorization: `Bearer ${token}` }) }
    try {
      const { statusCode, body } = await client
        .request({ method, path: `/admin/${path}`, headers, signal: AbortSignal.timeout(TIMEOUT) })
        .catch((error: unknown) => {
          throw new NotThere(`no gateway answers at ${url}: ${messageOf(error)}`)
        })
      return answerOf<T>(statusCode, await body.text(), url)
    } finally {
      await client.destroy()
    }
  },
})

const connect = (url: string): Client => {
  if (url.startsWith('unix:')) return new Client('http://localhost', { connect: { socketPath: url.slice(5) } })
  if (!/^https?:/.test(url) || !URL.canParse(url))
    throw new YarakError('config', `--url ${url}: must be an address such as http://127.0.0.1:2801 or unix:/path`)
  return new Client(new URL(url).origin)
}

const answerOf = <T>(status: number, text: string, url: string): T => {
  const body = parse(text)
  if (body === undefined || (status === 404 && !isAdmins(body)))
    throw new NotThere(`what answers at ${url} has no admin routes`)
  if (status === 200) return body as T
  const hint = status === 401 || status === 403 ? ' (give --token, or set YARAK_ADMIN_TOKEN)' : ''
  throw new YarakError('failed', `${String((body as { message?: unknown }).message)}${hint}`)
}

/** Of a gateway without these routes, or of another server, a 404 says something else. */
const isAdmins = (body: object): boolean => String((body as { message?: unknown }).message).startsWith('there is no ')

const parse = (text: string): object | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

/** Without what is not asked for. */
export const queryText = (query: object): string => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  return new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)])).toString()
}
