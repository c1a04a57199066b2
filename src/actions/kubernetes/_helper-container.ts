/** A container of our own beside those of a pod: an ephemeral container, which stays listed until the pod goes. */
import type { V1ContainerState, V1EphemeralContainer, V1Pod } from '@kubernetes/client-node'
import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { type PolicyRule, type Step, YarakError } from '../../plugin.ts'
import type { Clients } from '../../resources/kubernetes.ts'
import { pastConflicts } from './_conflict.ts'
import { readPod } from './_read-pod.ts'
import type { PodSubject } from './resolve.ts'

export const containerPermission: PolicyRule = {
  apiGroups: [''],
  resources: ['pods/ephemeralcontainers'],
  verbs: ['patch'],
}

/** None can be taken out of a pod again, so a storm of alerts must not fill it. */
const MOST = 10

const PREFIX = 'yarak-'

export type HelperContainer = Omit<V1EphemeralContainer, 'name'>

/**
 * Adds a container to a pod, with a name of its own.
 * @param what is part of the name, e.g. `tcpdump`
 * @throws YarakError `refused` with the reason `too-many-containers`; what the API server says, e.g. that the pod's
 * security level forbids it
 */
export const addContainer = async (
  what: string,
  container: HelperContainer,
  { clients, pod, step }: { readonly clients: Clients; readonly pod: PodSubject; readonly step: Step },
): Promise<string> => {
  const { namespace, name: podName, uid } = pod
  const ours = (await readPod(clients, pod)).spec?.ephemeralContainers?.filter(({ name }) => name.startsWith(PREFIX))
  if (ours && ours.length >= MOST) {
    throw new YarakError('refused', `pod ${namespace}/${podName} has ${ours.length} containers of ours already`, {
      permanent: true,
      reason: 'too-many-containers',
    })
  }
  const name = `${PREFIX}${what}-${randomUUID().slice(0, 8)}`
  const body = { metadata: { uid }, spec: { ephemeralContainers: [{ ...container, name }] } }
  const dryRun = step.dryRun ? 'All' : undefined
  await pastConflicts(() =>
    clients.core.patchNamespacedPodEphemeralcontainers(
      { namespace, name: podName, body, fieldManager: 'yarak', ...(dryRun && { dryRun }) },
      clients.patchAs('StrategicMergePatch'),
    ),
  )
  return name
}

const POLL = 500

/**
 * Waits until the container runs, or has ended when that is asked for.
 * @throws YarakError `failed` with the reason `container-not-started` when its image or its settings are wrong; `gone`
 */
export const untilContainer = async (
  name: string,
  what: 'running' | 'terminated',
  { clients, pod, signal }: { readonly clients: Clients; readonly pod: PodSubject; readonly signal: AbortSignal },
): Promise<V1ContainerState> => {
  for (;;) {
    const state = stateOf(await readPod(clients, pod), name)
    if (state.terminated ?? state[what]) return state
    const { reason = '', message = '' } = state.waiting ?? {}
    if (STUCK.has(reason)) {
      throw new YarakError('failed', `container ${name} is not started: ${reason} ${message.slice(0, 200)}`.trim(), {
        permanent: true,
        reason: 'container-not-started',
      })
    }
    // When it is cut short, the next request says so.
    await setTimeout(POLL, undefined, { signal }).catch(() => {})
  }
}

const STUCK: ReadonlySet<string> = new Set([
  ...['ImagePullBackOff', 'ErrImageNeverPull', 'InvalidImageName', 'CrashLoopBackOff'],
  ...['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'],
])

const stateOf = ({ status }: V1Pod, name: string): V1ContainerState =>
  status?.ephemeralContainerStatuses?.find((one) => one.name === name)?.state ?? {}
