/** Mosquitto, which speaks MQTT 3.1.1 and 5, with a listener for everybody and one that asks for a password. */
import { aptPart } from './apt.ts'
import { converse } from './launch.ts'
import { freePort } from './part.ts'
import { run as runToEnd } from './tools.ts'
import { versions } from './versions.ts'

export interface MosquittoAddresses {
  readonly host: string
  /** Without a password. */
  readonly port: number
  readonly url: string
  /** With a password. */
  readonly securedPort: number
  readonly securedUrl: string
  readonly username: string
  readonly password: string
  /** Paths of the command-line clients, and the environment that they need. */
  readonly publish: string
  readonly subscribe: string
  readonly libraryPath: string
}

const host = '127.0.0.1'
const username = 'yarak'
const password = 'yarak-secret'

/** MQTT 3.1.1: CONNECT with a clean session and an empty client id, and the CONNACK that accepts it. */
const connect = Buffer.from('100c00044d5154540402003c0000', 'hex')
const accepted = Buffer.from('20020000', 'hex')

export const mosquitto = aptPart<MosquittoAddresses>({
  name: 'mosquitto',
  version: versions.mosquitto,
  packages: ['mosquitto', 'mosquitto-clients'],
  async begin(files, run) {
    const [port, securedPort] = await Promise.all([freePort(), freePort()])
    const env = files.env()
    const users = run.file('users', '')
    await runToEnd(files.path('usr/bin/mosquitto_passwd'), ['-b', users, username, password], { env })
    const config = run.file('mosquitto.conf', configuration(port, securedPort, users))
    run.spawn(files.path('usr/sbin/mosquitto'), ['-c', config], { env })
    await run.ready(async () => (await converse(port, connect, isWhole)).equals(accepted) || undefined)
    return {
      ...{ host, port, url: `mqtt://${host}:${port}` },
      ...{ securedPort, securedUrl: `mqtt://${host}:${securedPort}`, username, password },
      publish: files.path('usr/bin/mosquitto_pub'),
      subscribe: files.path('usr/bin/mosquitto_sub'),
      libraryPath: env.LD_LIBRARY_PATH ?? '',
    }
  },
})

const isWhole = (heard: Buffer): boolean => heard.length >= accepted.length

/** Started as root, Mosquitto would change to a user that cannot read the run's folder, unless it is told to stay. */
const configuration = (port: number, securedPort: number, users: string): string => `
user ${process.getuid?.() === 0 ? 'root' : ''}
per_listener_settings true
persistence false
log_type all
log_dest stderr
listener ${port} ${host}
allow_anonymous true
listener ${securedPort} ${host}
allow_anonymous false
password_file ${users}
`
