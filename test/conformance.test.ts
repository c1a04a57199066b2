/** Every plugin that Yarak brings along keeps what its kind promises, and stands in the file that has its name. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { inputs } from '../inputs/index.ts'
import { awsSecuritylake } from '../outputs/aws-securitylake.ts'
import { createDogstatsd } from '../outputs/dogstatsd.ts'
import { gcpChronicle } from '../outputs/gcp-chronicle.ts'
import { outputs } from '../outputs/index.ts'
import { createKafkaOutput } from '../outputs/kafka.ts'
import { createLogstash } from '../outputs/logstash.ts'
import { createMqtt } from '../outputs/mqtt.ts'
import { createNats } from '../outputs/nats.ts'
import { createOtlpMetrics } from '../outputs/otlp-metrics.ts'
import { createRabbitmq } from '../outputs/rabbitmq.ts'
import { createRedis } from '../outputs/redis.ts'
import { createSmtp } from '../outputs/smtp.ts'
import { createStatsd } from '../outputs/statsd.ts'
import { createStdout } from '../outputs/stdout.ts'
import { createSyslog } from '../outputs/syslog.ts'
import { createTimescaledb } from '../outputs/timescaledb.ts'
import { actions } from '../src/actions/index.ts'
import { contexts } from '../src/contexts/index.ts'
import type { Action, Context, Input, Output, Spec } from '../src/plugin.ts'
import {
  actionCases,
  type Answers,
  type Case,
  contextCases,
  inputCases,
  type OutputCaseOptions,
  outputCases,
  testIo,
} from '../src/testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'yarak-conformance-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Trial {
  /** The same output on a stand-in of what it writes to. */
  readonly output?: Output
  readonly options: OutputCaseOptions
}

/** In a cluster that takes everything. */
const inCluster = () => {
  const send = async () => ({ metadata: { uid: '8e2f0b6c-3c1f-4f6e-9d55-0a4a3c1b2d3e' } })
  return testIo({ resources: { kubernetes: { namespace: 'yarak', as: () => ({ send }) } } })
}

/** A queue that takes everything. */
const taking = { publish: async () => [], close: async () => {} }

/** A connection that takes everything. */
const lines = () => ({
  write: async (_texts: unknown, signal: AbortSignal) => signal.throwIfAborted(),
  close: async () => {},
})

/** A server with `_bulk` that takes everything, unless it is to answer something else. */
const bulk: OutputCaseOptions = {
  io: (answer = { body: { errors: false, items: [] } }) => testIo({ answer }),
}

/** With an account of Google Cloud. */
const inGoogle = (answer?: Answers) =>
  testIo({
    ...(answer !== undefined && { answer }),
    resources: {
      google: {
        authorization: async () => 'Bearer x',
        identity: async () => 'Bearer y',
        project: async (wanted = 'secops') => wanted,
      },
    },
  })

/** How to run the outputs that do not speak HTTP. */
const trials: Readonly<Record<string, Trial>> = {
  file: { options: { config: { path: join(folder, 'events.jsonl') } } },
  kafka: {
    output: createKafkaOutput(() => ({
      producer: () => ({ send: async () => {}, close: async () => {} }),
      consumer: () => expect.fail('an output consumes nothing'),
      topics: () => expect.fail('an output asks for no topics'),
      ends: () => expect.fail('an output asks for no offsets'),
    })),
    options: { config: { brokers: ['kafka:9092'], topic: 'falco-events' } },
  },
  elasticsearch: { options: bulk },
  dogstatsd: { output: createDogstatsd(lines), options: { config: { forwarder: 'agent:8125' } } },
  logstash: { output: createLogstash(lines), options: { config: { address: 'logstash' } } },
  opensearch: { options: bulk },
  'otlp.metrics': { output: createOtlpMetrics(() => Date.UTC(2026, 0, 31, 12)), options: {} },
  statsd: { output: createStatsd(lines), options: { config: { forwarder: 'statsd:8125' } } },
  syslog: { output: createSyslog(lines), options: { config: { host: 'rsyslog' } } },
  mqtt: {
    output: createMqtt(async () => ({ ...taking, maxPacket: 65_536 })),
    options: { config: { broker: 'tcp://mosquitto:1883' } },
  },
  nats: {
    output: createNats(async () => ({ ...taking, maxPayload: 65_536 })),
    options: { config: { hostPort: 'nats://nats:4222' } },
  },
  rabbitmq: {
    output: createRabbitmq(async () => taking),
    options: { config: { url: 'amqp://yarak:secret@rabbitmq:5672/', queue: 'falco' } },
  },
  redis: {
    output: createRedis(async () => ({ run: async () => [], close: async () => {} })),
    options: { config: { address: 'redis:6379', password: 'secret' } },
  },
  timescaledb: {
    output: createTimescaledb(async () => ({ run: async () => {}, close: async () => {} })),
    options: { config: { host: 'timescaledb', password: 'secret' } },
  },
  'aws.securitylake': { options: { config: awsSecuritylake.example?.config } },
  'gcp.chronicle': { options: { config: gcpChronicle.example?.config, io: inGoogle } },
  'gcp.cloudfunctions': { options: { io: inGoogle } },
  'gcp.cloudrun': { options: { io: inGoogle } },
  'gcp.pubsub': { options: { io: inGoogle } },
  'gcp.storage': { options: { io: inGoogle } },
  k8sevents: { options: { config: {}, io: inCluster } },
  policyreport: { options: { config: {}, io: inCluster } },
  smtp: {
    output: createSmtp(() => ({
      send: async (_envelope, _mail, signal) => (signal.throwIfAborted(), []),
      close: async () => {},
    })),
    options: { config: { hostPort: 'mail:25', from: 'falco@example.com', to: 'soc@example.com' } },
  },
  spyderbat: { options: { io: (answer = { body: [] }) => testIo({ answer }) } },
  stdout: { output: createStdout({ isTTY: () => false, write: async () => {} }), options: { config: {} } },
}

const run = (cases: readonly Case[]): void => {
  for (const { name, run } of cases) it(name, run)
}

const outputCasesOf = (output: Output): Case[] => {
  const { output: other = output, options } = trials[output.type] ?? { options: {} }
  return outputCases(other, options)
}

describe.each(outputs.map((one): [string, Output] => [one.type, one]))('output %s', (type, output) => {
  run(outputCasesOf(output))

  it('has an example', () => {
    expect(output.example).toBeDefined()
  })

  it('is sent something by these cases', () => {
    expect(type in trials || /^https?:/.test(output.example?.sends?.url ?? '')).toBe(true)
  })
})

describe.each(inputs.map((one): [string, Input] => [one.type, one as Input]))('input %s', (_type, input) => {
  run(inputCases(input))
})

describe.each(actions.map((one): [string, Action] => [one.type, one as unknown as Action]))(
  'action %s',
  (_type, action) => {
    run(actionCases(action))

    it('has an example', () => {
      expect(action.example).toBeDefined()
    })
  },
)

describe.each(contexts.map((one): [string, Context] => [one.type, one as Context]))('context %s', (_type, context) => {
  run(contextCases(context))
})

/** The plugin files of a folder: helpers start with `_`, and an index declares nothing. */
const filesOf = (root: string): string[] =>
  readdirSync(new URL(`../${root}/`, import.meta.url), { recursive: true, encoding: 'utf8' }).filter((path) =>
    /^(?:[^/]+\/)*(?!_|index\.)[^/]+\.ts$/.test(path),
  )

const isDeclaration = (value: unknown): value is Spec =>
  typeof value === 'function' && 'type' in value && 'summary' in value && 'config' in value

const declaredIn = async (path: string): Promise<Spec[]> => {
  const module = (await import(new URL(`../${path}`, import.meta.url).href)) as Record<string, unknown>
  return Object.values(module).filter(isDeclaration)
}

/** `kubernetes:label` stands in `kubernetes/label.ts`, `http:request` in `http-request.ts`, `aws.s3` in `aws-s3.ts`. */
const fileNames = (type: string): string[] =>
  [type, type.replace(':', '/'), type.replace(/[:.]/, '-')].map((name) => `${name}.ts`)

describe.each<[string, readonly Spec[]]>([
  ['inputs', inputs],
  ['outputs', outputs],
  ['src/actions', actions],
  ['src/contexts', contexts],
])('%s', (root, listed) => {
  it('lists every plugin of the folder, each in the file of its name, one for each file', async () => {
    const found = await Promise.all(
      filesOf(root).map(async (path) => ({ path, specs: await declaredIn(`${root}/${path}`) })),
    )
    for (const { path, specs } of found) {
      expect(specs.length, path).toBeLessThanOrEqual(1)
      for (const { type } of specs) expect(fileNames(type)).toContain(path)
    }
    const types = found.flatMap(({ specs }) => specs.map(({ type }) => type))
    expect(listed.map(({ type }) => type).sort()).toEqual(types.sort())
  })

  it('has no two plugins of one type', () => {
    expect(new Set(listed.map(({ type }) => type)).size).toBe(listed.length)
  })
})
