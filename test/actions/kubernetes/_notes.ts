/** What is noted on objects of a fake cluster, and the undoing of it as the engine does it. */
import type { Action, Undoable } from '../../../src/plugin.ts'
import { notesOn } from '../../../src/resources/kubernetes.ts'
import { type FakeCluster, type KubeObject } from '../../fake-cluster.ts'
import { aStep } from '../step.ts'
import { aPodStep } from './world.ts'

/** Labels or annotations without those of notes. */
export const unnoted = (values: Readonly<Record<string, string>> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(values ?? {}).filter(([key]) => !/^yarak\.dev\/(?:response$|undo\.)/.test(key)))

/** The notes on an object. */
export const notesOf = (object: KubeObject | undefined) => [
  ...notesOn({ metadata: { uid: '', ...(object?.metadata ?? { name: '' }) } }).values(),
]

/** What the action can undo in the cluster. */
export const undoablesOf = async (cluster: FakeCluster, action: Action): Promise<readonly Undoable[]> => {
  const { step } = await aPodStep(cluster)
  const resource = action.undo?.in
  const undos = resource?.undos?.(await step.use(resource), step)
  return (await undos?.list(action.undo?.on ?? [])) ?? []
}

/** Takes a change back; gives the summary. */
export const undoing = async (cluster: FakeCluster, action: Action, change: Undoable): Promise<string | undefined> => {
  const { step } = await aStep({ resources: { kubernetes: { kubeconfig: cluster.kubeconfig } } })
  return (await action.undo?.run(change, { ...step, traceparent: undefined }))?.summary
}

/** Takes the first change back that is noted. */
export const undoFirst = async (cluster: FakeCluster, action: Action): Promise<string | undefined> => {
  const [change] = await undoablesOf(cluster, action)
  return change && undoing(cluster, action, change)
}

/** The options of a step of another response. */
export const ofResponse = (id: string, more: { step?: string; rule?: string } = {}) => ({
  response: { id, rule: 'React', step: 'act', traceparent: undefined, ...more },
})
