/** Redis, one server without persistence. */
import { aptPart } from './apt.ts'
import { converse } from './launch.ts'
import { freePort } from './part.ts'
import { versions } from './versions.ts'

export interface RedisOptions {
  /** Asks clients for this password; `username` may be given too, else it is the default user's. */
  readonly password?: string
  readonly username?: string
}

export interface RedisAddresses {
  readonly host: string
  readonly port: number
  readonly url: string
  readonly username?: string
  readonly password?: string
}

export const redis = aptPart<RedisAddresses, RedisOptions>({
  name: 'redis',
  version: versions.redis,
  packages: ['redis-server'],
  async begin(files, run, { username = 'default', password }) {
    const host = '127.0.0.1'
    const port = await freePort()
    const user = password === undefined ? [] : ['user default off', `user ${username} on >${password} ~* &* +@all`]
    const settings = [`bind ${host}`, `port ${port}`, 'save ""', `dir ${run.dir}`, ...user]
    const config = run.file('redis.conf', settings.join('\n'))
    run.spawn(files.path('usr/bin/redis-server'), [config], { env: files.env() })
    await run.ready(() => ping(port))
    if (password === undefined) return { host, port, url: `redis://${host}:${port}` }
    return { host, port, url: `redis://${username}:${password}@${host}:${port}`, username, password }
  },
})

/** A server that asks for a password answers too, with an error. */
const ping = async (port: number): Promise<true | undefined> => {
  const heard = (await converse(port, 'PING\r\n', (bytes) => bytes.includes('\r\n'))).toString()
  return heard.startsWith('+PONG') || heard.startsWith('-NOAUTH') || undefined
}
