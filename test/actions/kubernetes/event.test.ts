import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { event, eventOf } from '../../../src/actions/kubernetes/event.ts'
import type { FakeCluster, KubeObject } from '../../fake-cluster.ts'
import { aStep, perform, type StepOptions } from '../step.ts'
import { disturb, expectSound, writes } from './workload.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof event.config>>[1]

const run = async (cluster: FakeCluster, params: Params = {}, options: StepOptions = {}) =>
  perform(event, params, await aPodStep(cluster, options))

const withPod = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod())
  return cluster
}

const TRACE = '0af7651916cd43dd8448eb211c80319c'

type AnEvent = KubeObject & { readonly note?: string }

const written = (cluster: FakeCluster, name: string | undefined): AnEvent | undefined =>
  cluster.get('Event', 'shop', name ?? '')

describe('kubernetes:event', () => {
  it('writes one about the live pod, which names rule, trace and response', async () => {
    const cluster = await withPod()
    const { summary, objects } = await run(cluster)
    expect(summary).toBe('wrote event FalcoAlert about pod shop/web-1')
    expect(objects).toEqual({ pod: 'web-1', namespace: 'shop', event: expect.stringMatching(/^yarak\.[0-9a-f]{16}$/) })
    expect(written(cluster, objects?.event)).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: {
        labels: { 'yarak.dev/response': 'abc123' },
        annotations: { 'yarak.dev/rule': 'React', 'yarak.dev/traceparent': expect.stringContaining(TRACE) },
      },
      regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'web-1', uid: 'uid-1' },
      type: 'Warning',
      reason: 'FalcoAlert',
      action: 'Respond',
      note: `Terminal shell in container: a shell was spawned (trace ${TRACE})`,
    })
  })

  it('is told what to say', async () => {
    const cluster = await withPod()
    const { objects } = await run(cluster, { reason: 'Quarantined', action: 'Isolate', type: 'Normal', note: 'x' })
    expect(written(cluster, objects?.event)).toMatchObject({
      ...{ reason: 'Quarantined', action: 'Isolate', type: 'Normal', note: `x (trace ${TRACE})` },
    })
  })

  it('is the same one however often it is tried, and another one for another text', async () => {
    const cluster = await withPod()
    const first = await run(cluster)
    expect(await run(cluster, {}, { attempt: 2 })).toEqual(first)
    const other = await run(cluster, { note: 'something else' })
    expect(other.objects?.event).not.toBe(first.objects?.event)
    expect(writes(cluster)).toHaveLength(3)
  })

  it('writes nothing in a dry run', async () => {
    const cluster = await withPod()
    const { summary, objects } = await run(cluster, {}, { dryRun: true })
    expect(summary).toBe('would write event FalcoAlert about pod shop/web-1')
    expect(writes(cluster)[0]?.query).toMatchObject({ dryRun: 'All' })
    expect(written(cluster, objects?.event)).toBeUndefined()
  })

  it('is gone, a success, when the pod is', async () => {
    expect(await rejection(run(await withCluster()))).toMatchObject({ code: 'gone' })
  })

  it('tells refusals from trouble', async () => {
    const cluster = await withPod()
    await expectSound(cluster, () => run(cluster))
  })

  it('is written though a count against a quota came between, which is a conflict too', async () => {
    const cluster = await withPod()
    disturb(cluster, 'conflict', 1)
    const { objects } = await run(cluster)
    expect(written(cluster, objects?.event)).toBeDefined()
    disturb(cluster, 'conflict')
    expect(await rejection(run(cluster))).toMatchObject({ code: 'failed', reason: 'conflict', permanent: false })
  })

  it('says nothing of a trace when there is none', async () => {
    const cluster = await withPod()
    const { objects } = await run(
      cluster,
      { note: 'x' },
      { response: { id: 'r', rule: 'R', step: 'act', traceparent: undefined } },
    )
    expect(written(cluster, objects?.event)).toMatchObject({
      note: 'x',
      metadata: { annotations: { 'yarak.dev/rule': 'R' } },
    })
  })
})

describe('the note', () => {
  it('fits, is one line and whole characters, and ends with the trace, whatever the event says', async () => {
    const { step } = await aStep()
    const pod = { kind: 'Pod', key: 'k', namespace: 'shop', name: 'web-1', uid: 'u' }
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 2_000 }),
      fc.nat(2_000).map((n) => 'ü'.repeat(n)),
      fc.nat(2_000).map((n) => `${'a'.repeat(n % 4)}${'🦅'.repeat(n)}`),
      fc.constantFrom('\u001b[31m red', 'a\r\nb\0c', ''),
    )
    fc.assert(
      fc.property(text, (note) => {
        const made = eventOf(pod, event.config.parse({ note }), step)
        expect(Buffer.byteLength(made.note)).toBeLessThanOrEqual(1024)
        expect(made.note).not.toMatch(/\p{Cc}/u)
        expect(made.note.endsWith(`(trace ${TRACE})`)).toBe(true)
        if (note.isWellFormed() && !note.includes('\uFFFD')) expect(made.note).not.toContain('\uFFFD')
      }),
    )
  })
})

describe('the settings of kubernetes:event', () => {
  it.each<Params>([{ reason: 'two words' }, { reason: '' }, { action: 'x'.repeat(129) }, { type: 'Error' as never }])(
    'refuse %j',
    (params) => {
      expect(() => event(params)).toThrow()
    },
  )

  it('ask for nothing but to create', () => {
    expect(event.permissions).toContainEqual({ apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create'] })
    expect([event.changes, event.done, event.dryRun]).toEqual(['reversible', 'repeatable', true])
  })
})
