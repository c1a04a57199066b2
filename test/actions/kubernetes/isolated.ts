/** A shop with a pod that is isolated, and what may let traffic through to it. */
import { isolate } from '../../../src/actions/kubernetes/isolate.ts'
import type { FakeCluster, Kind, KubeObject } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { undoFirst } from './undoing.ts'
import { aPod, aPodStep, aWorkload, withCluster } from './world.ts'

export const POLICY = 'yarak-isolate-uid-1'

export type Params = Parameters<typeof perform<typeof isolate.config>>[1]

export const run = async (cluster: FakeCluster, params: Params = {}, options: StepOptions = {}) =>
  perform(isolate, params, await aPodStep(cluster, options))

export const undo = (cluster: FakeCluster) => undoFirst(cluster, isolate, { kind: 'Pod', name: 'web-1' })

export const labelsOf = (cluster: FakeCluster) => cluster.get('Pod', 'shop', 'web-1')?.metadata.labels
export const policy = (cluster: FakeCluster, kind: Kind = 'NetworkPolicy') => cluster.get(kind, 'shop', POLICY)
export const another = (id: string): StepOptions => ({
  response: { id, rule: 'React', step: 'act', traceparent: undefined },
})

export const withPod = async (pod: KubeObject = aPod({ owner: ['ReplicaSet', 'web'] })): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', pod)
  cluster.add('ReplicaSet', aWorkload('web'))
  return cluster
}

export const allowing = (name: string, podSelector: object, rules: object = { ingress: [{}] }): KubeObject => ({
  metadata: { name, namespace: 'shop' },
  spec: { podSelector, policyTypes: ['Ingress'], ...rules },
})

export const aService = (name: string, selector: Record<string, string> | undefined): KubeObject => ({
  metadata: { name, namespace: 'shop' },
  spec: selector ? { selector } : {},
})
