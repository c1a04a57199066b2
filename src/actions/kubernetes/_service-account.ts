/** A service account made anew: whatever was issued to the old one is void, since tokens are bound to its uid. */
import type { V1Pod, V1Secret, V1ServiceAccount } from '@kubernetes/client-node'
import { type Step, YarakError } from '../../plugin.ts'
import type { Clients } from '../../resources/kubernetes.ts'
import { marksOf, unlessExists, unlessGone } from './_object.ts'
import type { PodSubject } from './resolve.ts'

export interface Account {
  readonly clients: Clients
  readonly namespace: string
  readonly name: string
}

/** The pods that run as the account, and will lose access. */
export const podsOf = async ({ clients, namespace, name }: Account): Promise<readonly V1Pod[]> => {
  const fieldSelector = `spec.serviceAccountName=${name}`
  return (await clients.core.listNamespacedPod({ namespace, fieldSelector })).items
}

/** Its tokens of the old kind, which never expire. */
export const tokenSecretsOf = async ({ clients, namespace, name }: Account): Promise<readonly V1Secret[]> => {
  const fieldSelector = 'type=kubernetes.io/service-account-token'
  const { items } = await clients.core.listNamespacedSecret({ namespace, fieldSelector })
  return items.filter(({ metadata }) => metadata?.annotations?.['kubernetes.io/service-account.name'] === name)
}

/** Where the account is written down before it is deleted: a crash in between must not lose it. */
const KEPT = 'yarak.dev/service-account'

/**
 * The account as it is, or as an earlier try that was cut short wrote it down on the pod before it deleted it.
 * @throws YarakError `gone` when there is neither
 */
export const accountOf = async (account: Account, pod: V1Pod): Promise<V1ServiceAccount> => {
  const { clients, namespace, name } = account
  try {
    return await clients.core.readNamespacedServiceAccount({ namespace, name })
  } catch (error) {
    const kept = keptOn(pod)
    if (kept?.metadata?.name === name && error instanceof YarakError && error.code === 'gone') return kept
    throw error
  }
}

const keptOn = ({ metadata }: V1Pod): V1ServiceAccount | undefined => {
  const text = metadata?.annotations?.[KEPT]
  return text === undefined ? undefined : (JSON.parse(text) as V1ServiceAccount)
}

/** What of an account is the cluster's own affair, and not copied. */
const OWN = ['uid', 'resourceVersion', 'creationTimestamp', 'generation', 'managedFields', 'selfLink'] as const

/** The account to be created: the same, but for its identity and the tokens that go. */
export const renewed = (
  { metadata = {}, secrets, imagePullSecrets, automountServiceAccountToken: automount }: V1ServiceAccount,
  going: ReadonlySet<string>,
  step: Step,
): V1ServiceAccount => {
  const kept = secrets?.filter(({ name }) => name === undefined || !going.has(name))
  const marks = marksOf(step)
  const copy = Object.fromEntries(
    Object.entries(metadata).filter(([key]) => !OWN.includes(key as (typeof OWN)[number])),
  )
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: {
      ...copy,
      labels: Object.assign({}, metadata.labels, marks.labels),
      annotations: { ...metadata.annotations, ...marks.annotations },
    },
    ...(kept && { secrets: kept }),
    ...(imagePullSecrets && { imagePullSecrets }),
    ...(automount !== undefined && { automountServiceAccountToken: automount }),
  }
}

/** Deletes the account and creates it anew, so that after each request a later try knows how to go on. */
export const replaceAccount = async (
  account: Account,
  { old, fresh, pod }: { old: V1ServiceAccount; fresh: V1ServiceAccount; pod: PodSubject },
): Promise<void> => {
  const { clients, namespace, name } = account
  const { core, patchAs } = clients
  const note = (value: string | null) =>
    core.patchNamespacedPod(
      {
        namespace: pod.namespace,
        name: pod.name,
        body: { metadata: { uid: pod.uid, annotations: { [KEPT]: value } } },
        fieldManager: 'yarak',
      },
      patchAs('MergePatch'),
    )
  await note(JSON.stringify(fresh))
  const uid = old.metadata?.uid
  if (uid !== undefined) {
    await unlessGone<unknown>(
      core.deleteNamespacedServiceAccount({ namespace, name, body: { preconditions: { uid } } }),
      undefined,
    )
  }
  // the namespace's own controller makes `default` anew by itself
  await unlessExists(core.createNamespacedServiceAccount({ namespace, body: fresh, fieldManager: 'yarak' }))
  await unlessGone<unknown>(note(null), undefined)
}

export const deleteSecret = ({ core }: Clients, { metadata = {} }: V1Secret): Promise<unknown> => {
  const { namespace = '', name = '', uid } = metadata
  const body = { preconditions: { ...(uid && { uid }) } }
  return unlessGone<unknown>(core.deleteNamespacedSecret({ namespace, name, body }), undefined)
}
