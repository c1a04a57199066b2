/** The broker's process, which may live several times on the same ports and data. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { daemon, until, type Daemon } from '../part.ts'
import { run } from '../tools.ts'
import { clusterIsUp } from './client.ts'
import { jarsDir, logging } from './jars.ts'

/** A test broker: little memory, and no time spent on optimising code that runs for seconds. */
const jvm = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Djava.awt.headless=true']

const java = (version: string, main: string, args: readonly string[]): string[] => [
  ...jvm,
  ...logging(version),
  ...['-cp', join(jarsDir(version), '*'), main, ...args],
]

export interface BrokerSettings {
  readonly version: string
  readonly dir: string
  /** Path of server.properties. */
  readonly config: string
  /** Where it is asked whether it is up. */
  readonly brokers: readonly string[]
}

export class Broker {
  readonly #settings: BrokerSettings
  #process: Daemon | undefined

  constructor(settings: BrokerSettings) {
    this.#settings = settings
  }

  get log(): string {
    return join(this.#settings.dir, 'kafka.log')
  }

  /** Prepares the data folder; `scram` are the credentials that exist before the broker first starts. */
  async format(scram: readonly string[]): Promise<void> {
    const { version, dir, config } = this.#settings
    const id = clusterId()
    const users = scram.flatMap((credential) => ['--add-scram', credential])
    await run('java', java(version, 'kafka.tools.StorageTool', ['format', '-t', id, '-c', config, ...users]), {
      cwd: dir,
    })
  }

  /** Starts the process and returns once the broker answers; fails at once when the process ends. */
  async up(): Promise<void> {
    const { version, dir, config, brokers } = this.#settings
    const started = daemon('java', java(version, 'kafka.Kafka', [config]), { dir, name: 'kafka' })
    this.#process = started
    const gone = () => started.child.exitCode !== null || started.child.signalCode !== null
    await until(`kafka ${version}`, async () => gone() || clusterIsUp(brokers), 60_000)
    started.check()
  }

  /** An orderly end, given time; without time it is a kill. */
  async end(graceMs: number): Promise<void> {
    const ending = this.#process
    this.#process = undefined
    if (graceMs === 0) ending?.child.kill('SIGKILL')
    await ending?.stop(graceMs)
  }
}

/** 16 random bytes; an id that begins with a dash would be taken for an option. */
const clusterId = (): string => {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  return bytes.toString('base64url')
}
