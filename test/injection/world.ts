/** A gateway in a world of its own, where all that leaves it is kept. */
import { existsSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { file } from '../../outputs/file.ts'
import { createLog } from '../../src/log.ts'
import { createGateway, type StepInput, type StepReport } from '../../src/index.ts'
import type { OutputInput } from '../../src/options.ts'
import type { Action, Io, Output, Resource, Use } from '../../src/plugin.ts'
import { azure } from '../../src/resources/azure.ts'
import { google } from '../../src/resources/google.ts'
import { createKafkaResource, kafka } from '../../src/resources/kafka-producer.ts'
import { kubernetes } from '../../src/resources/kubernetes.ts'
import type { Answer } from '../../src/testing.ts'
import { createFakeKafka } from '../inputs/_fake-driver.ts'
import { kubeconfigFor } from '../fake-kubeconfig.ts'
import { aKubernetes, populate } from './cluster.ts'
import { textsIn, textsOf } from './leaves.ts'
import { eventOf, type Fields } from './payloads.ts'
import { aTap, aWeb, type Received } from './wire.ts'

export type World = Awaited<ReturnType<typeof aWorld>>

/** Keeps what it is given, for `local:script`. */
const DUMP = `#!/bin/sh
for one in "$@"; do printf '%s\\0' "$one"; done > argv
cat > stdin
env -0 > env
`
const KEPT = ['argv', 'stdin', 'env']

/** Beside our own settings, what the clouds answer. */
const web = ({ url }: Received): Answer =>
  url.startsWith('https://cloudfunctions.googleapis.com/')
    ? { body: { uri: 'https://fn-uc.a.run.app' } }
    : { body: 'done' }

/** @param answer what any other host than the API server says */
export const aWorld = async (answer: (request: Received) => Answer = web) => {
  const root = await mkdtemp(join(tmpdir(), 'yarak-injection-'))
  const folder = join(root, 'a', 'b', 'work')
  const dataDir = join(root, 'a', 'b', 'data')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'dump.sh'), DUMP, { mode: 0o700 })
  await writeFile(join(folder, 'seen.txt'), 'seen')
  await writeFile(join(folder, 'script.sh'), 'printf %s "$1"')
  const { cluster, calls } = await aKubernetes(folder)
  const tap = await aTap(Number(new URL(cluster.url).port))
  const kubeconfig = join(root, 'kubeconfig')
  await writeFile(kubeconfig, kubeconfigFor(tap.url))
  const internet = await aWeb(answer)
  const broker = createFakeKafka({ quarantine: 1 })
  const lines: string[] = []
  onTestFinished(async () => {
    await tap.close()
    await cluster.close()
    await internet.close()
    await rm(root, { recursive: true })
  })

  const fakes: readonly [Resource, unknown][] = [
    [azure, { authorization: async () => 'Bearer x' }],
    [
      google,
      { project: async () => 'secops', authorization: async () => 'Bearer x', identity: async () => 'Bearer x' },
    ],
  ]
  const broke = createKafkaResource(broker.driver)
  /** The same plugin, where a cloud knows who we are, and Kafka is played. */
  const use = ({ use }: Pick<Io, 'use'>): Io['use'] => {
    const swapped = (resource: Resource): Promise<unknown> => {
      const fake = fakes.find(([{ type }]) => type === resource.type)
      if (fake) return Promise.resolve(fake[1])
      return use(resource.type === kafka.type ? (broke as unknown as Resource) : resource)
    }
    return swapped as Io['use']
  }
  const withFakes = ({ plugin, ...rest }: Use<Action>): Use<Action> => ({
    ...rest,
    plugin: { ...plugin, run: (params, step) => plugin.run(params, { ...step, use: use(step) }) },
  })

  const evidence = { output: file({ dir: join(dataDir, 'evidence') }), tell: 'none' as const }
  return {
    root,
    folder,
    cluster,
    calls,
    tap,
    broker,
    lines,
    requests: internet.requests,
    /** Requests to the API server that have been looked at. */
    counted: 0,
    /** A gateway whose only rule has these steps. */
    gateway: (steps: readonly StepInput[], outputs: readonly OutputInput[] = [evidence]) =>
      createGateway({
        mode: 'enforce',
        dataDir,
        rules: [{ name: 'all', steps: steps.map((step) => withAction(step, withFakes)), join: 0 }],
        outputs,
        guards: { budgets: [], breaker: false },
        resources: [
          kubernetes({ kubeconfig, nodeHelper: { enabled: true, image: 'registry.example/crictl:1' } }),
          kafka({ brokers: ['broker:9092'] }),
        ],
        env: {
          ...{ PATH: '/usr/bin:/bin', HOME: folder, HIDDEN: 'hidden' },
          ...{ AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'hush', AWS_REGION: 'eu-central-1' },
        },
        log: createLog({ level: 'debug', format: 'json', stream: { write: (line) => lines.push(line) } }),
        dispatcher: internet.dispatcher,
      }),
    outputWithFakes: ({ plugin, ...rest }: Use<Output>): Use<Output> => ({
      ...rest,
      plugin: { ...plugin, open: (config, io) => plugin.open(config, { ...io, use: use(io) }) },
    }),
    /** Has an event answered, in the cluster as it was at first. */
    async respond(gateway: ReturnType<typeof createGateway>, fields: Fields): Promise<readonly StepReport[]> {
      populate(cluster)
      for (const name of KEPT) rmSync(join(folder, name), { force: true })
      const receipt = await gateway.emit(eventOf(fields))
      return (await receipt.done).flatMap(({ steps }) => steps)
    },
    mark: () => [cluster.requests, calls, internet.requests, broker.sent, lines].map(({ length }) => length),
    /** Every text that anybody was given since. */
    received: async ([requests, commands, posts, records, said]: readonly number[]): Promise<ReadonlySet<string>> =>
      new Set([
        ...cluster.requests.slice(requests).flatMap(textsOfCall),
        ...calls.slice(commands).flatMap(({ command }) => command),
        ...(await inputsOf(calls.slice(commands))),
        ...internet.requests.slice(posts).flatMap(textsOfRequest),
        ...broker.sent.slice(records).flatMap(({ records }) => records.flatMap(textsOfRecord)),
        ...lines.slice(said).flatMap(textsOf),
        ...(await childOf(folder)),
        ...(await filesIn(join(dataDir, 'evidence'))),
      ]),
    /** The names of the variables that the last child had. */
    variables: async (): Promise<readonly string[]> => (await variablesOf(folder)).map(([name]) => name),
  }
}

const withAction = (step: StepInput, change: (use: Use<Action>) => Use<Action>): StepInput =>
  'action' in step ? { ...step, action: change(step.action) } : 'plugin' in step ? change(step) : step

/** The trace id behind a note is cut off. */
const textsOfCall = ({ body, query }: World['cluster']['requests'][number]): readonly string[] =>
  [...textsIn(body), ...Object.values(query)].map((text) => text.replace(/ \(trace [0-9a-f]{32}\)$/, ''))

const inputsOf = async (calls: World['calls']): Promise<readonly string[]> =>
  (await Promise.all(calls.map(async ({ stdin }) => stdin))).map(String)

const textsOfRequest = ({ headers, body, path }: Received): readonly string[] => [
  ...Object.values(headers),
  ...textsOf(body),
  ...path.split('/').flatMap((part) => [part, unescaped(part)]),
]

const unescaped = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

type Sent = World['broker']['sent'][number]['records'][number]

const textsOfRecord = ({ key, value, headers }: Sent): readonly string[] => [
  ...(key === null ? [] : [String(key)]),
  ...Object.values(headers ?? {}).map(String),
  ...textsOf(String(value)),
]

const read = async (folder: string, name: string): Promise<string> =>
  existsSync(join(folder, name)) ? readFile(join(folder, name), 'utf8') : ''

const variablesOf = async (folder: string): Promise<readonly (readonly [string, string])[]> =>
  (await read(folder, 'env'))
    .split('\0')
    .filter(Boolean)
    .map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)])

const childOf = async (folder: string): Promise<readonly string[]> => [
  ...(await read(folder, 'argv')).split('\0'),
  ...(await variablesOf(folder)).map(([, value]) => value),
  ...textsOf(await read(folder, 'stdin')),
]

/** The texts of the newest file of a folder. */
const filesIn = async (folder: string): Promise<readonly string[]> => {
  const names = existsSync(folder) ? await readdir(folder) : []
  const last = names
    .filter((name) => !name.endsWith('.custody.json'))
    .sort()
    .at(-1)
  return last === undefined ? [] : textsOf(await read(folder, last))
}
