/** RabbitMQ, one node, with its management API. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aptPart, type AptFiles } from './apt.ts'
import { answers, converse, type Launch } from './launch.ts'
import { freePort } from './part.ts'
import { versions } from './versions.ts'

export interface RabbitmqAddresses {
  readonly host: string
  readonly port: number
  readonly url: string
  /** Base of the management API, e.g. `/api/queues`, with the same user. */
  readonly managementUrl: string
  readonly username: string
  readonly password: string
}

const host = '127.0.0.1'
const username = 'guest'
const password = 'guest'
const home = `usr/lib/rabbitmq/lib/rabbitmq_server-${versions.rabbitmq}`

/** The AMQP 0-9-1 greeting; the broker answers it with the first frame of the handshake. */
const greeting = Buffer.from('AMQP\0\0\x09\x01')

/** All data is written within this time; then the management plugin sleeps for 5 s, which nobody needs to wait for. */
const graceMs = 1_500

export const rabbitmq = aptPart<RabbitmqAddresses>({
  name: 'rabbitmq',
  version: versions.rabbitmq,
  packages: ['rabbitmq-server'],
  async begin(files, run) {
    const [port, management, distribution, epmd] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
    const erlang = erlangOf(files, run, epmd)
    run.spawn(join(erlang.bin, 'epmd'), ['-port', String(epmd), '-address', host], { name: 'epmd', env: erlang.env })
    await run.ready(() => converse(epmd, Buffer.from('\0\x01n'), () => true))
    run.spawn(files.path(`${home}/sbin/rabbitmq-server`), [], {
      name: 'rabbitmq',
      graceMs,
      env: { ...erlang.env, ...settings(run, port, management, distribution) },
    })
    const managementUrl = `http://${host}:${management}`
    await run.ready(() => converse(port, greeting, (heard) => heard.length > 8), 90_000)
    await run.ready(answers(managementUrl), 60_000)
    return { host, port, url: `amqp://${username}:${password}@${host}:${port}`, managementUrl, username, password }
  },
})

/**
 * Debian's `erl` knows only the folder that it is installed in, so the run gets one of its own. The port mapper is a
 * process of the run too: left to itself, Erlang would start one that outlives it.
 */
const erlangOf = (files: AptFiles, run: Launch, epmd: number): { bin: string; env: NodeJS.ProcessEnv } => {
  const root = files.path('usr/lib/erlang')
  const runtime = readdirSync(root).find((name) => name.startsWith('erts-')) ?? ''
  const bin = join(root, runtime, 'bin')
  const shell = `#!/bin/sh\nexec ${bin}/erlexec "$@"\n`
  writeFileSync(join(run.dir, 'erl'), shell, { mode: 0o755 })
  const path = `${run.dir}:${bin}:${process.env.PATH ?? ''}`
  const names = { ROOTDIR: root, BINDIR: bin, EMU: 'beam', PROGNAME: 'erl', ERL_EPMD_PORT: String(epmd) }
  return { bin, env: files.env({ ...names, PATH: path, HOME: run.dir, ERL_EPMD_ADDRESS: host }) }
}

const settings = (run: Launch, port: number, management: number, distribution: number): NodeJS.ProcessEnv => ({
  RABBITMQ_HOME: run.dir,
  RABBITMQ_NODENAME: `yarak${port}@localhost`,
  RABBITMQ_DIST_PORT: String(distribution),
  RABBITMQ_CONF_ENV_FILE: run.file('rabbitmq-env.conf', ''),
  RABBITMQ_CONFIG_FILE: run.file('rabbitmq.conf', config(port, management)),
  RABBITMQ_ENABLED_PLUGINS_FILE: run.file('enabled_plugins', '[rabbitmq_management].\n'),
  RABBITMQ_MNESIA_BASE: join(run.dir, 'mnesia'),
  RABBITMQ_LOG_BASE: run.dir,
  RABBITMQ_LOGS: '-',
  // The Erlang machine takes the place of the shell, so that the signal to stop reaches it.
  RABBITMQ_ALLOW_INPUT: '1',
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-noinput -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}',
})

const config = (port: number, management: number): string => `
listeners.tcp.1 = ${host}:${port}
management.tcp.ip = ${host}
management.tcp.port = ${management}
collect_statistics_interval = 1000
disk_free_limit.absolute = 50MB
`
