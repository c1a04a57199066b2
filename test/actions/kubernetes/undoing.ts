/** Undoes what a step has noted on an object of the fake cluster. */
import type { Action, Result, UndoKind } from '../../../src/plugin.ts'
import { undoablesOf, type Live } from '../../../src/resources/_kube-note.ts'
import type { FakeCluster, Kind } from '../../fake-cluster.ts'
import { aPodStep } from './world.ts'

export interface Noted {
  readonly kind: Kind
  readonly namespace?: string
  readonly name: string
}

/** The changes noted on it, oldest first. */
export const notedOn = (cluster: FakeCluster, on: UndoKind, { kind, namespace = 'shop', name }: Noted) =>
  undoablesOf({ ...on, kind }, cluster.get(kind, namespace, name) as Live).sort((a, b) => (a.at < b.at ? -1 : 1))

/** Undoes the oldest change that is noted. */
export const undoFirst = async (cluster: FakeCluster, action: Action, noted: Noted): Promise<Result> => {
  const kinds = action.undo?.on ?? []
  const change = kinds.flatMap((on) => notedOn(cluster, on, noted))[0]
  if (!change || !action.undo) throw new Error('nothing is noted')
  const on = kinds.find(({ resource }) => resource === PLURALS[noted.kind]) ?? kinds[0]
  const { step } = await aPodStep(cluster)
  const undoStep = { ...step, traceparent: undefined }
  return action.undo.run({ ...change, object: { ...change.object, ...on } }, undoStep)
}

const PLURALS: Readonly<Partial<Record<Kind, string>>> = { Pod: 'pods', Namespace: 'namespaces' }
