/** The work of a drain: rounds of evictions over the pods that a node had when it began. */
import { setTimeout } from 'node:timers/promises'
import type { V1Pod } from '@kubernetes/client-node'
import { type Step, YarakError } from '../../plugin.ts'
import type { Clients } from '../../resources/kubernetes.ts'
import { evictPod } from './_evict.ts'
import { listPods, type PodSubject, subjectOf } from './resolve.ts'
import { type Climb, climber } from './_owners.ts'
import { countsReplicas, sparedByKind, type Sparing, tooFewReady } from './_sparing.ts'
import { type Workload, workloadOf } from './_workload.ts'

export interface DrainSettings extends Sparing {
  readonly grace_period_seconds?: number | undefined
  readonly excluded_namespaces: readonly string[]
  /** Seconds. */
  readonly max_wait_period: number
  readonly wait_period_excluded_namespaces: readonly string[]
}

export interface Task {
  readonly clients: Clients
  readonly node: string
  readonly settings: DrainSettings
  readonly step: Pick<Step, 'dryRun' | 'signal' | 'env' | 'judge'>
}

/** `waiting`: to be evicted; `leaving`: it ends but is still there. */
type State = 'skipped' | 'waiting' | 'leaving' | 'done'

/** What became of one pod. */
export interface Fate {
  readonly pod: PodSubject
  state: State
  /** The eviction was granted, or would be. */
  evicted: boolean
  /** The guard has allowed it. */
  judged: boolean
  /** Why it is skipped, or still there. */
  why: string
  error?: YarakError | undefined
}

/** The pods that a node has now; what comes to it later is not touched. */
export const fatesOn = async (task: Task): Promise<readonly Fate[]> =>
  (await podsOf(task)).map((pod) => firstFate(pod, task))

/** Evicts until nothing is left to do or the time is over. When the step is cut short, the fates tell how far it came. */
export const drainPods = async (fates: readonly Fate[], task: Task): Promise<void> => {
  const { settings, step, clients } = task
  const end = Date.now() + (step.dryRun ? 0 : settings.max_wait_period * 1_000)
  const climb = climber(clients)
  for (let round = 0; ; round++) {
    await evictWaiting(fates, climb, task)
    const rest = end - Date.now()
    if (rest <= 0 || !fates.some(isUnsettled)) return
    await setTimeout(Math.min(500 * 2 ** round, 5_000, rest), undefined, { signal: step.signal })
    await markGone(fates, task)
  }
}

const podsOf = ({ clients, node }: Task): Promise<readonly V1Pod[]> => listPods(clients.core, `spec.nodeName=${node}`)

const firstFate = (one: V1Pod, { settings, step }: Task): Fate => {
  const pod = subjectOf(one) as PodSubject
  const why = whySkipped(one, pod, settings, step)
  const untouched = { pod, evicted: false, judged: false }
  if (why) return { ...untouched, state: 'skipped', why }
  if (one.metadata?.deletionTimestamp) return { ...untouched, ...onItsWay(pod, settings) }
  return { ...untouched, state: 'waiting', why: 'not asked yet' }
}

const whySkipped = (
  pod: V1Pod,
  subject: PodSubject,
  settings: DrainSettings,
  { env }: Task['step'],
): string | undefined => {
  if (pod.metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined) return 'static-pod'
  if (['Succeeded', 'Failed'].includes(pod.status?.phase ?? '')) return 'finished'
  if (settings.excluded_namespaces.includes(subject.namespace)) return 'excluded-namespace'
  // In a cluster, the host name is the pod's name: who drains must live to finish it.
  if (env.KUBERNETES_SERVICE_HOST && env.HOSTNAME === subject.name) return 'self'
  return sparedByKind(settings, subject)?.reason
}

/** A pod that ends is waited for, unless its namespace is excluded from that. */
const onItsWay = ({ namespace }: PodSubject, settings: DrainSettings): Pick<Fate, 'state' | 'why'> => {
  const waits = settings.max_wait_period > 0 && !settings.wait_period_excluded_namespaces.includes(namespace)
  return { state: waits ? 'leaving' : 'done', why: 'it is still stopping' }
}

const isUnsettled = ({ state, error }: Fate): boolean =>
  state === 'leaving' || (state === 'waiting' && error?.permanent !== true)

const evictWaiting = async (fates: readonly Fate[], climb: Climb, task: Task): Promise<void> => {
  const health = healthOf(task)
  for (const fate of fates) {
    if (fate.state !== 'waiting' || !isUnsettled(fate)) continue
    if (await isAllowed(fate, climb, task)) await evictOne(fate, health, task)
  }
}

/** The guard is asked once about each pod, by its whole line of owners; one that it protects is skipped. */
const isAllowed = async (fate: Fate, climb: Climb, { step }: Task): Promise<boolean> => {
  if (fate.judged) return true
  try {
    await step.judge(await climb(fate.pod))
    fate.judged = true
  } catch (error) {
    if (!(error instanceof YarakError) || error.code !== 'refused') throw error
    become(fate, { state: 'skipped', why: error.reason })
  }
  return fate.judged
}

const evictOne = async (fate: Fate, health: Health, { clients, settings, step }: Task): Promise<void> => {
  try {
    const few = await health.tooFew(fate.pod)
    if (few) return become(fate, { why: few })
    await evictPod(clients, fate.pod, { dryRun: step.dryRun, grace: settings.grace_period_seconds })
    health.take(fate.pod)
    become(fate, { ...(step.dryRun ? { state: 'done' } : onItsWay(fate.pod, settings)), evicted: true })
  } catch (error) {
    if (!(error instanceof YarakError) || error.code === 'interrupted') throw error
    become(fate, error.code === 'gone' ? { state: 'done' } : { why: error.message, error })
  }
}

const become = (fate: Fate, change: Partial<Fate>): void => {
  Object.assign(fate, { error: undefined }, change)
}

const markGone = async (fates: readonly Fate[], task: Task): Promise<void> => {
  const there = new Set((await podsOf(task)).map(({ metadata }) => metadata?.uid))
  for (const fate of fates) if (fate.state !== 'skipped' && !there.has(fate.pod.uid)) become(fate, { state: 'done' })
}

interface Health {
  /** Why `min_healthy_replicas` forbids to take this pod now. */
  tooFew(pod: PodSubject): Promise<string | undefined>
  take(pod: PodSubject): void
}

/** Each workload is read once a round; what the round takes from it counts at once, before its status tells. */
const healthOf = ({ clients, settings: { min_healthy_replicas: wanted } }: Task): Health => {
  const workloads = new Map<string, Workload>()
  const keyOf = ({ namespace, owners }: PodSubject): string => `${owners?.[0]?.kind}/${namespace}/${owners?.[0]?.name}`
  return {
    async tooFew(pod) {
      if (wanted === undefined || !countsReplicas(pod)) return undefined
      const workload = workloads.get(keyOf(pod)) ?? (await workloadOf(clients, pod))
      workloads.set(keyOf(pod), workload)
      return tooFewReady(wanted, workload)?.message
    },
    take(pod) {
      const workload = workloads.get(keyOf(pod))
      if (!workload?.replicas) return
      const { desired, ready } = workload.replicas
      workloads.set(keyOf(pod), { ...workload, replicas: { desired, ready: Math.max(ready - 1, 0) } })
    },
  }
}
