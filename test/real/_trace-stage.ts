/** The real program between real servers, for tests that read its traces back: two ways in, two outputs, a cluster. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { startHook } from './_trace-hook.ts'
import { client, makeTopics } from './kafka/input.ts'
import { kafka } from './kafka.ts'
import { kubernetes } from './kubernetes.ts'
import { freePort, until } from './part.ts'

const MAIN = resolve(import.meta.dirname, '../../src/main.ts')

export const NAMESPACE = 'shop'
export const TOPICS = { falco: 'falco', told: 'told', batched: 'batched' } as const

/** Of the rule `Contain`: one step that works, one that is retried, one that a guard refuses, and one that goes on. */
export const CONTAIN = 'Terminal shell in container'
/** Of the rule `Watch`: a change with a short life, a request that waits until the hook is opened, and another change. */
export const WATCH = 'Launch Privileged Container'
/** No rule answers it; only the output that sends batches is told. */
export const NUMBERED = 'Numbered'

/** What a command line may hold: it is in every alert, and belongs in no span. */
export const SECRET = 'curl --token s3cret-of-a-command-line'

const rules = (hook: string) => [
  {
    rule: 'Contain',
    match: { rules: [CONTAIN] },
    steps: [
      { action: 'kubernetes:label', id: 'mark', with: { labels: { suspicious: 'true' } } },
      {
        action: 'http:request',
        id: 'block',
        with: { url: `${hook}/block`, body: '{{ target.pod }} {{ response.id }}' },
        retries: 2,
      },
      { action: 'kubernetes:cordon', id: 'close', onError: 'continue' },
      {
        action: 'kubernetes:annotation',
        id: 'note',
        with: { annotations: { 'example.com/trace': '{{ response.trace }}' } },
      },
    ],
  },
  {
    rule: 'Watch',
    match: { rules: [WATCH] },
    steps: [
      { action: 'kubernetes:label', id: 'mark', with: { labels: { watched: 'true' }, ttl: '1s' } },
      {
        action: 'http:request',
        id: 'ask',
        with: { url: `${hook}/gate`, timeout: '60s' },
        timeout: '60s',
        onError: 'continue',
      },
      { action: 'kubernetes:annotation', id: 'note', with: { annotations: { 'example.com/seen': 'true' } } },
    ],
  },
]

/** An alert that is sent, and the span of its sender. */
export interface Sent {
  readonly traceId: string
  readonly parentId: string
}

/** A record that an output wrote. */
export interface Written {
  readonly topic: string
  readonly headers: Readonly<Record<string, string>>
  readonly value: { readonly rule?: string; readonly response?: { readonly id: string; readonly traceId?: string } }
}

export type Stage = Awaited<ReturnType<typeof startStage>>

/** @param otlp where the program sends its spans, over HTTP */
export const startStage = async (otlp: string) => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-trace-'))
  const [broker, cluster, hook, port] = await Promise.all([
    kafka.start(),
    kubernetes.start({ crds: false }),
    startHook(),
    freePort(),
  ])
  const { brokers } = broker.addresses
  const topics = Object.values(TOPICS).map((topic) => ({ topic, numPartitions: 1 }))
  await Promise.all([makeTopics(brokers, ...topics), cluster.cluster.namespace(NAMESPACE)])
  const written: Written[] = []
  const queue = await openQueue(brokers, written)
  writeFileSync(
    join(dir, 'yarak.yaml'),
    JSON.stringify({
      version: 1,
      mode: 'enforce',
      cluster: 'lab',
      listen: `127.0.0.1:${port}`,
      dataDir: join(dir, 'data'),
      inputs: {
        http: {},
        kafka: { brokers, topics: [TOPICS.falco], from: 'earliest', trust: true, sessionTimeout: '6s' },
      },
      outputs: {
        webhook: { address: `${hook.url}/told`, tell: 'both', condition: `rule != ${NUMBERED}` },
        kafka: { brokers, topic: TOPICS.told, tell: 'both', condition: `rule != ${NUMBERED}` },
        'kafka/batched': {
          ...{ brokers, topic: TOPICS.batched, condition: `rule = ${NUMBERED}` },
          batch: { count: 3, wait: '30s' },
        },
      },
      guards: { protectedNodes: ['node-1'] },
      resources: { kubernetes: { kubeconfig: cluster.addresses.kubeconfig } },
      rules: rules(hook.url),
    }),
  )
  const gateway = createProcess(dir, otlp)
  const ready = () =>
    until('the gateway', async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok || undefined, 60_000)
  return {
    cluster: cluster.cluster,
    hook,
    written,
    lines: gateway.lines,
    async start() {
      gateway.start()
      await ready()
    },
    kill: () => gateway.end('SIGKILL'),
    /** What the journal has under a key, while the program does not run. */
    noted: (key: string): readonly { readonly traceparent?: string }[] => noted(join(dir, 'data/journal.db'), key),
    /** Posts an alert as a sender that traces it. */
    async post(alert: object): Promise<Sent> {
      const { sent, headers } = aSender()
      const body = JSON.stringify(alert)
      const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body })
      if (!answer.ok) throw new Error(`the alert was answered ${answer.status} ${await answer.text()}`)
      return sent
    },
    /** Writes an alert to the topic as a sender that traces it. */
    async write(alert: object): Promise<Sent> {
      const { sent, headers } = aSender()
      await queue.write({ topic: TOPICS.falco, messages: [{ value: JSON.stringify(alert), headers }] })
      return sent
    },
    async stop() {
      hook.open()
      const code = await gateway.end('SIGTERM')
      await queue.close()
      await Promise.all([broker.stop(), cluster.stop(), hook.close()])
      rmSync(dir, { recursive: true, force: true })
      return code
    },
  }
}

const noted = (journal: string, key: string): { readonly traceparent?: string }[] => {
  const db = new DatabaseSync(journal)
  try {
    const rows = db.prepare('SELECT value FROM facts WHERE key = ?').all(key)
    return rows.map(({ value }) => JSON.parse(String(value)) as { readonly traceparent?: string })
  } finally {
    db.close()
  }
}

const aSender = () => {
  const sent: Sent = { traceId: randomBytes(16).toString('hex'), parentId: randomBytes(8).toString('hex') }
  return { sent, headers: { traceparent: `00-${sent.traceId}-${sent.parentId}-01`, tracestate: 'acme=blue' } }
}

/** Reads the topics that outputs write to into `written`. */
const openQueue = async (brokers: readonly string[], written: Written[]) => {
  const [producer, consumer] = [client(brokers).producer(), client(brokers).consumer({ groupId: 'reader' })]
  await Promise.all([producer.connect(), consumer.connect()])
  await consumer.subscribe({ topics: [TOPICS.told, TOPICS.batched], fromBeginning: true })
  await consumer.run({
    async eachMessage({ topic, message: { value, headers = {} } }) {
      const texts = Object.entries(headers).map(([name, header]) => [name, String(header)] as const)
      written.push({ topic, headers: Object.fromEntries(texts), value: JSON.parse(String(value)) as Written['value'] })
    },
  })
  return {
    write: producer.send,
    close: () => Promise.all([producer.disconnect(), consumer.disconnect()]),
  }
}

/** A line of the log, as JSON. */
export type Line = Readonly<Record<string, unknown>>

const createProcess = (dir: string, otlp: string) => {
  let child: ChildProcess | undefined
  let text = ''
  return {
    start(): void {
      const { PATH } = process.env
      const env = {
        PATH,
        OTEL_EXPORTER_OTLP_ENDPOINT: otlp,
        OTEL_BSP_SCHEDULE_DELAY: '100',
        OTEL_METRICS_EXPORTER: 'none',
      }
      const args = [MAIN, 'run', '--config', join(dir, 'yarak.yaml')]
      child = spawn(process.execPath, args, { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] })
      const keep = (chunk: string): void => void (text += chunk)
      child.stdout?.setEncoding('utf8').on('data', keep)
      child.stderr?.setEncoding('utf8').on('data', keep)
    },
    /** The log so far. */
    lines: (): Line[] =>
      text
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .flatMap((line) => parsed(line)),
    async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null | undefined> {
      const ending = child
      child = undefined
      if (!ending || ending.exitCode !== null || ending.signalCode !== null) return ending?.exitCode
      const ended = new Promise<number | null>((done) => ending.once('exit', done))
      ending.kill(signal)
      return ended
    },
  }
}

/** The last line may not have come whole. */
const parsed = (line: string): Line[] => {
  try {
    return [JSON.parse(line) as Line]
  } catch {
    return []
  }
}
