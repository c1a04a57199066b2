/** A pod and the workloads above it, and answers of a server that is in trouble. */
import { expect } from 'vitest'
import type { YarakError } from '../../../src/errors.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { aPod, rejection, withCluster } from './world.ts'

const owner = (kind: string, name: string, uid: string) => ({
  ownerReferences: [{ apiVersion: 'apps/v1', kind, name, uid, controller: true }],
})

type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'ReplicaSet'

/** `web-1` of the workload `web`, whose uid is `uid-web`. */
export const withWorkload = async (kind: WorkloadKind, spec: object = {}): Promise<FakeCluster> => {
  const cluster = await withCluster()
  const [above, name, uid] = kind === 'Deployment' ? ['ReplicaSet', 'web-abc', 'uid-set'] : [kind, 'web', 'uid-web']
  const pod = aPod()
  cluster.add('Pod', {
    ...pod,
    metadata: { ...pod.metadata, ...owner(above, name, uid) },
  })
  if (kind === 'Deployment') {
    const metadata = { name: 'web-abc', namespace: 'shop', uid: 'uid-set', ...owner('Deployment', 'web', 'uid-web') }
    cluster.add('ReplicaSet', { metadata, spec: { replicas: 3 } })
  }
  cluster.add(kind, { metadata: { name: 'web', namespace: 'shop', uid: 'uid-web' }, spec: { replicas: 3, ...spec } })
  return cluster
}

const ANSWERS = {
  forbidden: status(403, 'Forbidden', 'User "y" cannot patch resource "x" in API group "z"'),
  conflict: status(409, 'Conflict', 'the object has been modified; please apply your changes to the latest version'),
  busy: { ...status(429, 'TooManyRequests', 'too many'), headers: { 'retry-after': '7' } },
  broken: status(500, 'InternalError', 'etcdserver: request timed out'),
}

const WRITES = new Set(['PATCH', 'POST'])

/** Answers the first `times` writes otherwise. */
export const disturb = (cluster: FakeCluster, how: keyof typeof ANSWERS, times = Infinity): void => {
  let left = times
  cluster.override = ({ method }) => (WRITES.has(method) && left-- > 0 ? ANSWERS[how] : undefined)
}

export const writes = ({ requests }: FakeCluster) => requests.filter(({ method }) => WRITES.has(method))

/** What every write to the cluster must keep: a refusal is permanent, trouble is not, a conflict is met afresh. */
export const expectSound = async (cluster: FakeCluster, run: () => Promise<unknown>): Promise<void> => {
  const expected: readonly [keyof typeof ANSWERS, Partial<YarakError>][] = [
    ['forbidden', { code: 'refused', reason: 'forbidden', permanent: true }],
    ['busy', { code: 'failed', reason: 'too-many-requests', permanent: false, retryAfter: 7_000 }],
    ['broken', { code: 'failed', reason: '500', permanent: false }],
  ]
  for (const [how, error] of expected) {
    disturb(cluster, how)
    expect(await rejection(run())).toMatchObject(error)
  }
  disturb(cluster, 'conflict', 1)
  await run()
  disturb(cluster, 'busy', 1)
  await rejection(run())
  await run()
}
