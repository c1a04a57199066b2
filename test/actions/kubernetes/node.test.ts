/** How the node of an event is found; the same for all actions on nodes. */
import { describe, expect, it } from 'vitest'
import { nodeOf, nodeSubject } from '../../../src/actions/kubernetes/_node.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import type { StepOptions } from '../step.ts'
import { aPod, aPodStep, CONTAINER, rejection, withCluster } from './world.ts'

const find = async (cluster: FakeCluster, options: StepOptions = {}) => {
  const { step } = await aPodStep(cluster, options)
  return nodeSubject(step.target, step)
}

const HOST = { fields: { 'container.id': 'host' } }

const withNode = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Node', { metadata: { name: 'node-1', uid: 'n-1', labels: { zone: 'a' } } })
  return cluster
}

const NODE = { kind: 'Node', key: 'node/node-1', name: 'node-1', uid: 'n-1', labels: { zone: 'a' }, owners: [] }

describe('the node of an event', () => {
  it.each([
    ['the pod', {}],
    ['its container', { fields: { 'container.id': CONTAINER } }],
  ])('is the one that %s runs on', async (_what, options) => {
    const cluster = await withNode()
    cluster.add('Pod', aPod())
    expect(await find(cluster, options)).toEqual(NODE)
  })

  it('of a process of the host is the one that has its name', async () => {
    const cluster = await withNode()
    expect(await find(cluster, { ...HOST, event: { hostname: 'node-1' } })).toEqual(NODE)
    const fields = { 'container.id': 'host', 'k8s.node.name': 'node-1' }
    expect(await find(cluster, { fields, event: { hostname: 'falco-x7k2p' } })).toEqual(NODE)
  })

  it.each(['falco-x7k2p', '../../pods', 'Node_1', 'a/b'])(
    'is not a host called %s: that must not pass for gone',
    async (hostname) => {
      const cluster = await withNode()
      const error = await rejection(find(cluster, { ...HOST, event: { hostname } }))
      expect(error).toMatchObject({ code: 'refused', reason: 'unknown-node', permanent: true })
      expect(cluster.requests.every(({ path }) => path.startsWith('/api/v1/nodes/'))).toBe(true)
    },
  )

  it('of the audit log is the one that it is about', async () => {
    const cluster = await withNode()
    const audit = (name: string) => ({ fields: { 'ka.target.resource': 'nodes', 'ka.target.name': name } })
    expect(await find(cluster, audit('node-1'))).toEqual(NODE)
    expect(await rejection(find(cluster, audit('node-9')))).toMatchObject({ code: 'gone' })
    expect(await rejection(find(cluster, audit('../x')))).toMatchObject({ code: 'refused', reason: 'bad-name' })
    expect(await find(cluster, { fields: { 'ka.target.resource': 'nodes' } })).toBeUndefined()
    expect(await find(cluster, { fields: { 'ka.target.resource': 'secrets', 'ka.target.name': 'x' } })).toBeUndefined()
  })

  it('is none when the event names neither a pod nor the host', async () => {
    const cluster = await withNode()
    expect(await find(cluster, { fields: {} })).toBeUndefined()
    expect(() => nodeOf({ subject: undefined })).toThrow('the event names no node')
  })

  it('is gone with the pod, and with the node', async () => {
    const cluster = await withCluster()
    expect(await rejection(find(cluster))).toMatchObject({ code: 'gone' })
    cluster.add('Pod', aPod())
    expect(await rejection(find(cluster))).toMatchObject({ code: 'gone' })
  })

  it('is not known yet while the pod has none', async () => {
    const cluster = await withNode()
    cluster.add('Pod', aPod({ node: '' }))
    expect(await rejection(find(cluster))).toMatchObject({ reason: 'not-scheduled', permanent: false })
  })

  it('is not of another pod that has the name now', async () => {
    const cluster = await withNode()
    cluster.add('Pod', aPod({ uid: 'uid-2' }))
    const fields = { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1', 'k8s.pod.uid': 'uid-1' }
    expect(await rejection(find(cluster, { fields }))).toMatchObject({ code: 'refused', reason: 'changed' })
  })

  it('cannot be told while the server says no', async () => {
    const cluster = await withNode()
    cluster.override = ({ path }) =>
      path.includes('/nodes/') ? status(503, 'ServiceUnavailable', 'not now', {}) : undefined
    expect(await rejection(find(cluster, { ...HOST, event: { hostname: 'node-1' } }))).toMatchObject({
      code: 'unavailable',
      permanent: false,
    })
  })
})
