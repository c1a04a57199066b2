/** Whether this is the software that the configuration needs. */
import { MAX_CONNECTIONS } from '../config/listen.ts'
import type { ConfigOptions } from '../config/index.ts'
import { inputOf } from '../options.ts'
import { neededBy } from '../permissions.ts'
import { VERSION } from '../version.ts'
import type { Findings, ProcessFacts } from './context.ts'
import { about, type Finding } from './finding.ts'

const { ok, warn, fail, skip } = about('versions')

/** The oldest Node.js, as the package's `engines` say. */
export const NODE = '22.19'

/** The packages that inputs and outputs load when they are first used. */
const PACKAGES: Readonly<Record<string, string>> = {
  kafka: 'kafkajs',
  mqtt: 'mqtt',
  nats: '@nats-io/transport-node',
  rabbitmq: 'amqplib',
  redis: 'ioredis',
  smtp: 'nodemailer',
  timescaledb: 'pg',
}

/** @param options undefined: the configuration does not load, and what it needs is not known */
export const versionFindings = (facts: ProcessFacts, options: ConfigOptions | undefined): Findings => [
  nodeFinding(facts.node),
  ok('Yarak', `version ${VERSION}`),
  ...(options ? packageFindings(options, facts.has) : []),
  fileFinding(facts.openFiles, options),
]

const nodeFinding = (version: string): Finding => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [needed = 0, least = 0] = NODE.split('.').map(Number)
  return major > needed || (major === needed && minor >= least)
    ? ok('Node.js', `version ${version}`)
    : fail('Node.js', `version ${version} is too old`, `install Node.js ${NODE} or newer`)
}

const packageFindings = (options: ConfigOptions, has: ProcessFacts['has']): Finding[] => {
  const needed = packagesFor(options)
  const missing = [...needed].filter(([name]) => !has(name))
  if (missing.length === 0 && needed.size > 0)
    return [ok('packages', `all that the configuration needs are there: ${[...needed.keys()].join(', ')}`)]
  return missing.map(([name, by]) =>
    fail(name, `the package is not installed, and ${by} needs it`, `npm install ${name}`),
  )
}

/** The packages, and who needs each. */
const packagesFor = (options: ConfigOptions): ReadonlyMap<string, string> => {
  const uses = [...options.inputs.map(inputOf), ...options.outputs.map(({ output }) => output)]
  const named = uses.flatMap(({ id, plugin }): [string, string][] => {
    const name = PACKAGES[plugin.type]
    return name === undefined ? [] : [[name, id]]
  })
  const [need] = neededBy(options)
  return new Map([...named.reverse(), ...(need ? [['@kubernetes/client-node', need.by] as const] : [])])
}

/** What the gateway itself opens beside connections: journal, files that are followed, connections to outputs. */
const OWN_FILES = 512

const fileFinding = (limit: number | undefined, options: ConfigOptions | undefined): Finding => {
  if (limit === undefined) return skip('open files', 'no limit is known here')
  const connections = (options?.listen ?? []).reduce((sum, one) => sum + (one.maxConnections ?? MAX_CONNECTIONS), 0)
  const wanted = connections + OWN_FILES
  return limit >= wanted
    ? ok('open files', `${limit} may be open at once`)
    : warn(
        'open files',
        `only ${limit} may be open at once, and the listeners alone may hold ${connections} connections`,
        `ulimit -n ${wanted}, or LimitNOFILE=${wanted} in the unit of systemd`,
      )
}
