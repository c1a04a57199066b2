import { defineAction, type Result, YarakError, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { fixed } from '../_fixed.ts'
import { drainPods, type Fate, fatesOn, type Task } from './_drain.ts'
import { evictPermissions } from './_evict.ts'
import { nodeOf, nodePermissions, nodeSubject, schedulingPermissions, setUnschedulable } from './_node.ts'
import { ownerPermissions } from './_owners.ts'
import { gracePeriod, sparing, sparingPermissions } from './_sparing.ts'

const SYSTEM = ['kube-system', 'kube-public', 'kube-node-lease']

const params = z
  .strictObject({
    cordon: z.boolean().default(true).describe('Close the node to new pods first. Default true.'),
    grace_period_seconds: gracePeriod,
    ...sparing,
    ignore_daemonsets: z
      .boolean()
      .default(true)
      .describe('Leave pods of DaemonSets alone, which would come back to the node at once. Default true.'),
    ignore_errors: z
      .boolean()
      .default(false)
      .describe('Succeed also when pods could not be evicted, or are still there at the end. Default false.'),
    excluded_namespaces: z
      .array(z.string())
      .default(SYSTEM)
      .describe(`Leave the pods of these namespaces alone. Default: ${SYSTEM.map((one) => `\`${one}\``).join(', ')}.`),
    max_wait_period: z
      .int()
      .nonnegative()
      .default(20)
      .describe(
        'Seconds to go on asking where an eviction is refused for now, and to wait until the pods are gone. 0 asks once and waits for nothing. Default 20.',
      ),
    wait_period_excluded_namespaces: z
      .array(z.string())
      .default([])
      .describe('The pods of these namespaces are evicted, but not waited for. Default none.'),
  })
  .refine(...fixed('excluded_namespaces'))
  .refine(...fixed('wait_period_excluded_namespaces'))

type Params = z.output<typeof params>

/**
 * Evicts the pods of the event's node, as disruption budgets allow it. Parameters are named as Falco Talon names them.
 * @example drain({ min_healthy_replicas: '50%', max_wait_period: 120 })
 */
export const drain = defineAction({
  type: 'kubernetes:drain',
  summary: 'Closes the node of the event to new pods and evicts those that run there.',
  notes: [
    'The node is the one that the pod runs on; for a process of the host, the one that has its name.',
    'Evictions go one by one through the Eviction API, each under the uid of its pod. What a PodDisruptionBudget or `min_healthy_replicas` forbids is asked for again until `max_wait_period` is over. Where the step sets no `timeout`, it has 30 seconds more than that.',
    'The guard judges the node and each pod. A pod that it protects is skipped, as are static pods, pods that have finished, and the pod that drains.',
    'The output has a line for each pod: evicted, gone, skipped or left, and why. A drain that is cut short tells in its error what it had evicted.',
  ].join('\n'),
  config: params,
  changes: 'destructive',
  done: 'repeatable',
  target: nodeSubject,
  dryRun: true,
  timeout: ({ max_wait_period }) => (max_wait_period + 30) * 1_000,
  permissions: (settings) => [
    ...nodePermissions,
    ...ownerPermissions,
    ...(settings.cordon ? schedulingPermissions : []),
    ...evictPermissions,
    ...sparingPermissions(settings),
  ],
  example: { min_healthy_replicas: '50%', max_wait_period: 20, grace_period_seconds: 10 },
  async run(settings, step): Promise<Result> {
    const { name: node } = nodeOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    if (settings.cordon) await setUnschedulable(true, step, clients)
    const task = { clients, node, settings, step }
    const fates = await fatesOn(task)
    await drainPods(fates, task).catch((error: unknown) => {
      throw step.signal.aborted ? cutShort(fates, task) : error
    })
    return conclude(fates, { node, settings, dryRun: step.dryRun })
  },
})

const cutShort = (fates: readonly Fate[], { node, step }: Task): YarakError => {
  const evicted = fates.filter((fate) => fate.evicted).map(nameOf)
  const done = evicted.length > 0 ? `evicted until then: ${evicted.join(' ')}` : 'nothing was evicted until then'
  return new YarakError('interrupted', `node ${node} is not drained, ${done}`, { cause: step.signal.reason })
}

interface Drained {
  readonly node: string
  readonly settings: Params
  readonly dryRun: boolean
}

const conclude = (fates: readonly Fate[], { node, settings, dryRun }: Drained): Result => {
  const evicted = fates.filter((fate) => fate.evicted)
  const left = fates.filter(isLeft)
  const refusal = left.find(({ error }) => error?.code === 'refused')?.error
  // The account may not evict, or admission forbids it: that says more than a count.
  if (refusal && evicted.length === 0) throw refusal
  const counts = `${evicted.length} evicted, ${fates.filter(isSpared).length} skipped, ${left.length} left`
  if (left.length > 0 && !settings.ignore_errors && !dryRun) {
    const some = left.slice(0, 5).map((fate) => `${nameOf(fate)} (${fate.why})`)
    throw new YarakError('failed', `node ${node} is not drained: ${counts}: ${some.join('; ')}`, {
      reason: 'not-drained',
    })
  }
  const pods = evicted.map(nameOf).join(' ')
  return {
    summary: `${dryRun ? 'would drain' : 'drained'} node ${node}: ${counts}`,
    objects: { node, ...(pods && { pods }) },
    output: fates.map(lineOf).join('\n'),
  }
}

const nameOf = ({ pod }: Fate): string => `${pod.namespace}/${pod.name}`

/** Also what `min_healthy_replicas` forbade to the end, which is no error. */
const isSpared = ({ state, error }: Fate): boolean => state === 'skipped' || (state === 'waiting' && !error)

const isLeft = (fate: Fate): boolean => fate.state !== 'done' && !isSpared(fate)

const lineOf = (fate: Fate): string => {
  if (fate.evicted && fate.state === 'done') return `evicted ${nameOf(fate)}`
  if (fate.state === 'done') return `gone ${nameOf(fate)}`
  return `${isSpared(fate) ? 'skipped' : 'left'} ${nameOf(fate)}: ${fate.why}`
}
