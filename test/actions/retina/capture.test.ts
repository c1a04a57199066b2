import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { retinaCapture } from '../../../src/actions/retina/capture.ts'
import type { FakeCluster, KubeObject } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { aPod, aPodStep, POD_FIELDS, rejection, withCluster } from '../kubernetes/world.ts'

type Params = Parameters<typeof perform<typeof retinaCapture.config>>[1]

const OUTPUT = { hostPath: 'yarak' }

const run = async (cluster: FakeCluster, params: Partial<Params> = {}, { fields, ...options }: StepOptions = {}) =>
  perform(
    retinaCapture,
    { output: OUTPUT, ...params },
    await aPodStep(cluster, { fields: { ...POD_FIELDS, ...fields }, ...options }),
  )

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}

const COMPLETE = { type: 'complete', status: 'True', reason: 'JobsCompleted' }
const RUNNING = { type: 'complete', status: 'False', reason: 'JobsInProgress' }

/** A cluster whose operator of Retina goes through these states of a Capture, one at each look. */
const withOperator = async (...states: readonly (readonly Condition[])[]): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod())
  let look = 0
  cluster.override = ({ method, path }) => {
    const name = /\/captures\/(.+)$/.exec(path)?.[1]
    const capture = name && method === 'GET' && cluster.get('Capture', 'shop', name)
    if (!capture) return undefined
    return { status: 200, body: { ...capture, status: { conditions: states[Math.min(look++, states.length - 1)] } } }
  }
  return cluster
}

const made = ({ requests }: FakeCluster): KubeObject | undefined =>
  requests.find(({ method }) => method === 'POST')?.body as KubeObject | undefined

const optionsOf = (cluster: FakeCluster): unknown =>
  (made(cluster)?.spec?.captureConfiguration as { captureOption: unknown }).captureOption

describe('retina:capture', () => {
  it('makes a Capture of exactly the pod, and waits until it is complete', async () => {
    const cluster = await withOperator([], [RUNNING], [COMPLETE])
    const { summary, objects } = await run(cluster, { duration: '90s', max_size: '10MiB', packet_size: 128 })
    expect(summary).toBe(`captured the traffic of pod shop/web-1 as ${objects?.capture}, kept by hostPath`)
    expect(objects).toEqual({
      pod: 'web-1',
      namespace: 'shop',
      node: 'node-1',
      capture: expect.stringMatching(/^yarak-[0-9a-f]{16}$/) as string,
    })
    expect(made(cluster)).toMatchObject({
      apiVersion: 'retina.sh/v1alpha1',
      kind: 'Capture',
      metadata: {
        name: objects?.capture,
        labels: { 'yarak.dev/response': 'abc123' },
        annotations: { 'yarak.dev/rule': 'React' },
      },
    })
    expect(made(cluster)?.spec).toEqual({
      captureConfiguration: {
        captureTarget: { podNames: ['web-1'] },
        captureOption: { duration: '90s', maxCaptureSize: 10, packetSize: 128 },
      },
      outputConfiguration: { hostPath: 'yarak' },
    })
    expect(cluster.requests.filter(({ path }) => path.endsWith(objects?.capture ?? '-'))).toHaveLength(3)
  })

  it('has 30 seconds and 100 MiB, and a deadline that is two minutes longer', async () => {
    const cluster = await withOperator([COMPLETE])
    await run(cluster)
    expect(optionsOf(cluster)).toEqual({ duration: '30s', maxCaptureSize: 100 })
    const { timeout } = retinaCapture
    const params = retinaCapture.config.parse({ output: OUTPUT, duration: '1m' })
    expect(typeof timeout === 'function' && timeout(params)).toBe(180_000)
  })

  it.each<[Record<string, unknown>, string]>([
    [{ 'fd.rip': '203.0.113.7', 'fd.rport': 4444 }, 'host 203.0.113.7 and port 4444'],
    [{ 'fd.rip': '203.0.113.7', 'fd.rport': '4444' }, 'host 203.0.113.7 and port 4444'],
    [{ 'fd.rip': '2001:db8::1' }, 'host 2001:db8::1'],
    [{ 'fd.rip': '203.0.113.7', 'fd.rport': '1 or port 22' }, 'host 203.0.113.7'],
    [{ 'fd.rip': '203.0.113.7', 'fd.rport': 70_000 }, 'host 203.0.113.7'],
  ])('captures, of %j, only what is %s', async (fields, filter) => {
    const cluster = await withOperator([COMPLETE])
    await run(cluster, { remote: true }, { fields })
    expect(optionsOf(cluster)).toMatchObject({ pcapFilter: filter })
  })

  it('never takes a filter from an event that Retina would not take', async () => {
    const cluster = await withOperator([COMPLETE])
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (rip, rport) => {
        cluster.requests.length = 0
        await run(cluster, { remote: true }, { fields: { 'fd.rip': rip, 'fd.rport': rport } }).catch(() => {})
        const { pcapFilter = 'host 1.2.3.4' } = (made(cluster) ? optionsOf(cluster) : {}) as { pcapFilter?: string }
        expect(pcapFilter).toMatch(/^host [0-9a-f.:]+( and port \d+)?$/)
      }),
      { numRuns: 20 },
    )
    expect(await rejection(run(cluster, { remote: true }))).toMatchObject({ reason: 'no-remote-ip' })
  })

  it('joins the Capture that an earlier try has made', async () => {
    const cluster = await withOperator([COMPLETE])
    const first = await run(cluster)
    expect(await run(cluster)).toEqual(first)
    const other = await run(
      cluster,
      {},
      { response: { id: 'abc123', rule: 'React', step: 'b', traceparent: undefined } },
    )
    expect(other.objects?.capture).not.toBe(first.objects?.capture)
  })

  it('fails for good when the capture does, with the words of Retina', async () => {
    const cluster = await withOperator([
      { type: 'error', status: 'True', reason: 'JobsFailed', message: 'no space left' },
    ])
    expect(await rejection(run(cluster))).toMatchObject({
      code: 'failed',
      reason: 'capture-failed',
      permanent: true,
      message: expect.stringMatching(/^capture shop\/yarak-\w+ failed: no space left$/) as string,
    })
  })

  it('fails when somebody deletes the Capture', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.override = ({ method, path }) =>
      method === 'GET' && path.includes('/captures/')
        ? { status: 404, body: { kind: 'Status', reason: 'NotFound', details: { name: 'x' } } }
        : undefined
    expect(await rejection(run(cluster))).toMatchObject({ code: 'failed', reason: 'capture-removed' })
  })

  it('looks again where a look fails for now, and not where it may not look', async () => {
    const cluster = await withOperator([COMPLETE])
    const before = cluster.override
    let left = 1
    cluster.override = (request) => {
      const isLook = request.method === 'GET' && request.path.includes('/captures/')
      return isLook && left-- > 0 ? { status: 500, body: '' } : before?.(request)
    }
    expect((await run(cluster)).summary).toMatch(/^captured/)
    cluster.override = ({ path }) => (path.includes('/captures/') ? { status: 403, body: '' } : undefined)
    expect(await rejection(run(cluster))).toMatchObject({ code: 'refused', reason: 'forbidden' })
  })

  it('waits no longer than its step', async () => {
    const cluster = await withOperator([RUNNING])
    const controller = new AbortController()
    const before = cluster.override
    cluster.override = (request) => {
      if (request.path.includes('/captures/')) queueMicrotask(() => controller.abort())
      return before?.(request)
    }
    await expect(run(cluster, {}, { signal: controller.signal })).rejects.toThrow()
  })

  it('makes nothing in a dry run, and waits for nothing', async () => {
    const cluster = await withOperator([RUNNING])
    expect((await run(cluster, {}, { dryRun: true })).summary).toBe('would capture the traffic of pod shop/web-1')
    const posts = cluster.requests.filter(({ method }) => method === 'POST')
    expect(posts.map(({ query }) => query.dryRun)).toEqual(['All'])
    expect(cluster.get('Capture', 'shop', made(cluster)?.metadata.name ?? '')).toBeUndefined()
  })

  it('says so where Retina is not installed', async () => {
    const cluster = await withOperator([COMPLETE])
    cluster.override = ({ path }) => (path.includes('retina.sh') ? { status: 404, body: 'not found' } : undefined)
    expect(await rejection(run(cluster))).toMatchObject({ code: 'failed', reason: 'no-such-api', permanent: true })
  })

  it('may be tried again when the server is busy, and is done with a pod that is gone', async () => {
    const cluster = await withOperator([COMPLETE])
    cluster.override = ({ method }) => (method === 'POST' ? { status: 429, body: '' } : undefined)
    expect(await rejection(run(cluster))).toMatchObject({ reason: 'too-many-requests', permanent: false })
    expect(await rejection(run(await withCluster()))).toMatchObject({ code: 'gone' })
  })
})

describe('the settings of retina:capture', () => {
  it.each<[object, RegExp]>([
    [{ output: {} }, /at least one place/],
    [{ output: { hostPath: '/tmp' } }, /must be a path below/],
    [{ output: { hostPath: 'a/../../b' } }, /must be a path below/],
    [{ output: OUTPUT, filter: 'host evil-host' }, /must hold no -/],
    [{ output: OUTPUT, filter: 'tcp', remote: true }, /exclude each other/],
    [{ output: OUTPUT, filter: 'host {{ fd.rip }}' }, /filter must be fixed text/],
    [{ output: { hostPath: '{{ rule }}' } }, /output must be fixed text/],
    [{ output: OUTPUT, duration: '0s' }, /longer than nothing/],
    [{}, /output is required/],
  ])('refuse %j', (settings, message) => {
    expect(() => retinaCapture(settings as never)).toThrow(message)
  })
})
