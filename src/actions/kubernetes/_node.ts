/** The node of an event: that of its pod, or for a process of the host the node itself. */
import {
  type Io,
  type PolicyRule,
  type Resolver,
  type Result,
  type Step,
  type Subject,
  type Undo,
  YarakError,
} from '../../plugin.ts'
import { apiPath, type Clients, kubernetes } from '../../resources/kubernetes.ts'
import { pastConflicts } from './_conflict.ts'
import { refused } from './_identity.ts'
import { isName } from './_names.ts'
import { nodeNameOf } from './_read-pod.ts'
import { findPermissions, livePod } from './resolve.ts'
import { subjectFrom } from './_subject.ts'
import { type Lens, NODES, setNoted, undoValues } from './_undo.ts'

/** What finding a node needs to be allowed. */
export const nodePermissions: readonly PolicyRule[] = [
  ...findPermissions,
  { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
]

/** To {@link setUnschedulable} besides. */
export const schedulingPermissions: readonly PolicyRule[] = [
  { apiGroups: [''], resources: ['nodes'], verbs: ['patch'] },
]

/**
 * The live node of an event: of a process of the host that host, of the audit log the node that it is about, else the
 * one that the pod runs on. Undefined when the event names none of them.
 * @throws YarakError `gone` when the pod or its node is not there any more; `refused` with the reason `unknown-node` when
 * the event is about a host whose name is not that of a node; what finding the pod throws
 */
export const nodeSubject: Resolver = async (target, io, event) => {
  if (target.host) return target.node === undefined ? undefined : hostNode(target.node, io)
  if (target.resource === 'nodes') return target.name === undefined ? undefined : auditedNode(target.name, io)
  const found = await livePod(target, io, event)
  if (!found) return undefined
  return readNode(nodeNameOf(found.pod), io)
}

/** The API server has taken it for a node: when there is none, it is gone. */
const auditedNode = (name: string, io: Io): Promise<Subject> => {
  if (isName(name)) return readNode(name, io)
  throw refused('bad-name', 'the name of the node in the event is not a valid Kubernetes name')
}

const readNode = async (name: string, io: Io): Promise<Subject> => {
  const { metadata = {} } = await (await io.use(kubernetes)).as(io).core.readNode({ name })
  return subjectFrom('Node', metadata)
}

/** The event's word for it is not proof: a name that no node has must not pass for a node that is gone. */
const hostNode = async (name: string, io: Io): Promise<Subject> => {
  const unknown = () => refused('unknown-node', 'the host name in the event is not the name of a node')
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
  throw refused('no-target', 'the event names no node')
}

/** Whether a node is closed to new pods. */
const LENS: Lens = {
  read: ({ spec }) => ({ unschedulable: (spec as { unschedulable?: boolean }).unschedulable === true || null }),
  patch: ({ unschedulable }) => ({ spec: { unschedulable: unschedulable === true || null } }),
}

/** Closes the node to new pods, or opens it, so that it can be undone. */
export const schedule = async (
  { action, unschedulable, ttl }: { action: string; unschedulable: boolean; ttl?: number | undefined },
  step: Step,
): Promise<Result> => {
  const { name, uid } = nodeOf(step)
  const values = { unschedulable: unschedulable || null }
  const path = apiPath('v1', 'nodes', name)
  await setNoted((await step.use(kubernetes)).as(step), step, { action, path, uid, lens: LENS, values, ttl })
  return scheduled(unschedulable, step, name)
}

export const undoSchedule: Undo = { in: kubernetes, on: [NODES], run: undoValues(() => LENS) }

const scheduled = (unschedulable: boolean, { dryRun }: Step, node: string): Result => {
  const verb = unschedulable ? 'cordon' : 'uncordon'
  return { summary: `${dryRun ? `would ${verb}` : `${verb}ed`} node ${node}`, objects: { node } }
}

/** The same, for good. A node that has taken the name meanwhile is not touched. */
export const setUnschedulable = async (unschedulable: boolean, step: Step, clients?: Clients): Promise<Result> => {
  const { name, uid } = nodeOf(step)
  const { core, patchAs } = clients ?? (await step.use(kubernetes)).as(step)
  const body = { metadata: { uid }, spec: { unschedulable: unschedulable || null } }
  const options = { fieldManager: 'yarak', ...(step.dryRun && { dryRun: 'All' }) }
  await pastConflicts(() => core.patchNode({ name, body, ...options }, patchAs('MergePatch')))
  return scheduled(unschedulable, step, name)
}
