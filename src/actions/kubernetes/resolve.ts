/** From what an event claims to the live pod: found by name or by container, and proven to be the same one. */
import type { CoreV1Api, V1Pod } from '@kubernetes/client-node'
import { type PolicyRule, type Resolver, type Step, type Subject, type Target, YarakError } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { isName, isNamespace } from './_names.ts'
import { subjectFrom } from './_subject.ts'

/** What finding a pod needs to be allowed. */
export const podPermissions: readonly PolicyRule[] = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }]

const PAGE = 500
const MOST_PAGES = 20

/**
 * The live pod of an event: by namespace and name, else by container id. Undefined when the event names neither.
 * @throws YarakError `gone` when it is not there any more; `refused` with the reason `host-process` (the event is about
 * the node itself), `changed` (another pod has the name now), `bad-name` or `ambiguous`
 */
export const podSubject: Resolver = async (target, io) => {
  if (target.host) throw refused('host-process', 'the event is about a process of the node, not of a pod')
  const { namespace, pod, container } = target
  if (!(namespace && pod) && !container) return undefined
  const { core } = (await io.use(kubernetes)).as(io)
  const found =
    namespace && pod ? await podByName(core, namespace, pod) : await podByContainer(core, container ?? '', target.node)
  if (!found)
    throw new YarakError('gone', 'no pod has the container of the event', { permanent: true, reason: 'not-found' })
  return checked(subjectOf(found), target)
}

const refused = (reason: string, message: string): YarakError =>
  new YarakError('refused', message, { permanent: true, reason })

const podByName = (core: CoreV1Api, namespace: string, name: string): Promise<V1Pod> => {
  if (!isNamespace(namespace) || !isName(name)) {
    throw refused('bad-name', 'the pod or namespace in the event is not a valid Kubernetes name')
  }
  return core.readNamespacedPod({ namespace, name })
}

/** A node that has any pod exists, and then the pod is there or nowhere; else all namespaces are looked through. */
const podByContainer = async (core: CoreV1Api, id: string, node: string | undefined): Promise<V1Pod | undefined> => {
  if (!/^[0-9a-f]{12}$/.test(id))
    throw refused('bad-name', 'the container id in the event is not 12 hexadecimal digits')
  if (node && isName(node)) {
    const pods = await listPods(core, `spec.nodeName=${node}`)
    if (pods.length > 0) return onlyOne(pods.filter((pod) => hasContainer(pod, id)))
  }
  return onlyOne((await listPods(core)).filter((pod) => hasContainer(pod, id)))
}

/** All pods of the cluster that match, page by page. */
export const listPods = async (core: CoreV1Api, fieldSelector?: string): Promise<readonly V1Pod[]> => {
  const pods: V1Pod[] = []
  let next: string | undefined
  for (let page = 0; page < MOST_PAGES; page++) {
    const list = await core.listPodForAllNamespaces({ fieldSelector, limit: PAGE, _continue: next })
    pods.push(...list.items)
    next = list.metadata?._continue
    if (!next) return pods
  }
  throw refused('too-many-pods', `more than ${PAGE * MOST_PAGES} pods: the event must name the pod or its node`)
}

const onlyOne = (pods: readonly V1Pod[]): V1Pod | undefined => {
  if (pods.length > 1) throw refused('ambiguous', 'more than one pod has the container of the event')
  return pods[0]
}

/** Also the container's previous run counts: a process that was killed for its deed is still of this pod. */
const hasContainer = ({ status }: V1Pod, id: string): boolean =>
  [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ]
    .flatMap((one) => [one.containerID, one.lastState?.terminated?.containerID])
    .some((full) => full?.replace(/^[^:]*:\/\//, '').startsWith(id))

/** A pod as guards see it. */
export const subjectOf = ({ metadata = {}, spec }: V1Pod): Subject => ({
  ...subjectFrom('Pod', metadata),
  ...(spec?.nodeName && { node: spec.nodeName }),
})

const checked = (subject: Subject, { podUid }: Target): Subject => {
  if (!subject.uid) throw refused('no-uid', 'the API server gives the pod no uid, so it cannot be told from another')
  if (podUid === undefined || podUid === subject.uid) return subject
  throw refused('changed', `pod ${subject.namespace}/${subject.name} is not the one of the event: its uid is another`)
}

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
