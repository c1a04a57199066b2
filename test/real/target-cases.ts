/** More actions for the table of what every action keeps on a real API server. */
import * as k8s from '@kubernetes/client-node'
import { annotation } from '../../src/actions/kubernetes/annotation.ts'
import { isolate } from '../../src/actions/kubernetes/isolate.ts'
import { label } from '../../src/actions/kubernetes/label.ts'
import { networkpolicy } from '../../src/actions/kubernetes/networkpolicy.ts'
import { revokeTokens } from '../../src/actions/kubernetes/revoke-tokens.ts'
import { retinaObserve } from '../../src/actions/retina/observe.ts'
import type { Action } from '../../src/plugin.ts'
import type { RunningKubernetes } from './kubernetes.ts'

export const namespace = 'shop'

export type Fields = Readonly<Record<string, unknown>>

export interface Case {
  readonly action: Action
  readonly params: (name: string) => object
  /** Makes what the action is for; the fields of an event about it. */
  make(name: string): Promise<Fields>
  /** Whether the cluster reads as after the action. */
  done(name: string): Promise<boolean>
  /** An event about what never was. Default: a pod. */
  readonly never?: Fields
  /** Marks what the guard is to protect: what is changed, whatever the event is about. */
  protect(name: string): Promise<unknown>
}

interface Makers extends Pick<Case, 'make' | 'protect'> {
  cluster(): RunningKubernetes['cluster']
  aPodOnNode: Case['make']
  readonly keepNode: Case['protect']
}

/** Actions about a pod or its node that need nothing beside it. */
export const podCases = ({ cluster, make, protect, aPodOnNode, keepNode }: Makers): Record<string, Case> => {
  const pod = async (name: string) => (await cluster().core.readNamespacedPod({ namespace, name })).metadata
  const node = async (name: string) => (await cluster().core.readNode({ name })).metadata
  const policies = async () =>
    (await cluster().api(k8s.NetworkingV1Api).listNamespacedNetworkPolicy({ namespace })).items
  const isThere = (name: string): Promise<boolean> =>
    pod(name).then(
      (found) => found?.deletionTimestamp === undefined,
      () => false,
    )
  const common = { make, protect }
  return {
    label: {
      ...{ ...common, action: label, params: () => ({ labels: { seen: 'true' } }) },
      done: async (name) => (await pod(name))?.labels?.['seen'] === 'true',
    },
    'label of the node': {
      ...{ action: label, params: () => ({ labels: { 'example.com/seen': 'true' }, level: 'node' }) },
      ...{ make: aPodOnNode, protect: keepNode },
      done: async (name) => (await node(name))?.labels?.['example.com/seen'] === 'true',
    },
    annotation: {
      ...{ ...common, action: annotation, params: () => ({ annotations: { 'example.com/seen': 'true' } }) },
      done: async (name) => (await pod(name))?.annotations?.['example.com/seen'] === 'true',
    },
    networkpolicy: {
      ...{ ...common, action: networkpolicy, params: () => ({ allow_cidr: ['10.0.0.0/8'] }) },
      // a pod of its own is selected by its labels
      make: async (name) => {
        await cluster().pod(name, { namespace, labels: { app: name } })
        return { 'k8s.ns.name': namespace, 'k8s.pod.name': name }
      },
      done: async (name) => (await policies()).some(({ metadata }) => metadata?.name === `yarak-pod-${name}`),
    },
    isolate: {
      ...{ ...common, action: isolate, params: () => ({ ttl: '1h' }) },
      done: async (name) => (await pod(name))?.labels?.['yarak.dev/isolated'] !== undefined,
    },
    'revoke-tokens': {
      ...{ ...common, action: revokeTokens, params: () => ({}) },
      done: async (name) => !(await isThere(name)),
    },
    'retina observe': {
      ...{ ...common, action: retinaObserve, params: () => ({}) },
      done: async (name) => (await pod(name))?.annotations?.['retina.sh'] === 'observe',
    },
  }
}
