import { describe, expect, it } from 'vitest'
import { rolloutRestart } from '../../../src/actions/kubernetes/rollout-restart.ts'
import type { FakeCluster } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { expectSound, withWorkload, writes } from './workload.ts'
import { aPodStep, rejection, withCluster } from './world.ts'

const run = async (cluster: FakeCluster, options: StepOptions = {}) =>
  perform(rolloutRestart, {}, await aPodStep(cluster, options))

const templateOf = (cluster: FakeCluster, kind: 'Deployment' | 'StatefulSet' | 'DaemonSet' = 'Deployment') =>
  cluster.get(kind, 'shop', 'web')?.spec?.template

const MARKED = { metadata: { annotations: { 'yarak.dev/restarted-by': 'abc123' } } }

describe('kubernetes:rollout-restart', () => {
  it.each(['Deployment', 'StatefulSet', 'DaemonSet'] as const)('changes the pod template of a %s', async (kind) => {
    const cluster = await withWorkload(kind)
    expect(await run(cluster)).toEqual({
      summary: `restarted ${kind.toLowerCase()} shop/web`,
      objects: { pod: 'web-1', namespace: 'shop', [kind.toLowerCase()]: 'web' },
    })
    expect(templateOf(cluster, kind)).toEqual(MARKED)
    expect(writes(cluster)).toMatchObject([
      { query: { fieldManager: 'yarak' }, body: { metadata: { uid: 'uid-web' }, spec: { template: MARKED } } },
    ])
  })

  it('leaves the template as it is otherwise', async () => {
    const template = { metadata: { annotations: { a: 'b' } }, spec: { containers: [{ name: 'main' }] } }
    const cluster = await withWorkload('Deployment', { template })
    await run(cluster)
    expect(templateOf(cluster)).toEqual({
      metadata: { annotations: { a: 'b', ...MARKED.metadata.annotations } },
      spec: template.spec,
    })
  })

  it('changes it the same way however often one response tries, and anew for another', async () => {
    const cluster = await withWorkload('Deployment')
    await run(cluster)
    const once = templateOf(cluster)
    await run(cluster, { attempt: 2 })
    expect(templateOf(cluster)).toEqual(once)
    await run(cluster, { response: { id: 'other', rule: 'R', step: 'act', traceparent: undefined } })
    expect(templateOf(cluster)).not.toEqual(once)
  })

  it.each([
    ['Deployment', { paused: true }, /paused: its pods are replaced when it is resumed$/],
    ['StatefulSet', { updateStrategy: { type: 'OnDelete' } }, /replaces a pod only when it is deleted$/],
    ['DaemonSet', { updateStrategy: { type: 'RollingUpdate' } }, /^restarted daemonset shop\/web$/],
  ] as const)('says when a %s with %j holds it back', async (kind, spec, summary) => {
    const cluster = await withWorkload(kind, spec)
    expect((await run(cluster)).summary).toMatch(summary)
  })

  it('restarts nothing in a dry run', async () => {
    const cluster = await withWorkload('Deployment')
    expect(await run(cluster, { dryRun: true })).toMatchObject({ summary: 'would restart deployment shop/web' })
    expect(templateOf(cluster)).toBeUndefined()
  })

  it('is refused for a ReplicaSet, which rolls nothing out', async () => {
    const error = await rejection(run(await withWorkload('ReplicaSet')))
    expect(error).toMatchObject({ code: 'refused', reason: 'no-workload' })
  })

  it('leaves a workload alone that has taken the name', async () => {
    const cluster = await withWorkload('StatefulSet')
    cluster.add('StatefulSet', { metadata: { name: 'web', namespace: 'shop', uid: 'other' }, spec: {} })
    expect(await rejection(run(cluster))).toMatchObject({ code: 'refused', reason: 'owner-gone' })
    expect(templateOf(cluster, 'StatefulSet')).toBeUndefined()
  })

  it('is gone, a success, when the pod is', async () => {
    expect(await rejection(run(await withCluster()))).toMatchObject({ code: 'gone' })
  })

  it('tells refusals from trouble', async () => {
    const cluster = await withWorkload('Deployment')
    await expectSound(cluster, () => run(cluster))
    expect(templateOf(cluster)).toEqual(MARKED)
  })

  it('takes no settings', () => {
    expect(() => rolloutRestart({ force: true } as never)).toThrow('force is not a known setting')
  })
})
