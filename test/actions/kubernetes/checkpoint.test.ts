import { describe, expect, it } from 'vitest'
import { checkpoint } from '../../../src/actions/kubernetes/checkpoint.ts'
import type { FakeCluster } from '../../fake-cluster.ts'
import { status } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof checkpoint.config>>[1]

const run = async (cluster: FakeCluster, params: Params = {}, options: StepOptions = {}) =>
  perform(checkpoint, params, await aPodStep(cluster, options))

const PROXY = '/api/v1/nodes/node-1/proxy/checkpoint/shop/web-1/'

/** As the kubelet answers: https://kubernetes.io/docs/reference/node/kubelet-checkpoint-api/ */
const kubelet: FakeCluster['override'] = ({ method, path }) =>
  method === 'POST' && path.startsWith(PROXY)
    ? {
        status: 200,
        body: { items: [`/var/lib/kubelet/checkpoints/checkpoint-web-1_shop-${path.slice(PROXY.length)}-2026.tar`] },
      }
    : undefined

const aPodOf = async (...containers: readonly string[]): Promise<FakeCluster> => {
  const cluster = await withCluster()
  const pod = aPod()
  cluster.add('Pod', { ...pod, spec: { ...pod.spec, containers: containers.map((name) => ({ name })) } })
  cluster.override = kubelet
  return cluster
}

describe('kubernetes:checkpoint', () => {
  it('asks the kubelet of the node for each container, and names node and files', async () => {
    const cluster = await aPodOf('web', 'sidecar')
    expect(await run(cluster)).toEqual({
      summary: 'wrote 2 checkpoints of pod shop/web-1 on node node-1',
      objects: { pod: 'web-1', namespace: 'shop', node: 'node-1' },
      output: [
        '/var/lib/kubelet/checkpoints/checkpoint-web-1_shop-web-2026.tar',
        '/var/lib/kubelet/checkpoints/checkpoint-web-1_shop-sidecar-2026.tar',
      ].join('\n'),
    })
  })

  it('takes one container when told', async () => {
    const cluster = await aPodOf('web', 'sidecar')
    expect((await run(cluster, { container: 'sidecar' })).summary).toBe(
      'wrote a checkpoint of pod shop/web-1 on node node-1',
    )
    expect(cluster.requests.filter(({ method }) => method === 'POST').map(({ path }) => path)).toEqual([
      `${PROXY}sidecar`,
    ])
  })

  it.each([
    ['is not served', 404, 'page not found'],
    ['fails', 500, 'checkpointing of shop/web-1/web failed (rpc error: code = Unimplemented)'],
  ])('explains a checkpoint that %s', async (_why, code, text) => {
    const cluster = await aPodOf('web')
    cluster.override = ({ method }) => (method === 'POST' ? { status: code, body: text } : undefined)
    expect(await rejection(run(cluster))).toMatchObject({
      code: 'failed',
      reason: 'no-checkpoint',
      permanent: true,
      message: expect.stringContaining('the kubelet of node node-1 wrote no checkpoint of web'),
    })
  })

  it('tells which right is missing', async () => {
    const cluster = await aPodOf('web')
    const why = 'nodes "node-1" is forbidden: User "y" cannot create resource "nodes/proxy" in API group ""'
    cluster.override = ({ method }) => (method === 'POST' ? status(403, 'Forbidden', why) : undefined)
    expect(await rejection(run(cluster))).toMatchObject({ code: 'refused', reason: 'forbidden' })
  })

  it('is not asked of another pod that has taken the name', async () => {
    const cluster = await aPodOf('web')
    let reads = 0
    cluster.override = ({ method, path }) => {
      if (method !== 'GET' || !path.endsWith('/pods/web-1') || ++reads === 1) return undefined
      return { status: 200, body: aPod({ uid: 'uid-2' }) }
    }
    expect(await rejection(run(cluster))).toMatchObject({ code: 'gone', reason: 'changed' })
  })

  it('warns of its right, and takes no path for a container', () => {
    expect(checkpoint.permissions).toContainEqual(
      expect.objectContaining({ resources: ['nodes/proxy'], warning: expect.stringContaining('any container') }),
    )
    expect(() => checkpoint({ container: '../x' })).toThrow('must be the name of a container')
  })
})
