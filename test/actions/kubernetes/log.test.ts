import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { log } from '../../../src/actions/kubernetes/log.ts'
import type { Step } from '../../../src/plugin.ts'
import { type FakeCluster, type Override, status } from '../../fake-cluster.ts'
import { perform, type Recorded, type StepOptions } from '../step.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof log.config>>[1]
type Answer = Exclude<ReturnType<Override>, undefined | string>

/** A pod with these containers; what is asked of the log of each is answered so: `hang`, `cut`, or the text. */
const withLogs = async (logs: Readonly<Record<string, Answer | string>>): Promise<FakeCluster> => {
  const cluster = await withCluster()
  const containers = Object.keys(logs).map((name) => ({ name }))
  cluster.add('Pod', { ...aPod(), spec: { nodeName: 'node-1', containers } })
  cluster.override = ({ path, query }) => {
    if (!path.endsWith('/log')) return undefined
    const answer = logs[query.container ?? ''] ?? status(400, 'BadRequest', `container ${query.container} is not valid`)
    if (answer === 'hang' || answer === 'cut') return answer
    return typeof answer === 'string' ? { status: 200, body: answer } : answer
  }
  return cluster
}

const run = async (cluster: FakeCluster, params: Params = {}, options: StepOptions = {}) => {
  const recorded = await aPodStep(cluster, options)
  return { ...recorded, result: await perform(log, params, recorded) }
}

const filesOf = ({ step }: Pick<Recorded, 'step'>): string[] => readdirSync(join(step.dataDir, 'evidence'))
const queries = ({ requests }: FakeCluster) =>
  requests.filter(({ path }) => path.endsWith('/log')).map((one) => one.query)

describe('kubernetes:log', () => {
  it('saves the log of every container as a file, with its checksum', async () => {
    const cluster = await withLogs({ main: 'one\ntwo\n', side: 'ünd\n' })
    const { result } = await run(cluster)
    expect(result).toMatchObject({
      summary: 'saved 2 logs of pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop' },
      output: 'one\ntwo\nünd\n',
    })
    const [main, side] = result.artifacts ?? []
    expect(main?.name).toMatch(/^\d{4}-\d\d-\d\dT[\d-]+\.\d{3}Z_shop_web-1_abc123_act_main\.log$/)
    expect(side?.name).toMatch(/_side\.log$/)
    const bytes = readFileSync(fileURLToPath(side?.url ?? ''))
    expect(bytes.toString()).toBe('ünd\n')
    expect(side).toMatchObject({ size: 5, sha256: createHash('sha256').update(bytes).digest('hex') })
    expect(queries(cluster)).toEqual([
      { container: 'main', tailLines: '1000', limitBytes: '10485760' },
      { container: 'side', tailLines: '1000', limitBytes: '10485760' },
    ])
  })

  it('asks for what it is told to', async () => {
    const cluster = await withLogs({ main: 'x', side: 'y' })
    const { result } = await run(cluster, { tail_lines: 5, container: 'side', previous: true, max_size: '1KiB' })
    expect(result.summary).toBe('saved the log of pod shop/web-1')
    expect(queries(cluster)).toEqual([{ container: 'side', tailLines: '5', previous: 'true', limitBytes: '1024' }])
  })

  it('has a client span for each log, of the same template', async () => {
    const { spans } = await run(await withLogs({ main: 'x', side: 'y' }))
    const ofLogs = spans.filter(({ name }) => name === 'GET /api/v1/namespaces/{namespace}/pods/{name}/log')
    expect(ofLogs.map(({ after }) => after)).toEqual(Array(2).fill({ 'http.response.status_code': 200 }))
  })

  it('takes no more than the limit, even when the server sends more', async () => {
    const { result } = await run(await withLogs({ main: 'x'.repeat(1_000_000) }), { max_size: 100_000 })
    expect(result.artifacts).toMatchObject([{ size: 100_000 }])
    expect(result.output).toBe(`${'x'.repeat(65_536)}\n[cut: 65536 of 100000 bytes]`)
  })

  it('saves what there is, and names what is not', async () => {
    const waiting = status(400, 'BadRequest', 'container "side" in pod "web-1" is waiting to start: ContainerCreating')
    const recorded = await run(await withLogs({ main: 'x', side: waiting, late: 'y' }))
    expect(recorded.result.summary).toMatch(/^saved 2 logs of pod shop\/web-1; not of side \(.*is waiting to start/)
    expect(filesOf(recorded).filter((name) => name.endsWith('.log'))).toHaveLength(2)
  })

  it.each([
    [
      'forbidden',
      status(403, 'Forbidden', 'User "y" cannot get resource "pods/log"'),
      { code: 'refused', reason: 'forbidden' },
    ],
    ['busy', status(429, 'TooManyRequests', 'x'), { code: 'failed', reason: 'too-many-requests', permanent: false }],
    ['broken', status(500, 'InternalError', 'x'), { code: 'failed', reason: '500', permanent: false }],
    ['gone', status(404, 'NotFound', 'pods "web-1" not found', { name: 'web-1' }), { code: 'gone' }],
    ['cut', 'cut', { code: 'unavailable' }],
  ] as const)('fails when it has none at all: %s', async (_how, answer, error) => {
    const cluster = await withLogs({ main: answer, side: answer })
    expect(await rejection(run(cluster))).toMatchObject(error)
  })

  it('is cut short by its signal, and leaves no part of a file', async () => {
    const cluster = await withLogs({ main: 'hang' })
    const controller = new AbortController()
    const recorded = await aPodStep(cluster, { signal: controller.signal })
    const usual = cluster.override
    cluster.override = (request) => {
      if (request.path.endsWith('/log')) setImmediate(() => controller.abort(new Error('stopped')))
      return usual?.(request)
    }
    expect(await rejection(perform(log, {}, recorded))).toMatchObject({ code: 'interrupted' })
    expect(existsSync(join(recorded.step.dataDir, 'evidence')) ? filesOf(recorded) : []).toEqual([])
  })

  it('is gone when the pod is, and refused when the event is about none, though it may run without a target', async () => {
    const cluster = await withCluster()
    const bare = async (fields?: Record<string, unknown>) => {
      const { step } = await aPodStep(cluster, fields ? { fields } : {})
      return rejection(log.run(log.config.parse({}), step))
    }
    expect(await bare()).toMatchObject({ code: 'gone' })
    expect(await bare({ 'evt.type': 'open' })).toMatchObject({ code: 'refused', reason: 'no-target' })
  })

  it('leaves the logs of a pod alone that has taken the name', async () => {
    const cluster = await withLogs({ main: 'x' })
    const subject = { kind: 'Pod', key: 'pod/shop/web-1', namespace: 'shop', name: 'web-1', uid: 'uid-0' }
    expect(await rejection(run(cluster, {}, { subject }))).toMatchObject({ code: 'gone', reason: 'changed' })
    expect(queries(cluster)).toEqual([])
  })

  it('says why a file cannot be written', async () => {
    const cluster = await withLogs({ main: 'x' })
    const recorded = await aPodStep(cluster)
    writeFileSync(join(recorded.step.dataDir, 'evidence'), '')
    const error = await rejection(perform(log, {}, recorded))
    expect(error).toMatchObject({ code: 'failed', message: expect.stringContaining('the file cannot be written') })
  })

  it('streams each log to the store of the step, as text', async () => {
    const kept: unknown[] = []
    const save: Step['save'] = async (name, chunks, options) => {
      const text = await textOf(Readable.from(chunks))
      kept.push([name, options?.contentType, text])
      return { name, url: `s3://evidence/${name}`, size: text.length, sha256: 'x' }
    }
    const { result } = await run(await withLogs({ main: 'one', side: 'two' }), {}, { save })
    expect(kept).toEqual([
      ['main.log', 'text/plain', 'one'],
      ['side.log', 'text/plain', 'two'],
    ])
    expect(result.artifacts?.map(({ url }) => url)).toEqual(['s3://evidence/main.log', 's3://evidence/side.log'])
  })
})

describe('the settings of kubernetes:log', () => {
  it.each<[unknown, string]>([
    [{ tail_lines: 0 }, 'tail_lines'],
    [{ max_size: 0 }, 'max_size'],
    [{ container: '../x' }, 'must be the name of a container'],
    [{ dir: './logs' }, 'dir is not a known setting'],
    [{ follow: true }, 'follow is not a known setting'],
  ])('refuse %j', (params, message) => {
    expect(() => log(params as Params)).toThrow(message)
  })

  it('refuse a container that a template gave and that leads elsewhere', async () => {
    expect(log({ container: '{{ k8s.container.name }}' }).config).toMatchObject({
      container: '{{ k8s.container.name }}',
    })
    await expect(run(await withLogs({ main: 'x' }), { container: '../../x' })).rejects.toThrow()
  })

  it('change nothing and ask for the logs alone', () => {
    expect(log.changes).toBe('nothing')
    expect(log.permissions).toContainEqual({ apiGroups: [''], resources: ['pods/log'], verbs: ['get'] })
  })
})
