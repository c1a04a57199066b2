/** Where a command finds the gateway that it is about: the one that runs, or else what it left. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Command } from 'commander'
import { Client, type Dispatcher } from 'undici'
import {
  type Address,
  addressText,
  adminListeners,
  adminSocket,
  type ConfigOptions,
  type Plugins,
} from '../config/index.ts'
import { whyNot } from '../config/files.ts'
import { messageOf, YarakError } from '../errors.ts'
import { configOption, loadedOrExit, type LoadFlags } from './load.ts'
import { Exit, type Terminal } from './terminal.ts'

/** The admin routes of a gateway that runs. */
export interface Admin {
  readonly url: string
  /**
   * @param path below `/admin/`
   * @param body sent as JSON
   * @throws YarakError with the gateway's own words, for people
   */
  ask<T>(method: Dispatcher.HttpMethod, path: string, body?: object): Promise<T>
}

/** No gateway runs: its configuration, and the journal that it left. */
export interface AtRest {
  readonly path: string
  readonly options: ConfigOptions
  readonly plugins: Plugins
}

export interface PlaceFlags extends LoadFlags {
  readonly url?: string
  readonly socket?: string
  readonly token?: string
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export const placeOptions = (command: Command): Command =>
  command
    .addOption(configOption())
    .option('--socket <path>', 'unix socket of the gateway (default: admin.sock in its dataDir, then its admin.listen)')
    .option('--url <url>', 'its address instead, http://, https:// or unix:/path, as admin.listen of its configuration')
    .option(
      '--token <token>',
      'its admin token; default the environment variable YARAK_ADMIN_TOKEN, then the configuration',
    )
    .option('--ca <file>', 'authority of its certificate, PEM')
    .option('--cert <file>', 'certificate to show it, PEM')
    .option('--key <file>', 'key of that certificate, PEM')

/** The running gateway when one answers, else what it left. */
export const findAdmin = async (flags: PlaceFlags, terminal: Terminal): Promise<{ readonly admin: Admin } | AtRest> => {
  const named = flags.socket === undefined ? flags.url : `unix:${flags.socket}`
  const proof = { ...proofOf(flags), token: flags.token ?? terminal.env.YARAK_ADMIN_TOKEN }
  if (named !== undefined) return { admin: adminAt(named, proof) }
  const { options, plugins } = await loadedOrExit(flags, terminal)
  const { dataDir, admin: settings } = options
  const token = proof.token ?? settings.token
  for (const url of new Set([adminSocket(options), ...adminListeners(options)].flatMap(urlOf))) {
    const admin = adminAt(url, { ...proof, token })
    try {
      await admin.ask('GET', 'journal')
      return { admin }
    } catch (error) {
      if (!(error instanceof NotThere)) throw error
    }
  }
  return { path: join(dataDir, 'journal.db'), options, plugins }
}

/** The running gateway, or the end of the command with exit code 1. */
export const adminOrExit = async (flags: PlaceFlags, terminal: Terminal): Promise<Admin> => {
  const found = await findAdmin(flags, terminal)
  if ('admin' in found) return found.admin
  terminal.err('yarak: no gateway runs here; give --socket or --url where its admin routes are\n')
  throw new Exit(1)
}

/** Who asks, and whom they trust. */
interface Proof {
  readonly token?: string | undefined
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

const proofOf = (flags: PlaceFlags): Omit<Proof, 'token'> =>
  Object.fromEntries(
    (['ca', 'cert', 'key'] as const).flatMap((name) => {
      const file = flags[name]
      return file === undefined ? [] : [[name, read(`--${name}`, file)]]
    }),
  )

const read = (option: string, file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new YarakError('config', `${option} ${file}: ${whyNot(error)}`)
  }
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

const adminAt = (url: string, proof: Proof): Admin => ({
  url,
  async ask<T>(method: Dispatcher.HttpMethod, path: string, given?: object): Promise<T> {
    const client = connect(url, proof)
    const { token } = proof
    const headers = { 'x-yarak-admin': '1', ...(token !== undefined && { authorization: `Bearer ${token}` }) }
    const sent = given && { body: JSON.stringify(given) }
    try {
      const { statusCode, body } = await client
        .request({ method, path: `/admin/${path}`, headers, ...sent, signal: AbortSignal.timeout(TIMEOUT) })
        .catch((error: unknown) => {
          throw unreached(url, error)
        })
      return answerOf<T>(statusCode, await body.text(), url)
    } finally {
      await client.destroy()
    }
  },
})

const unreached = (url: string, error: unknown): YarakError => {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'EACCES' && code !== 'EPERM') return new NotThere(`no gateway answers at ${url}: ${messageOf(error)}`)
  const remedy = 'run this as the user of the gateway (sudo -u, kubectl exec), or give it admin.listen and a token'
  return new YarakError('failed', `only the user that the gateway runs as may open ${url}: ${remedy}`)
}

const connect = (url: string, { ca, cert, key }: Proof): Client => {
  if (url.startsWith('unix:')) return new Client('http://localhost', { connect: { socketPath: url.slice(5) } })
  if (!/^https?:/.test(url) || !URL.canParse(url))
    throw new YarakError('config', `--url ${url}: must be an address such as http://127.0.0.1:2802 or unix:/path`)
  const tls = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
  return new Client(new URL(url).origin, { connect: tls })
}

const answerOf = <T>(status: number, text: string, url: string): T => {
  const body = parse(text)
  if (body === undefined || (status === 404 && !isAdmins(body)))
    throw new NotThere(`what answers at ${url} has no admin routes`)
  if (status === 200) return body as T
  const hint = status === 401 ? ' (give --token, set YARAK_ADMIN_TOKEN, or give --cert and --key)' : ''
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
