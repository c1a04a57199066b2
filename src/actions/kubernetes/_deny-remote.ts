/** Denies the workload of the event's pod the address that it was connected with, by a policy of Calico or Cilium. */
import type { PolicyRule, Result, Step } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import {
  notedPolicy,
  type PolicyKind,
  policyName,
  policyPermissions,
  policyUndo,
  putPolicy,
  type Selection,
  selectionOf,
} from './_policy.ts'
import { denying, onlyNet, remoteIp } from './_remote.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'
import { workloadOf, workloadPermissions } from './_workload.ts'

/** What the kinds of policies differ in. */
export interface Denial {
  /** Of the action. */
  readonly type: string
  readonly of: PolicyKind
  /** For the summary, e.g. `a policy of Cilium`. */
  readonly by: string
  /** Milliseconds. */
  readonly ttl: number | undefined
  /** The ranges that a policy of before denies. */
  deniedBy(spec: unknown): readonly string[]
  specFor(selection: Selection, denied: readonly string[]): unknown
}

/** What an action that calls {@link denyRemote} declares. */
export const denialBy = (of: PolicyKind) => ({
  changes: 'reversible' as const,
  done: 'repeatable' as const,
  target: podSubject,
  dryRun: true,
  permissions: [...podPermissions, ...workloadPermissions, policyPermissions(of)] satisfies readonly PolicyRule[],
  undo: policyUndo(of),
})

export const denyRemote = async (step: Step, { type, of, by, ttl, deniedBy, specFor }: Denial): Promise<Result> => {
  const pod = podOf(step)
  const net = onlyNet(remoteIp(step.event))
  const clients = (await step.use(kubernetes)).as(step)
  const workload = await workloadOf(clients, pod)
  const selection = selectionOf(pod, workload)
  const at = { namespace: pod.namespace, name: policyName(workload) }
  await putPolicy({ clients, step, of, at }, (before) => {
    const spec = specFor(selection, denying(deniedBy(before?.spec), net))
    return { ...notedPolicy(step, type, ttl, spec, before), spec }
  })
  const verb = step.dryRun ? 'would deny' : 'denied'
  return {
    summary: `${verb} ${net} to ${workload.kind} ${pod.namespace}/${workload.name} by ${by}`,
    objects: { pod: pod.name, namespace: pod.namespace, [of.kind.toLowerCase()]: at.name, denied: net },
  }
}
