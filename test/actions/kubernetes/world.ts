/** A cluster with a shop in it, and a step about one of its pods. */
import { onTestFinished } from 'vitest'
import { YarakError } from '../../../src/errors.ts'
import { type FakeCluster, fakeCluster, type KubeObject } from '../../fake-cluster.ts'
import { aStep, type Recorded, type StepOptions } from '../step.ts'

export const CONTAINER = '0123456789ab'
const FULL_ID = `containerd://${CONTAINER}${'c'.repeat(52)}`

interface PodOptions {
  readonly name?: string
  readonly uid?: string
  readonly owner?: readonly [kind: string, name: string]
  readonly labels?: Record<string, string>
  readonly node?: string
  readonly status?: Record<string, unknown>
}

export const aPod = ({ name = 'web-1', uid = 'uid-1', owner, labels, node = 'node-1', status }: PodOptions = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace: 'shop',
    uid,
    labels: labels ?? { app: 'web', 'pod-template-hash': 'abc' },
    ...(owner && {
      ownerReferences: [{ apiVersion: 'x/v1', kind: owner[0], name: owner[1], uid: 'o', controller: true }],
    }),
  },
  spec: { nodeName: node, containers: [] },
  status: status ?? { containerStatuses: [{ name: 'web', containerID: FULL_ID }] },
})

/** A workload with a selector and a count of replicas. */
export const aWorkload = (name: string, { desired = 3, ready = 3, ...rest } = {}): KubeObject => ({
  metadata: { name, namespace: 'shop', uid: 'o' },
  spec: { replicas: desired, selector: { matchLabels: { app: name, 'pod-template-hash': 'abc' } } },
  status: { replicas: desired, readyReplicas: ready },
  ...rest,
})

export const withCluster = async (): Promise<FakeCluster> => {
  const cluster = await fakeCluster()
  onTestFinished(() => cluster.close())
  return cluster
}

/** The fields by which Falco names the pod. */
export const POD_FIELDS = { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1' }

/** A step about the pod, with settings of the cluster. */
export const aStepOn = (cluster: FakeCluster, settings: object, options: StepOptions = {}): Promise<Recorded> =>
  aStep({ fields: POD_FIELDS, ...options, resources: { kubernetes: { kubeconfig: cluster.kubeconfig, ...settings } } })

/** A step about the pod, with the cluster at hand. */
export const aPodStep = (cluster: FakeCluster, options: StepOptions = {}): Promise<Recorded> =>
  aStep({ fields: POD_FIELDS, ...options, resources: { kubernetes: { kubeconfig: cluster.kubeconfig } } })

/** What a promise is rejected with; it must be an error that tells the engine what to do. */
export const rejection = async (promise: Promise<unknown>): Promise<YarakError> => {
  const error: unknown = await promise.then(
    (value) => new Error(`it succeeded: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  if (!(error instanceof YarakError)) throw error
  return error
}
