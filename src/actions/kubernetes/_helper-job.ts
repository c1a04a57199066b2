/** A short-lived pod of our own on a node, in our own namespace: a Job, so that the cluster clears away what a crash leaves. */
import type { V1Job, V1Pod, V1PodSpec } from '@kubernetes/client-node'
import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { messageOf, type PolicyRule, type Step, YarakError } from '../../plugin.ts'
import { type Clients, type Cluster } from '../../resources/kubernetes.ts'
import { marksOf } from './_object.ts'

/** What a helper on a node needs to be allowed, all of it in our own namespace. */
export const jobPermissions: readonly PolicyRule[] = [
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'delete'], namespace: 'own' },
  { apiGroups: [''], resources: ['pods'], verbs: ['list'], namespace: 'own' },
  { apiGroups: [''], resources: ['pods/exec'], verbs: ['get', 'create'], namespace: 'own' },
]

export interface Helper {
  /** A part of its name, e.g. `sysdig`. */
  readonly what: string
  /** Milliseconds until the cluster ends it. */
  readonly lifetime: number
  readonly spec: V1PodSpec
}

interface Host {
  readonly cluster: Cluster
  readonly clients: Clients
  readonly step: Step
}

/** Where a helper runs. */
export interface Helping {
  readonly namespace: string
  readonly pod: string
  readonly job: string
}

/**
 * Starts a helper, has it used, and removes it however that ends. In a dry run it is only checked by the server.
 * @throws YarakError `failed` with the reason `helper-not-started`; what `use` throws
 */
export const withHelper = async <T>(
  helper: Helper,
  host: Host,
  use: (at: Helping) => Promise<T>,
): Promise<T | undefined> => {
  const { cluster, clients, step } = host
  const { namespace } = cluster
  const name = `yarak-${helper.what}-${randomUUID().slice(0, 8)}`
  const body = jobOf(name, helper, step)
  const dryRun = step.dryRun ? 'All' : undefined
  await clients.batch.createNamespacedJob({ namespace, body, fieldManager: 'yarak', ...(dryRun && { dryRun }) })
  if (dryRun) return undefined
  try {
    const pod = await runningPod(name, host)
    return await use({ namespace, pod, job: name })
  } finally {
    await remove(name, host)
  }
}

const jobOf = (name: string, { lifetime, spec }: Helper, step: Step): V1Job => {
  const marks = marksOf(step)
  const labels = {
    ...(marks.labels as Record<string, string>),
    'app.kubernetes.io/managed-by': 'yarak',
    'app.kubernetes.io/name': 'yarak-helper',
  }
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, labels, annotations: marks.annotations },
    spec: {
      backoffLimit: 0,
      activeDeadlineSeconds: Math.ceil(lifetime / 1_000),
      ttlSecondsAfterFinished: 60,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 1,
          tolerations: [{ operator: 'Exists' }],
          ...spec,
        },
      },
    },
  }
}

const POLL = 500

const runningPod = async (job: string, { cluster: { namespace }, clients, step }: Host): Promise<string> => {
  for (;;) {
    const labelSelector = `batch.kubernetes.io/job-name=${job}`
    const [pod] = (await clients.core.listNamespacedPod({ namespace, labelSelector })).items
    if (pod?.status?.containerStatuses?.every(({ state }) => state?.running)) return pod.metadata?.name ?? ''
    const why = pod && whyStuck(pod)
    if (why) {
      throw new YarakError('failed', `the helper pod is not started: ${why}`.slice(0, 300), {
        permanent: true,
        reason: 'helper-not-started',
      })
    }
    // When it is cut short, the next request says so.
    await setTimeout(POLL, undefined, { signal: step.signal }).catch(() => {})
  }
}

const whyStuck = ({ status }: V1Pod): string | undefined => {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded')
    return `it has ended: ${status.reason ?? status.phase}`
  const waiting = (status?.containerStatuses ?? []).map(({ state }) => state?.waiting?.reason ?? '')
  return waiting.find((reason) =>
    /BackOff$|^Invalid|^Create.*Error$|^ErrImageNeverPull$|^RunContainerError$/.test(reason),
  )
}

/** Also after a deadline or a stop, so under no signal; what fails here the cluster clears away when the time is over. */
const remove = async (name: string, { cluster, step }: Host): Promise<void> => {
  try {
    const { batch } = cluster.as({ call: step.call })
    await batch.deleteNamespacedJob({
      namespace: cluster.namespace,
      name,
      body: { propagationPolicy: 'Background' },
    })
  } catch (error) {
    step.log.warn('a helper could not be removed, and goes when its time is over', {
      job: name,
      error: messageOf(error),
    })
  }
}
