/** From what an event claims to the live pod: found by uid, name or container, and proven to be the same one. */
import { setTimeout } from 'node:timers/promises'
import type { CoreV1Api, V1Pod } from '@kubernetes/client-node'
import {
  type FalcoEvent,
  type Io,
  type PolicyRule,
  type Resolver,
  type Step,
  type Subject,
  type Target,
  YarakError,
} from '../../plugin.ts'
import { type Clients, kubernetes } from '../../resources/kubernetes.ts'
import { hasContainer, isContainerId, isUid, refused, unlessOther } from './_identity.ts'
import { isName, isNamespace } from './_names.ts'
import { climber, ownerPermissions } from './_owners.ts'
import { subjectFrom } from './_subject.ts'

/** What finding a pod needs to be allowed. */
export const findPermissions: readonly PolicyRule[] = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }]

/** The same, and what finding its owners needs: without that it is found nevertheless, with less known of it. */
export const podPermissions: readonly PolicyRule[] = [...findPermissions, ...ownerPermissions]

/**
 * The live pod of an event: by its uid, by namespace and name, or by container id; what the event tells besides must
 * agree. Undefined when the event names no pod.
 *
 * The API lists of a container its present run and the one before. It does not know the id of a pod's sandbox: an event
 * that has nothing but that finds its pod only where Calico has noted it on the pod.
 *
 * Its owners are looked up to the top, and the replicas of its workload. Where the account may not read them, the owners
 * are those that the pod names itself, and `incomplete` says why.
 * @throws YarakError `gone` when it is not there any more; `refused` with the reason `host-process` (the event is about
 * the node itself), `changed` (another pod has the name now, or the fields are of different pods), `bad-name` or
 * `ambiguous`
 */
export const podSubject: Resolver = async (target, io, event) => {
  const found = await livePod(target, io, event)
  return found && climber(found.clients)(subjectOf(found.pod))
}

/** The pod itself, proven to be the one of the event. Throws what {@link podSubject} does. */
export const livePod = async (
  target: Target,
  io: Io,
  event?: FalcoEvent,
): Promise<{ readonly pod: V1Pod; readonly clients: Clients } | undefined> => {
  if (target.host) throw refused('host-process', 'the event is about a process of the node, not of a pod')
  const { namespace, pod: name, podUid, container, disagreement } = target
  if (!(namespace && name) && !podUid && !container) return undefined
  if (disagreement) throw refused('changed', `the event does not say which pod: ${disagreement} differ`)
  const clients = (await io.use(kubernetes)).as(io)
  const pod =
    namespace && name ? await podByName(clients.core, namespace, name) : await podBySearch(clients.core, target, event)
  if (!pod) {
    const what = podUid ? 'uid' : 'container'
    throw new YarakError('gone', `no pod has the ${what} of the event`, { permanent: true, reason: 'not-found' })
  }
  await unlessOther(pod, { target, event, podsOn: (node) => listPods(clients.core, onNode(node)) })
  return { pod, clients }
}

const podByName = (core: CoreV1Api, namespace: string, name: string): Promise<V1Pod> => {
  if (!isNamespace(namespace) || !isName(name)) {
    throw refused('bad-name', 'the pod or namespace in the event is not a valid Kubernetes name')
  }
  return core.readNamespacedPod({ namespace, name })
}

/** Milliseconds after which a container is looked for again: a kubelet tells of a new one a moment after it runs. */
const AGAIN = [1_000, 2_000]

/** By its uid, else by its container. */
const podBySearch = async (core: CoreV1Api, target: Target, event?: FalcoEvent): Promise<V1Pod | undefined> => {
  const { podUid, container = '' } = target
  if (podUid) return search(core, target, (pod) => isUid(pod, podUid))
  if (!isContainerId(container)) {
    throw refused('bad-name', 'the container id in the event is not 12 hexadecimal digits')
  }
  const find = (): Promise<V1Pod | undefined> => search(core, target, (pod) => hasContainer(pod, container))
  let found = await find()
  for (const wait of event && isNew(event) ? AGAIN : []) {
    if (found) break
    await setTimeout(wait)
    found = await find()
  }
  return found
}

const isNew = ({ time }: FalcoEvent): boolean => Math.abs(Date.now() - Date.parse(time)) < 10_000

/** A node that has any pod exists, and then the pod is there or nowhere; else all namespaces are looked through. */
const search = async (
  core: CoreV1Api,
  { podUid, namespace, node }: Target,
  isIt: (pod: V1Pod) => boolean,
): Promise<V1Pod | undefined> => {
  if (podUid && namespace && isNamespace(namespace))
    return onlyOne((await listPods(core, undefined, namespace)).filter(isIt))
  if (node && isName(node)) {
    const pods = await listPods(core, onNode(node))
    if (pods.length > 0) return onlyOne(pods.filter(isIt))
  }
  return onlyOne((await listPods(core)).filter(isIt))
}

const onNode = (node: string): string => `spec.nodeName=${node}`

const onlyOne = (pods: readonly V1Pod[]): V1Pod | undefined => {
  if (pods.length > 1) throw refused('ambiguous', 'more than one pod has the container of the event')
  return pods[0]
}

const PAGE = 500
const MOST_PAGES = 20

/** All pods of the cluster, or of a namespace, that match, page by page. */
export const listPods = async (
  core: CoreV1Api,
  fieldSelector?: string,
  namespace?: string,
): Promise<readonly V1Pod[]> => {
  const pods: V1Pod[] = []
  let next: string | undefined
  for (let page = 0; page < MOST_PAGES; page++) {
    const query = { fieldSelector, limit: PAGE, _continue: next }
    const list =
      namespace === undefined
        ? await core.listPodForAllNamespaces(query)
        : await core.listNamespacedPod({ namespace, ...query })
    pods.push(...list.items)
    next = list.metadata?._continue
    if (!next) return pods
  }
  throw refused('too-many-pods', `more than ${PAGE * MOST_PAGES} pods: the event must name the pod or its node`)
}

/** A pod as guards see it, with the owners that it names itself. */
export const subjectOf = ({ metadata = {}, spec }: V1Pod): Subject => ({
  ...subjectFrom('Pod', metadata),
  ...(spec?.nodeName && { node: spec.nodeName }),
})

/** A pod that {@link podSubject} found. */
export interface PodSubject extends Subject {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/** The pod a step is about. */
export const podOf = ({ subject }: Pick<Step, 'subject'>): PodSubject => {
  if (subject?.kind === 'Pod' && subject.namespace && subject.name && subject.uid) return subject as PodSubject
  throw refused('no-target', 'the event names no pod')
}
