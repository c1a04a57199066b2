/** Redis, as its output sees it: commands go out together, and the server answers each. */
import type { Redis } from 'ioredis'
import { messageOf, YarakError } from '../src/plugin.ts'
import { optional } from './_package.ts'
import type { Outcome } from './_queue.ts'
import { type TlsSettings, tlsOptions } from './_tls.ts'

/** `host`, `host:port` or `[v6]:port`. */
export const ADDRESS = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^\s,:/@[\]]+))(?::(?<port>\d{1,5}))?$/

export interface RedisSettings {
  readonly address: string
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly database: number
  readonly tls?: TlsSettings
}

/** A command and its arguments. */
export type RedisCommand = readonly [name: string, ...args: string[]]

export interface RedisLink {
  /** What became of each command, in their order. Rejects when the connection is lost. */
  run(commands: readonly RedisCommand[]): Promise<readonly Outcome[]>
  close(): unknown
}

/** @param lost called when the connection has ended by itself */
export type RedisDriver = (settings: RedisSettings, lost: () => void) => Promise<RedisLink>

/** Milliseconds until the server must have let us in. */
const TIMEOUT = 5_000

/** A driver on ioredis, which is loaded at the first send; it neither queues nor tries again by itself. */
export const redisDriver: RedisDriver = async ({ address, username, password, database, tls }, lost) => {
  const { Redis } = await optional('ioredis', () => import('ioredis'))
  const { v6, host = v6 ?? '', port = 6379 } = ADDRESS.exec(address)?.groups ?? {}
  const client = new Redis({
    ...{ host, port: Number(port), db: database, protocol: 2, connectTimeout: TIMEOUT, connectionName: 'yarak' },
    ...{ lazyConnect: true, enableOfflineQueue: false, maxRetriesPerRequest: 0, retryStrategy: null },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: { ...(await tlsOptions(tls)) } }),
  })
  let why: unknown
  client.on('error', (error: unknown) => (why = error))
  try {
    await client.connect()
  } catch (error) {
    client.disconnect()
    throw why ?? error
  }
  client.on('close', lost)
  return { run: (commands) => pipelined(client, commands), close: () => client.disconnect() }
}

/** What the server says of one command, and not of us. */
const isOfCommand = ({ name, message }: Error): boolean => name === 'ReplyError' && !message.startsWith('NOAUTH')

const pipelined = async (client: Redis, commands: readonly RedisCommand[]): Promise<readonly Outcome[]> => {
  const results = (await client.pipeline(commands.map(([name, ...args]) => [name.toLowerCase(), ...args])).exec()) ?? []
  const broken = results.find(([error]) => error && !isOfCommand(error))
  if (broken) throw broken[0] as Error
  return results.map(([error]) => (error ? refused(error) : undefined))
}

const refused = (cause: Error): YarakError =>
  new YarakError('failed', messageOf(cause), { cause, reason: wordOf(cause) })

/** Replies start with their kind in capitals. */
const wordOf = (error: unknown): string => /^[A-Z]+\b/.exec(messageOf(error))?.[0].toLowerCase() ?? 'rejected'
