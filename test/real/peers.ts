/**
 * Falcosidekick and Falco Talon, for benchmarks and comparisons. They are never got: a variable names the program of an
 * installed release.
 */
import { constants, accessSync } from 'node:fs'
import { answers, launch, type Launch } from './launch.ts'
import { freePort, type Part } from './part.ts'

/** A setting of the peer's own configuration file. */
type Settings = Readonly<Record<string, unknown>>

export interface FalcosidekickOptions {
  /** The configuration file, e.g. `{ webhook: { address } }`; where it listens is added. */
  readonly config?: Settings
  /** Variables that it gets besides. */
  readonly env?: Readonly<Record<string, string>>
}

export interface TalonOptions {
  /** The rules file, as YAML; no rule when left out. */
  readonly rules?: string
  readonly kubeconfig?: string
  /** Notifiers by name with their settings, e.g. `{ webhook: { url } }`; every rule tells all of them. */
  readonly notifiers?: Readonly<Record<string, Settings>>
  /** More of the configuration file, e.g. `otel`. */
  readonly config?: Settings
  /** Variables that it gets besides. */
  readonly env?: Readonly<Record<string, string>>
}

export interface PeerAddresses {
  /** Where Falco would post its events. */
  readonly url: string
}

interface PeerSpec<O extends { readonly env?: Readonly<Record<string, string>> }> {
  readonly name: string
  /** Names the program. */
  readonly variable: string
  readonly healthPath: string
  /** Writes the peer's files and gives its arguments. */
  arguments(run: Launch, port: number, options: O): string[]
}

/** The peers read their settings from the environment as well, which is therefore kept from them. */
const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env.PATH, HOME: process.env.HOME })

const host = '127.0.0.1'

const peer = <O extends { readonly env?: Readonly<Record<string, string>> }>(
  spec: PeerSpec<O>,
): Part<PeerAddresses, O> => ({
  name: spec.name,
  version: 'as installed',
  missing: () => missing(spec.variable),
  cached: () => [],
  ensure: () => Promise.resolve(),
  start: (options) =>
    launch(spec.name, async (run) => {
      const port = await freePort()
      const flags = spec.arguments(run, port, options ?? ({} as O))
      run.spawn(process.env[spec.variable] ?? '', flags, { env: { ...environment(), ...options?.env } })
      const url = `http://${host}:${port}`
      await run.ready(answers(`${url}${spec.healthPath}`))
      return { url }
    }),
})

const missing = (variable: string): string | undefined => {
  const program = process.env[variable]
  if (!program) return `${variable} is not set to the path of an installed release`
  try {
    accessSync(program, constants.X_OK)
    return undefined
  } catch {
    return `${variable} names ${program}, which is not a program`
  }
}

/** Both read YAML, of which JSON is a part. */
const write = (run: Launch, config: Settings): string => run.file('config.yaml', JSON.stringify(config, undefined, 2))

export const falcosidekick = peer<FalcosidekickOptions>({
  name: 'falcosidekick',
  variable: 'YARAK_BENCH_FALCOSIDEKICK',
  healthPath: '/ping',
  arguments: (run, port, { config }) => ['-c', write(run, { ...config, listenaddress: host, listenport: port })],
})

/** Talon's embedded NATS takes port 4222 of every address, which no setting changes: one Talon at a time. */
export const talon = peer<TalonOptions>({
  name: 'talon',
  variable: 'YARAK_BENCH_TALON',
  healthPath: '/healthz',
  arguments: (run, port, { rules = '[]', kubeconfig = '', notifiers = {}, config }) => [
    'server',
    '-c',
    write(run, {
      deduplication: { leader_election: false },
      watch_rules: false,
      log_format: 'text',
      ...config,
      kubeconfig,
      notifiers,
      default_notifiers: Object.keys(notifiers),
      rules_files: [run.file('rules.yaml', rules)],
      listen_address: host,
      listen_port: port,
    }),
  ],
})
