/** The trees that people see, of traces and reports that the engine made: `test/fixtures/trees`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createGateway, type GatewayOptions, YarakError } from '../src/index.ts'
import type { Journal } from '../src/journal/index.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import type { Subject } from '../src/plugin.ts'
import { reportSpans } from '../src/trace-report.ts'
import { golden } from './_tree.ts'
import { disk } from './disk.ts'
import { alert, gate, probe, sink } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const { open, close } = disk()

const file = (name: string): string => join(import.meta.dirname, 'fixtures/trees', `${name}.txt`)

const podOf = (namespace: string) => async (): Promise<Subject> => ({
  ...{ kind: 'Pod', key: `pod/${namespace}/web-1`, namespace, name: 'web-1', uid: 'u-1', labels: {}, owners: [] },
})

/** Fails once, and then makes a call and says what it touched. */
const mark = probe(
  async (_params, step) => {
    if (step.attempt === 1) throw new YarakError('failed', 'answered 503', { reason: 'http-503', retryAfter: 1 })
    const attributes = { 'server.address': 'api.example', 'http.response.status_code': 200 }
    await step.call({ name: 'PATCH /pods/{name}', attributes }, async () => {})
    return { summary: 'labelled pod shop/web-1', objects: { pod: 'web-1', namespace: 'shop' } }
  },
  { type: 'test:label', changes: 'reversible', target: podOf('shop') },
)

const capture = probe(
  async (_params, step) => ({
    summary: 'captured 5 bytes',
    artifacts: [await step.save('capture.pcap', [Buffer.from('bytes')])],
  }),
  { type: 'test:capture', saves: 'maybe' },
)

const look = probe(() => sleep(30).then(() => 'looked around'), { type: 'test:look' })

const remove = probe(() => 'deleted', { type: 'test:delete', changes: 'destructive', target: podOf('kube-system') })

const broken = probe(
  () => {
    throw new YarakError('failed', 'the command ended with 2', { reason: 'exit-code', permanent: true })
  },
  { type: 'test:script' },
)

const steps: NonNullable<GatewayOptions['rules']>[number]['steps'] = [
  { action: mark({}), id: 'mark', retries: 1 },
  { parallel: [capture({}), { action: look({}), id: 'see' }] },
  { action: remove({}), onError: 'continue' },
  { wait: '1ms' },
  { action: look({}), if: 'steps.mark.outcome = failed' },
  broken({}),
  { action: look({}), id: 'never' },
]

const outputs = (): GatewayOptions['outputs'] => {
  const down = (): never => {
    throw new YarakError('failed', 'answered 400', { reason: 'http-400', permanent: true })
  }
  return [
    { output: sink(() => sleep(20)).use, tell: 'responses' },
    { output: sink(() => sleep(40).then(down), { type: 'down' }).output({}), tell: 'responses' },
  ]
}

/** Gives a gateway alerts, one after the other is settled. */
const hear = async (options: GatewayOptions, journal: Journal = memoryJournal(), alerts = [alert()]): Promise<void> => {
  const dataDir = mkdtempSync(join(tmpdir(), 'yarak-tree-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }))
  const gateway = createGateway({ mode: 'enforce', dataDir, journal, ...options })
  for (const one of alerts) await (await gateway.emit(one)).done
  await gateway.stop()
}

const whole: GatewayOptions = { rules: [{ name: 'Shell in a container', steps }] }

describe('the tree', () => {
  it('of a whole response', async () => {
    await hear({ ...whole, outputs: outputs() })
    await expect(golden(spans.all())).toMatchFileSnapshot(file('response'))
  })

  it('of the same response, from the journal', async () => {
    const journal = memoryJournal()
    await hear(whole, journal)
    const [one] = await journal.responses()
    journal.undone(one?.report.id ?? '', 'note', {
      ...{ action: 'test:label', rule: 'Shell in a container', response: one?.report.id ?? '', step: 'mark' },
      ...{ object: 'pod shop/web-1', outcome: 'succeeded', summary: 'took the label off', at: '2026-11-23T08:00:00Z' },
    })
    const found = await journal.responses()
    await expect(golden(found.flatMap(reportSpans))).toMatchFileSnapshot(file('journal'))
  })

  it('of an event that joined a response', async () => {
    await hear({ rules: [{ name: 'Shell in a container', steps: [look({})] }] }, undefined, [alert(), alert()])
    const [, second] = spans.all().filter(({ name }) => name === 'receive host')
    const joined = spans.all().filter(({ traceId }) => traceId === second?.traceId)
    await expect(golden(joined)).toMatchFileSnapshot(file('joined'))
  })

  it('of a response that a guard refused', async () => {
    await hear({ rules: [{ name: 'Shell in a container', steps: [remove({})] }] })
    await expect(golden(spans.all())).toMatchFileSnapshot(file('refused'))
  })

  it('in observe mode', async () => {
    await hear({
      mode: 'observe',
      rules: [{ name: 'Shell in a container', steps: [mark({}), { wait: '1ms' }, look({})] }],
    })
    await expect(golden(spans.all())).toMatchFileSnapshot(file('observe'))
  })

  it('of a response that a stop cut short, and the next start went on with', async () => {
    const isolate = (run: () => unknown) =>
      probe(run, { type: 'test:isolate', changes: 'reversible', done: 'repeatable', target: podOf('shop') })({})
    const rules = (run: () => unknown) => [{ name: 'Shell in a container', steps: [look({}), isolate(run)] }]
    const before = await open()
    const { promise: begun, resolve } = gate()
    const run = () => (resolve(), new Promise(() => {}))
    const first = createGateway({ mode: 'enforce', journal: before, rules: rules(run) })
    await first.emit(alert())
    await begun
    await first.stop({ deadline: 10 })
    await close(before)
    const second = createGateway({ mode: 'enforce', journal: await open(), rules: rules(() => 'isolated') })
    await second.start()
    await second.ended()
    await second.stop()
    await expect(golden(spans.all())).toMatchFileSnapshot(file('resumed'))
  })

  it('of a batch, which points to its notices', async () => {
    const { use } = sink(() => {}, { batch: 3, linger: 60_000 })
    const gateway = createGateway({ outputs: [{ output: use, batch: { count: 3 } }] })
    const receipts = await Promise.all([alert(), alert(), alert()].map((one) => gateway.emit(one)))
    await Promise.all(receipts.map(({ done }) => done))
    await gateway.stop()
    const { traceId } = spans.one('send sink')
    await expect(golden(spans.all().filter((span) => span.traceId === traceId))).toMatchFileSnapshot(file('batch'))
  })
})
