/** A pod is acted on only when all that the event tells is so of it. */
import { describe, expect, it, vi } from 'vitest'
import { podSubject } from '../../../src/actions/kubernetes/resolve.ts'
import { nodeSubject } from '../../../src/actions/kubernetes/_node.ts'
import type { FakeCluster, KubeObject } from '../../fake-cluster.ts'
import { aPod, aPodStep, CONTAINER, POD_FIELDS, rejection, withCluster } from './world.ts'

const resolve = async (cluster: FakeCluster, fields: Record<string, unknown>, event: Record<string, unknown> = {}) => {
  const { step } = await aPodStep(cluster, { fields, event })
  return podSubject(step.target, step, step.event)
}

const with_ = (metadata: object, pod: KubeObject = aPod()): KubeObject => ({
  ...pod,
  metadata: { ...pod.metadata, ...metadata },
})

const CHANGED = { code: 'refused', reason: 'changed', permanent: true }
const OTHER = 'ffffffffffff'
const statusWith = (id: string) => ({ containerStatuses: [{ name: 'web', containerID: `containerd://${id}` }] })

describe('a pod by its uid alone', () => {
  it('is looked for in the namespace of the event', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.add('Pod', aPod({ name: 'web-2', uid: 'uid-2' }))
    const fields = { 'k8s.pod.uid': 'uid-2', 'k8s.ns.name': 'shop' }
    expect(await resolve(cluster, fields)).toMatchObject({ name: 'web-2', uid: 'uid-2' })
    expect(cluster.requests.map(({ path }) => path)).toEqual(['/api/v1/namespaces/shop/pods'])
  })

  it('is looked for on the node of the event, else everywhere', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    const fields = { 'k8smeta.pod.uid': 'uid-1' }
    expect(await resolve(cluster, fields, { hostname: 'node-1' })).toMatchObject({ name: 'web-1' })
    expect(cluster.requests.map(({ query }) => query.fieldSelector)).toEqual(['spec.nodeName=node-1'])
    expect(await resolve(cluster, fields, { hostname: 'falco-x7k2p' })).toMatchObject({ name: 'web-1' })
    expect(cluster.requests.at(-1)?.query.fieldSelector).toBeUndefined()
  })

  it('is gone when no pod has it, whichever pod has its container', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    const fields = { 'k8s.pod.uid': 'uid-9', 'container.id': CONTAINER }
    expect(await rejection(resolve(cluster, fields))).toMatchObject({ code: 'gone', reason: 'not-found' })
  })

  it('is that of a static pod too, which the runtime knows by another uid than the API', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', with_({ annotations: { 'kubernetes.io/config.hash': 'of-the-manifest' } }))
    const fields = { ...POD_FIELDS, 'k8s.pod.uid': 'of-the-manifest' }
    expect(await resolve(cluster, fields)).toMatchObject({ uid: 'uid-1' })
  })
})

describe('an event whose fields do not agree', () => {
  it.each([
    ['two uids', { ...POD_FIELDS, 'k8s.pod.uid': 'uid-1', 'k8smeta.pod.uid': 'uid-2' }],
    ['two names', { ...POD_FIELDS, 'k8smeta.pod.name': 'web-2' }],
    ['two containers', { 'container.id': CONTAINER, 'container.full_id': OTHER }],
  ])('is refused without a look: %s', async (_what, fields) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    expect(await rejection(resolve(cluster, fields))).toMatchObject(CHANGED)
    expect(cluster.requests).toEqual([])
  })

  it.each([
    [
      'the uid of one and the name of another',
      { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-2', 'k8s.pod.uid': 'uid-1' },
    ],
    ['the uid of one and the container of another', { 'k8s.pod.uid': 'uid-1', 'container.id': OTHER }],
    ['the name of one and the container of another', { ...POD_FIELDS, 'container.id': OTHER }],
    ['the container of one and the namespace of another', { 'k8s.ns.name': 'bank', 'container.id': CONTAINER }],
    ['the container of one and the name of another', { 'k8s.pod.name': 'web-2', 'container.id': CONTAINER }],
    ['the uid of one and the name of another, without its namespace', { 'k8s.pod.name': 'x', 'k8s.pod.uid': 'uid-1' }],
  ])('is refused: %s', async (_what, fields) => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.add('Pod', aPod({ name: 'web-2', uid: 'uid-2', status: statusWith(OTHER.padEnd(64, '0')) }))
    expect(await rejection(resolve(cluster, fields))).toMatchObject(CHANGED)
  })

  it('is refused for node actions as well', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    cluster.add('Node', { metadata: { name: 'node-1', uid: 'n-1' } })
    const fields = { ...POD_FIELDS, 'k8smeta.pod.name': 'web-2' }
    const { step } = await aPodStep(cluster, { fields })
    expect(await rejection(nodeSubject(step.target, step))).toMatchObject(CHANGED)
  })
})

describe('a container that the pod of the event does not list', () => {
  const fields = { ...POD_FIELDS, 'container.id': OTHER }
  const time = '2026-01-31T12:00:00.5Z'

  it('is its sandbox, or what the kubelet has not told yet, when the pod was there before', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', with_({ creationTimestamp: '2026-01-31T12:00:00Z' }))
    expect(await resolve(cluster, fields, { time })).toMatchObject({ uid: 'uid-1' })
  })

  it('is that of an earlier pod of its name, when the pod was made since', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', with_({ creationTimestamp: '2026-01-31T12:00:01Z' }))
    expect(await rejection(resolve(cluster, fields, { time }))).toMatchObject(CHANGED)
    const known = { ...fields, 'container.id': CONTAINER }
    expect(await resolve(cluster, known, { time })).toMatchObject({ uid: 'uid-1' })
    expect(await resolve(cluster, { ...fields, 'k8s.pod.uid': 'uid-1' }, { time })).toMatchObject({ uid: 'uid-1' })
  })

  it('is no reason to doubt where it is no id of a container at all', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod())
    expect(await resolve(cluster, { ...POD_FIELDS, 'container.id': 'lxc-1' })).toMatchObject({ uid: 'uid-1' })
    expect(cluster.requests).toHaveLength(1)
  })
})

describe('a container alone', () => {
  it.each([
    ['that has ended', { status: { containerStatuses: [{ state: { terminated: { containerID: `a://${OTHER}` } } }] } }],
    ['that is the sandbox, which Calico notes', { annotations: { 'cni.projectcalico.org/containerID': OTHER } }],
  ])('is found: one %s', async (_what, { status, annotations }: { status?: object; annotations?: object }) => {
    const cluster = await withCluster()
    cluster.add('Pod', with_({ annotations }, aPod({ ...(status && { status: status as Record<string, unknown> }) })))
    expect(await resolve(cluster, { 'container.id': OTHER })).toMatchObject({ uid: 'uid-1' })
  })

  it('that has just begun is looked for again, as the kubelet tells of it a moment later', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const cluster = await withCluster()
      cluster.add('Pod', aPod())
      let lists = 0
      cluster.override = () => {
        if (++lists === 2) cluster.add('Pod', aPod({ status: statusWith(OTHER) }))
        return undefined
      }
      const time = new Date().toISOString()
      expect(await resolve(cluster, { 'container.id': OTHER }, { time })).toMatchObject({ uid: 'uid-1' })
    } finally {
      vi.useRealTimers()
    }
  })

  it('of an event that is not fresh is gone at once', async () => {
    const cluster = await withCluster()
    expect(await rejection(resolve(cluster, { 'container.id': OTHER }))).toMatchObject({ code: 'gone' })
    expect(cluster.requests).toHaveLength(1)
  })
})
