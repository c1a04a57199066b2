import { describe, expect, it } from 'vitest'
import { retinaObserve } from '../../../src/actions/retina/observe.ts'
import { YarakError } from '../../../src/errors.ts'
import type { Subject } from '../../../src/plugin.ts'
import type { FakeCluster, KubeObject } from '../../fake-cluster.ts'
import { aStep, perform, type StepOptions } from '../step.ts'
import { undoFirst } from '../kubernetes/undoing.ts'
import { aPod, aPodStep, POD_FIELDS, rejection, withCluster } from '../kubernetes/world.ts'

type Params = Parameters<typeof perform<typeof retinaObserve.config>>[1]

const run = async (cluster: FakeCluster, params: Params = {}, options: StepOptions = {}) =>
  perform(retinaObserve, params, await aPodStep(cluster, options))

const OBSERVED = { 'retina.sh': 'observe' }

const observed = (name: string, annotations: Record<string, string> = OBSERVED): KubeObject => {
  const pod = aPod({ name, uid: `uid-${name}` })
  return { ...pod, metadata: { ...pod.metadata, annotations } }
}

const withShop = async (...pods: readonly KubeObject[]): Promise<FakeCluster> => {
  const cluster = await withCluster()
  for (const pod of [aPod(), ...pods]) cluster.add('Pod', pod)
  cluster.add('Namespace', { metadata: { name: 'shop', uid: 'ns-1' } })
  return cluster
}

const pod = (cluster: FakeCluster) => cluster.get('Pod', 'shop', 'web-1')?.metadata
const namespace = (cluster: FakeCluster) => cluster.get('Namespace', '', 'shop')?.metadata
const undo = (cluster: FakeCluster) => undoFirst(cluster, retinaObserve, { kind: 'Pod', name: 'web-1' })
const writes = (cluster: FakeCluster) => cluster.requests.filter(({ method }) => method !== 'GET')

describe('retina:observe', () => {
  it('annotates the pod as Retina reads it, for an hour', async () => {
    const cluster = await withShop()
    expect(await run(cluster)).toEqual({
      summary: 'has Retina observe pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop', level: 'pod' },
    })
    const { annotations = {}, labels } = pod(cluster) ?? {}
    expect(annotations).toMatchObject(OBSERVED)
    expect(labels).toMatchObject({ 'yarak.dev/response': 'abc123' })
    const [text = ''] = Object.entries(annotations).flatMap(([name, value]) => (name.includes('undo') ? [value] : []))
    const note = JSON.parse(text) as Record<string, string>
    expect(Date.parse(note.expires ?? '') - Date.parse(note.at ?? '')).toBe(3_600_000)
    expect(writes(cluster)).toMatchObject([{ method: 'PATCH', body: { metadata: { uid: 'uid-1' } } }])
  })

  it('is undone without a trace', async () => {
    const cluster = await withShop()
    await run(cluster)
    await undo(cluster)
    expect(pod(cluster)).toMatchObject({ labels: { app: 'web' }, annotations: {} })
    expect(pod(cluster)?.labels).not.toHaveProperty('yarak.dev/response')
  })

  it('puts back another value that was there', async () => {
    const cluster = await withShop()
    cluster.add('Pod', { ...aPod(), metadata: { ...aPod().metadata, annotations: { 'retina.sh': 'ignore' } } })
    await run(cluster)
    expect(pod(cluster)?.annotations).toMatchObject(OBSERVED)
    await undo(cluster)
    expect(pod(cluster)?.annotations).toEqual({ 'retina.sh': 'ignore' })
  })

  it('leaves a pod alone that is observed already, so that undoing never takes that away', async () => {
    const cluster = await withShop()
    cluster.add('Pod', { ...aPod(), metadata: { ...aPod().metadata, annotations: OBSERVED } })
    expect((await run(cluster, { max: 1 })).summary).toBe('pod shop/web-1 is observed already, and stays so')
    expect(writes(cluster)).toEqual([])
    await expect(undo(cluster)).rejects.toThrow('nothing is noted')
  })

  it('renews what Yarak itself observes', async () => {
    const cluster = await withShop()
    await run(cluster, { ttl: '10m' })
    await run(cluster, { ttl: '30m' })
    expect(writes(cluster)).toHaveLength(2)
    await undo(cluster)
    expect(pod(cluster)?.annotations).toEqual({})
  })

  it('annotates the namespace instead, under a judgement of its own', async () => {
    const cluster = await withShop()
    const judged: Subject[] = []
    const judge = async (subject: Subject) => void judged.push(subject)
    expect((await run(cluster, { level: 'namespace' }, { judge })).summary).toBe('has Retina observe namespace shop')
    expect(judged).toMatchObject([{ kind: 'Namespace', name: 'shop', uid: 'ns-1' }])
    expect(namespace(cluster)?.annotations).toMatchObject(OBSERVED)
    expect(pod(cluster)).not.toHaveProperty('annotations')
    await undoFirst(cluster, retinaObserve, { kind: 'Namespace', namespace: '', name: 'shop' })
    expect(namespace(cluster)?.annotations).toEqual({})
  })

  it('touches no namespace that the guard protects', async () => {
    const cluster = await withShop()
    const judge = async () => {
      throw new YarakError('refused', 'no', { reason: 'protected-namespace' })
    }
    const refusal = await rejection(run(cluster, { level: 'namespace' }, { judge }))
    expect(refusal).toMatchObject({ code: 'refused', reason: 'protected-namespace' })
    expect(writes(cluster)).toEqual([])
  })

  it('asks the server only, in a dry run', async () => {
    const cluster = await withShop()
    expect((await run(cluster, {}, { dryRun: true })).summary).toBe('would have Retina observe pod shop/web-1')
    expect(writes(cluster).map(({ query }) => query.dryRun)).toEqual(['All'])
    expect(pod(cluster)).not.toHaveProperty('annotations')
  })

  it('is done with a pod that is gone, or was replaced', async () => {
    expect(await rejection(run(await withCluster()))).toMatchObject({ code: 'gone' })
    const subject = { kind: 'Pod', key: 'k', namespace: 'shop', name: 'web-1', uid: 'earlier' }
    expect(await rejection(run(await withShop(), {}, { subject }))).toMatchObject({ code: 'gone', reason: 'changed' })
  })
})

describe('the most that may be observed', () => {
  it('counts all pods of the cluster that are', async () => {
    const others = [observed('a'), observed('b'), observed('c', { 'retina.sh': 'off' })]
    expect(await rejection(run(await withShop(...others), { max: 2 }))).toMatchObject({
      code: 'refused',
      reason: 'too-many-observed',
      message: '3 pods would be observed, and max is 2',
    })
    expect((await run(await withShop(...others), { max: 3 })).summary).toBe('has Retina observe pod shop/web-1')
  })

  it('counts only where Yarak is told to look, if it is', async () => {
    const cluster = await withShop(observed('a'))
    cluster.add('Pod', { metadata: { name: 'db-1', namespace: 'db', uid: 'uid-3', annotations: OBSERVED } })
    const recorded = await aStep({
      fields: POD_FIELDS,
      resources: { kubernetes: { kubeconfig: cluster.kubeconfig, namespaces: ['shop'] } },
    })
    await perform(retinaObserve, { max: 2 }, recorded)
    expect(cluster.requests.map(({ path }) => path)).not.toContain('/api/v1/pods')
  })

  it('counts the pods of observed namespaces, and of the one that is to be', async () => {
    const cluster = await withShop(aPod({ name: 'web-2', uid: 'uid-2' }))
    cluster.add('Namespace', { metadata: { name: 'db', uid: 'ns-2', annotations: OBSERVED } })
    cluster.add('Pod', { metadata: { name: 'db-1', namespace: 'db', uid: 'uid-3' } })
    expect(await rejection(run(cluster, { level: 'namespace', max: 2 }))).toMatchObject({ reason: 'too-many-observed' })
    await run(cluster, { level: 'namespace', max: 3 })
    expect(namespace(cluster)?.annotations).toMatchObject(OBSERVED)
  })
})

describe('an API server that does not do it at once', () => {
  it('is asked again after a conflict, and may be tried again when it is busy', async () => {
    const cluster = await withShop()
    let left = 1
    cluster.override = ({ method }) =>
      method === 'PATCH' && left-- > 0 ? { status: 409, body: { kind: 'Status', message: 'modified' } } : undefined
    await run(cluster)
    expect(pod(cluster)?.annotations).toMatchObject(OBSERVED)
    cluster.override = ({ method }) => (method === 'PATCH' ? { status: 500, body: '' } : undefined)
    expect(await rejection(run(cluster))).toMatchObject({ reason: '500', permanent: false })
  })
})

describe('what it needs to be allowed', () => {
  const resources = (params: Params) => {
    const { permissions } = retinaObserve
    const rules = typeof permissions === 'function' ? permissions(retinaObserve.config.parse(params)) : []
    return rules.filter(({ verbs }) => verbs.includes('patch')).flatMap((rule) => rule.resources)
  }

  it.each(['pod', 'namespace'] as const)('is to patch what it annotates: the %s', (level) => {
    expect(resources({ level })).toEqual([`${level}s`])
  })
})
