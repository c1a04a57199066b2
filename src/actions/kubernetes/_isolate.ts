/** The work of isolating one pod: what lets traffic through to it, how it leaves that, and what is told of it. */
import type { V1LabelSelector, V1NetworkPolicy, V1Pod } from '@kubernetes/client-node'
import { type Result, type Step, YarakError } from '../../plugin.ts'
import { type Clients, type Live, notesOn } from '../../resources/kubernetes.ts'
import { ISOLATED } from './_isolate-rules.ts'
import { keysOf, letsThrough, selects, without } from './_isolate-select.ts'
import type { Policy } from './_policy.ts'
import { readPod } from './_read-pod.ts'
import type { PodSubject } from './resolve.ts'
import type { Lens, Values } from './_undo.ts'
import { workloadOf } from './_workload.ts'

export const ISOLATE = 'kubernetes:isolate'

/** One for each pod, whoever isolates it. */
export const policyOf = (podUid: string): string => `yarak-isolate-${podUid}`

/** The policy is collected as garbage when the pod is gone. */
export const ownedBy = ({ metadata }: V1Pod): object => ({
  ...{ apiVersion: 'v1', kind: 'Pod', name: metadata?.name, uid: metadata?.uid },
})

/** What the policy selects the pod by: the response, or the earlier one by which it is isolated already. */
export const markOf = (
  { metadata }: V1Pod,
  before: Policy | undefined,
  { response }: Pick<Step, 'response'>,
): string => {
  const mark = metadata?.labels?.[ISOLATED]
  return mark !== undefined && mark === before?.metadata.labels?.[ISOLATED] ? mark : response.id
}

type Labels = Readonly<Record<string, string>>

/** What is to be done to the pod. */
export interface Plan {
  /** The labels that it loses. */
  readonly lost: readonly string[]
  /** The policies that let traffic through also then. */
  readonly open: readonly string[]
}

/**
 * The pod as it is now.
 * @throws YarakError `gone` with the reason `changed`; `refused` with the reason `host-network`: no policy holds there
 */
export const podToIsolate = async (clients: Clients, subject: PodSubject): Promise<V1Pod> => {
  const { namespace, name } = subject
  const pod = await readPod(clients, subject)
  if (!pod.spec?.hostNetwork) return pod
  throw new YarakError('refused', `pod ${namespace}/${name} uses the network of its node, where no policy holds`, {
    permanent: true,
    reason: 'host-network',
  })
}

/**
 * What a strategy comes to. The labels of an isolation that holds already stay lost.
 * @param pod as it is now
 */
export const planFor = async (
  clients: Clients,
  subject: PodSubject,
  pod: V1Pod,
  strategy: 'relabel' | 'policy-only',
): Promise<Plan> => {
  const labels = pod.metadata?.labels ?? {}
  const { items } = await clients.networking.listNamespacedNetworkPolicy({ namespace: subject.namespace })
  const others = items.filter((one) => letsThrough(one) && one.metadata?.name !== policyOf(subject.uid))
  const openFor = (these: Labels) => others.filter(({ spec }) => selects(spec?.podSelector ?? {}, these))
  const now = openFor(labels)
  if (now.length === 0 || strategy === 'policy-only') return { lost: [], open: namesOf(now) }
  const selectors = [
    ...now.map(({ spec }) => spec?.podSelector ?? {}),
    ...(await selectorsOfServices(clients, subject.namespace, labels)),
    await selectorOfWorkload(clients, subject),
  ]
  const keys = selectors.flatMap(keysOf)
  const lost = Object.keys(labels).filter((key) => keys.includes(key) && key !== ISOLATED)
  return { lost, open: namesOf(openFor(without(labels, lost))) }
}

const namesOf = (policies: readonly V1NetworkPolicy[]): string[] =>
  policies.map(({ metadata }) => metadata?.name ?? '').sort()

/** A Service without a selector has its endpoints from elsewhere. */
const selectorsOfServices = async (
  { core }: Clients,
  namespace: string,
  labels: Labels,
): Promise<V1LabelSelector[]> => {
  const { items } = await core.listNamespacedService({ namespace })
  return items
    .map(({ spec }) => ({ matchLabels: spec?.selector ?? {} }))
    .filter((selector) => keysOf(selector).length > 0 && selects(selector, labels))
}

const selectorOfWorkload = async (clients: Clients, subject: PodSubject): Promise<V1LabelSelector> => {
  try {
    return (await workloadOf(clients, subject)).selector ?? {}
  } catch (error) {
    // No workload, no selector: that must not keep the pod on the network.
    if (error instanceof YarakError && error.reason === 'owner-gone') return {}
    throw error
  }
}

/** The annotation that tells whose policy it is. */
export const ENFORCER = 'yarak.dev/isolated-by'

interface Isolation {
  readonly mark: string
  readonly enforcer: string
}

/**
 * What becomes of the pod, as {@link LENS} names it. What an isolation that holds already has taken is taken by this one
 * too, so that it stays so until the last of both is undone.
 */
export const changesFor = (pod: V1Pod, { lost }: Plan, { mark, enforcer }: Isolation): Values => {
  const notes = [...notesOn(pod as unknown as Live).values()].filter(({ action }) => action === ISOLATE)
  const before = notes.flatMap(({ made }) => Object.entries(made as Values).filter(([, value]) => value === null))
  return {
    ...Object.fromEntries(before),
    ...Object.fromEntries(lost.map((key) => [`labels ${key}`, null])),
    [`labels ${ISOLATED}`]: mark,
    [`annotations ${ENFORCER}`]: enforcer,
  }
}

/** Labels and annotations of a pod: `labels app`. */
export const LENS: Lens = {
  read: ({ metadata }, names) =>
    Object.fromEntries(
      names.map((name) => {
        const [part, key] = split(name)
        return [name, metadata[part]?.[key] ?? null]
      }),
    ),
  patch: (values) => ({ metadata: { labels: partOf(values, 'labels'), annotations: partOf(values, 'annotations') } }),
}

type Part = 'labels' | 'annotations'

const split = (name: string): readonly [Part, string] => {
  const [part, key = ''] = name.split(' ')
  return [part === 'labels' ? 'labels' : 'annotations', key]
}

const partOf = (values: Values, part: Part): Values =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      const [of, key] = split(name)
      return of === part ? [[key, value]] : []
    }),
  )

/** What is told. */
export const resultOf = (
  { name, namespace }: PodSubject,
  policy: string,
  { lost, open }: Plan,
  { dryRun }: Pick<Step, 'dryRun'>,
): Result => {
  const whole = open.length === 0
  const notes = [
    ...(lost.length > 0 ? [`taken out of the labels ${lost.join(', ')}`] : []),
    ...(whole ? [] : [`still let through by ${open.join(', ')}`]),
    'connections that are open already may survive',
  ]
  const verb = dryRun ? 'would isolate' : 'isolated'
  return {
    summary: `${verb} pod ${namespace}/${name}${whole ? '' : ' in part'}: ${notes.join('; ')}`,
    objects: {
      ...{ pod: name, namespace, networkpolicy: policy, isolation: whole ? 'whole' : 'partial' },
      ...(lost.length > 0 && { labels: lost.join(' ') }),
      ...(!whole && { open: open.join(' ') }),
    },
  }
}
