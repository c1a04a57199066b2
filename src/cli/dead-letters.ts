/** What the commands about dead letters and the journal work on: a running gateway, or else the file that it left. */
import { join } from 'node:path'
import { type Command } from 'commander'
import { Client, type Dispatcher } from 'undici'
import type { LetterPage, LetterSummary } from '../admin.ts'
import { type Address, addressText } from '../config/index.ts'
import { messageOf, YarakError } from '../errors.ts'
import type { JournalStats, LetterQuery, StoredLetter } from '../journal/index.ts'
import { inspectJournal, removeLetters } from '../journal/inspect.ts'
import { configOption, type LoadFlags, loadOrExit } from './load.ts'
import type { Terminal } from './terminal.ts'

/** Either kind of place. Each call rejects with what is wrong, for people. */
export interface Place {
  /** An address or a path, for people. */
  readonly name: string
  readonly running: boolean
  stats(): Promise<Omit<JournalStats, 'mode' | 'full' | 'maxSize'> & Partial<JournalStats>>
  page(query: LetterQuery): Promise<LetterPage>
  show(id: number): Promise<StoredLetter>
  remove(id: number): Promise<void>
  /** What became of it. */
  replay(id: number): Promise<string>
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

/** The running gateway when one answers, else its file. */
export const findPlace = async (flags: PlaceFlags, terminal: Terminal): Promise<Place> => {
  const given = flags.token ?? terminal.env.YARAK_ADMIN_TOKEN
  if (flags.url !== undefined) return running(flags.url, given)
  const { listen, dataDir, admin } = loadOrExit(flags, terminal)
  const token = given ?? admin.token
  for (const url of listen.flatMap(urlOf)) {
    const place = running(url, token)
    try {
      await place.stats()
      return place
    } catch (error) {
      if (!(error instanceof NotThere)) throw error
    }
  }
  return atRest(join(dataDir, 'journal.db'))
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

// ── a running gateway ───────────────────────────────────────────────────────────────────────────────────────────────

/** Milliseconds that an answer may take; a replay waits for the output. */
const TIMEOUT = 60_000

const running = (url: string, token: string | undefined): Place => {
  const ask = async <T>(method: Dispatcher.HttpMethod, path: string): Promise<T> => {
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
  }
  return {
    name: url,
    running: true,
    stats: () => ask('GET', 'journal'),
    page: (query) => ask('GET', `dlq?${new URLSearchParams(defined(query)).toString()}`),
    show: (id) => ask('GET', `dlq/${id}`),
    remove: async (id) => void (await ask('DELETE', `dlq/${id}`)),
    replay: async (id) => (await ask<{ outcome: string }>('POST', `dlq/${id}/replay`)).outcome,
  }
}

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
const isAdmins = (body: object): boolean =>
  String((body as { message?: unknown }).message).startsWith('there is no dead letter')

const parse = (text: string): object | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

const defined = (query: LetterQuery): Record<string, string> =>
  Object.fromEntries(
    Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])),
  )

// ── a file ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const atRest = (path: string): Place => {
  const find = (id: number): StoredLetter => {
    const [letter] = inspectJournal(path, ({ letters }) => letters({ after: id - 1, limit: 1 }))
    if (letter?.id !== id) throw absent(id)
    return letter
  }
  return {
    name: path,
    running: false,
    stats: async () => inspectJournal(path, ({ counts, size }) => ({ size: size(), ...counts() })),
    page: async ({ limit = 100, ...query }) => {
      const letters = inspectJournal(path, (journal) => journal.letters({ ...query, limit }))
      const last = letters.length === limit ? letters.at(-1) : undefined
      return { letters: letters.map(summaryOf), ...(last && { next: last.id }) }
    },
    show: async (id) => find(id),
    async remove(id) {
      if (removeLetters(path, [id]) === 0) throw absent(id)
    },
    async replay() {
      throw new YarakError(
        'unavailable',
        'the gateway does not run: start it, since it is the gateway that tries again',
      )
    },
  }
}

const summaryOf = ({ body, ...letter }: StoredLetter): LetterSummary => ({ ...letter, length: body.length })

const absent = (id: number): YarakError => new YarakError('not_found', `there is no dead letter ${id}`)
