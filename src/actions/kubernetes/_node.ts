/** The node of an event: that of its pod, or for a process of the host the node itself. */
import { type PolicyRule, type Resolver, type Result, type Step, type Subject, YarakError } from '../../plugin.ts'
import { type Clients, kubernetes } from '../../resources/kubernetes.ts'
import { pastConflicts } from './_conflict.ts'
import { isName } from './_names.ts'
import { podPermissions, podSubject } from './resolve.ts'
import { subjectFrom } from './_subject.ts'

/** What finding a node needs to be allowed. */
export const nodePermissions: readonly PolicyRule[] = [
  ...podPermissions,
  { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
]

/** To {@link setUnschedulable} besides. */
export const schedulingPermissions: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['nodes'], verbs: ['patch'] },
]

/**
 * The live node of an event. Undefined when the event names neither a pod nor the host.
 * @throws YarakError `gone` when the pod or its node is not there any more; `refused` with the reason `unknown-node` when
 * the event is about a host whose name is not that of a node; what finding the pod throws
 */
export const nodeSubject: Resolver = async (target, io) => {
  if (target.host) return target.node === undefined ? undefined : hostNode(target.node, io)
  const pod = await podSubject(target, io)
  if (!pod) return undefined
  if (!pod.node) throw new YarakError('failed', `${pod.key} has no node yet`, { reason: 'not-scheduled' })
  return readNode(pod.node, io)
}

const readNode = async (name: string, io: Parameters<Resolver>[1]): Promise<Subject> => {
  const { metadata = {} } = await (await io.use(kubernetes)).as(io).core.readNode({ name })
  return subjectFrom('Node', metadata)
}

/** The event's word for it is not proof: a name that no node has must not pass for a node that is gone. */
const hostNode = async (name: string, io: Parameters<Resolver>[1]): Promise<Subject> => {
  const unknown = (): YarakError =>
    new YarakError('refused', 'the host name in the event is not the name of a node', {
      permanent: true,
      reason: 'unknown-node',
    })
  if (!isName(name)) throw unknown()
  try {
    return await readNode(name, io)
  } catch (error) {
    throw error instanceof YarakError && error.code === 'gone' ? unknown() : error
  }
}

/** A node that {@link nodeSubject} found. */
export interface NodeSubject extends Subject {
  readonly name: string
  readonly uid: string
}

/** The node a step is about. */
export const nodeOf = ({ subject }: Pick<Step, 'subject'>): NodeSubject => {
  if (subject?.kind === 'Node' && subject.name && subject.uid) return subject as NodeSubject
  throw new YarakError('refused', 'the event names no node', { permanent: true, reason: 'no-target' })
}

/** Closes the node to new pods, or opens it. A node that has taken the name meanwhile is not touched. */
export const setUnschedulable = async (unschedulable: boolean, step: Step, clients?: Clients): Promise<Result> => {
  const { name, uid } = nodeOf(step)
  const { core, patchAs } = clients ?? (await step.use(kubernetes)).as(step)
  const body = { metadata: { uid }, spec: { unschedulable: unschedulable || null } }
  const options = { fieldManager: 'yarak', ...(step.dryRun && { dryRun: 'All' }) }
  await pastConflicts(() => core.patchNode({ name, body, ...options }, patchAs('MergePatch')))
  const verb = unschedulable ? 'cordon' : 'uncordon'
  return { summary: `${step.dryRun ? `would ${verb}` : `${verb}ed`} node ${name}`, objects: { node: name } }
}
