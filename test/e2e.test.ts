/** The main job: the same alert by each input gives the same response, told to an output, as one trace. */
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { file } from '../inputs/file.ts'
import { http } from '../inputs/http.ts'
import { createKafkaInput } from '../inputs/kafka.ts'
import { createStdinInput } from '../inputs/stdin.ts'
import { evidenceSave } from '../src/actions/evidence-save.ts'
import { localScript } from '../src/actions/local-script.ts'
import { createGateway, type GatewayOptions, type Report, type RuleInput } from '../src/index.ts'
import type { SpanRecord } from '../src/trace-tree.ts'
import { createFakeKafka } from './inputs/_fake-driver.ts'
import { alert, sink } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const TEXT = JSON.stringify(alert())
const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

let dir = ''
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'yarak-e2e-'))))
afterEach(() => rm(dir, { recursive: true, force: true }))

const rule: RuleInput = {
  name: 'Keep evidence',
  match: { rules: ['Terminal shell in container'], priority: '>=notice' },
  steps: [
    { action: evidenceSave({}), id: 'save' },
    {
      action: localScript({
        command: ['sh', '-c', 'printf "%s" "$1"', 'sh', '{{ k8s.pod.name }}'],
        changes: 'nothing',
      }),
      if: 'steps.save.outcome = succeeded',
    },
  ],
  notify: ['sink'],
}

/** Runs a gateway until the sink was told of the event and of the report. */
const answered = async (inputs: GatewayOptions['inputs'], send: (app: ReturnType<typeof createGateway>) => unknown) => {
  const { told, use } = sink()
  const gateway = createGateway({
    inputs,
    rules: [rule],
    outputs: [use],
    mode: 'enforce',
    dataDir: dir,
    env: { PATH: process.env.PATH },
  })
  await gateway.start()
  await send(gateway)
  await expect.poll(() => told.length).toBe(2)
  await gateway.stop()
  const report = told.find((notice) => notice.report)?.report
  if (!report) throw new Error('no report')
  return { report, event: told[0]?.event }
}

/** What is the same however the alert came. */
const essence = ({ rule: name, outcome, mode, target, steps }: Report) => ({
  name,
  outcome,
  mode,
  target,
  steps: steps.map((step) => [step.id, step.action, step.outcome, step.output]),
})

const paths: [string, string, () => ReturnType<typeof answered>][] = [
  [
    'http',
    'POST /',
    () =>
      answered([http({})], ({ app }) =>
        app.request('/', { method: 'POST', body: TEXT, headers: { traceparent: PARENT } }),
      ),
  ],
  [
    'kafka',
    'process falco',
    () => {
      const fake = createFakeKafka({ falco: 1 })
      fake.append('falco', TEXT, { headers: { traceparent: PARENT } })
      return answered(
        [createKafkaInput(fake.driver)({ brokers: ['k:9092'], topics: ['falco'], from: 'earliest' })],
        () => {},
      )
    },
  ],
  [
    'file',
    'tail file',
    async () => {
      const path = join(dir, 'events.jsonl')
      await writeFile(path, '')
      return answered([file({ path, from: 'beginning', pollInterval: '10ms' })], () => appendFile(path, `${TEXT}\n`))
    },
  ],
]

it.each(paths)('%s: the same response and the same spans', async (input, reception, run) => {
  const { report, event } = await run()
  expect(essence(report)).toEqual({
    name: 'Keep evidence',
    outcome: 'succeeded',
    mode: 'enforce',
    target: 'pod/shop/web-1',
    steps: [
      ['save', 'evidence:save', 'succeeded', undefined],
      ['local-script', 'local:script', 'succeeded', 'web-1'],
    ],
  })
  expect(event?.input).toBe(input)
  expect(tree(spans.all())).toEqual([
    reception,
    ['match'],
    ['notify sink'],
    ['respond Keep evidence', ['action evidence:save', ['store evidence']], ['action local:script'], ['notify sink']],
  ])
  const first = spans.one(reception)
  expect(first.attributes).toMatchObject({
    'yarak.input': input,
    'yarak.matched': 1,
    'security_rule.name': 'Terminal shell in container',
  })
  if (input !== 'file') expect([first.traceId, first.parentId]).toEqual(PARENT.split('-').slice(1, 3))
  expect(report.traceId).toBe(first.traceId)
  const evidence = JSON.parse(await readFile(new URL(report.steps[0]?.artifacts?.[0]?.url ?? ''), 'utf8')) as {
    event: unknown
  }
  expect(evidence.event).toMatchObject({ rule: 'Terminal shell in container' })
})

it('a pipe: standard input ends the run when all of it is settled', async () => {
  const { told, use } = sink()
  const input = createStdinInput(() => Readable.from([Buffer.from(`${TEXT}\n`), Buffer.from(TEXT)]))
  const gateway = createGateway({ inputs: [input({})], outputs: [use] })
  await gateway.start()
  await gateway.ended()
  await gateway.stop()
  expect(told).toHaveLength(2)
})

type Tree = (string | Tree)[]

/** Names by nesting, siblings sorted. */
const tree = (all: readonly SpanRecord[]): Tree => {
  const known = new Set(all.map(({ spanId }) => spanId))
  const under = (parent: string | undefined): Tree[] =>
    all
      .filter(({ parentId }) => (parent === undefined ? !parentId || !known.has(parentId) : parentId === parent))
      .map((span): Tree => [span.name, ...under(span.spanId)])
      .sort((a, b) => String(a[0]).localeCompare(String(b[0])))
  return under(undefined)[0] ?? []
}
