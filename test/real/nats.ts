/** NATS with JetStream. */
import { aptPart } from './apt.ts'
import { answers } from './launch.ts'
import { freePort } from './part.ts'
import { versions } from './versions.ts'

export interface NatsOptions {
  /** Asks clients for this name and password. */
  readonly username?: string
  readonly password?: string
}

export interface NatsAddresses extends NatsOptions {
  readonly host: string
  readonly port: number
  readonly url: string
  /** `/jsz`, `/connz` and the like, for what the server itself has counted. */
  readonly monitorUrl: string
}

export const nats = aptPart<NatsAddresses, NatsOptions>({
  name: 'nats',
  version: versions.nats,
  packages: ['nats-server'],
  async begin(files, run, options) {
    const host = '127.0.0.1'
    const [port, monitor] = await Promise.all([freePort(), freePort()])
    const file = run.file('nats.json', JSON.stringify(config(host, port, monitor, run.dir, options)))
    run.spawn(files.path('usr/sbin/nats-server'), ['--config', file])
    const monitorUrl = `http://${host}:${monitor}`
    await run.ready(answers(`${monitorUrl}/healthz`))
    return { host, port, url: `nats://${host}:${port}`, monitorUrl, ...options }
  },
})

const config = (host: string, port: number, monitor: number, dir: string, { username, password }: NatsOptions) => ({
  host,
  port,
  http: `${host}:${monitor}`,
  jetstream: { store_dir: dir },
  ...(username === undefined ? {} : { authorization: { user: username, password } }),
})
