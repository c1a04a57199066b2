/** Retina's annotation: what carries it, and how many. */
import type { V1ObjectMeta } from '@kubernetes/client-node'
import { type Subject, type UndoKind, YarakError } from '../../plugin.ts'
import { apiPath, type Clients, type Live, notesOn } from '../../resources/kubernetes.ts'
import { listPods, type PodSubject } from '../kubernetes/resolve.ts'
import { subjectFrom } from '../kubernetes/_subject.ts'
import { type Lens, PODS } from '../kubernetes/_undo.ts'

export const OBSERVE = 'retina:observe'
export const NAMESPACES: UndoKind = { apiVersion: 'v1', resource: 'namespaces' }

/** @see https://retina.sh/docs/Metrics/annotations */
const KEY = 'retina.sh'
export const VALUES = { [KEY]: 'observe' }

export type Level = 'pod' | 'namespace'

export const LENS: Lens = {
  read: ({ metadata }, names) => Object.fromEntries(names.map((name) => [name, metadata.annotations?.[name] ?? null])),
  patch: (values) => ({ metadata: { annotations: values } }),
}

type Annotated = Pick<V1ObjectMeta, 'annotations'>

const isObserved = (metadata: Annotated | undefined): boolean => metadata?.annotations?.[KEY] === VALUES[KEY]

/** What is to be annotated. */
export interface Place {
  readonly path: string
  readonly live: Live
  readonly subject: Subject
  /** For summaries. */
  readonly id: string
}

export const readPlace = async ({ send }: Clients, pod: PodSubject, level: Level): Promise<Place> => {
  const { namespace, name } = pod
  const isPod = level === 'pod'
  const path = isPod
    ? apiPath(PODS.apiVersion, 'namespaces', namespace, PODS.resource, name)
    : apiPath(NAMESPACES.apiVersion, NAMESPACES.resource, namespace)
  const live = (await send({ method: 'GET', path })) as Live
  return {
    ...{ path, live },
    subject: isPod ? pod : subjectFrom('Namespace', live.metadata),
    id: isPod ? `pod ${namespace}/${name}` : `namespace ${namespace}`,
  }
}

/** Observed because somebody else wants it. */
export const isOthers = (live: Live): boolean =>
  isObserved(live.metadata) && ![...notesOn(live).values()].some(({ action }) => action === OBSERVE)

interface Room {
  readonly level: Level
  /** The most pods. */
  readonly max: number
  /** Where they are looked for; undefined: everywhere. */
  readonly namespaces: readonly string[] | undefined
}

/**
 * @throws YarakError `refused` with the reason `too-many-observed` when there would be more than `max`
 */
export const checkRoom = async (
  { core }: Clients,
  { namespace, uid }: PodSubject,
  { level, max, namespaces }: Room,
): Promise<void> => {
  const lists = (namespaces ?? [undefined]).map((one) => listPods(core, undefined, one))
  const pods = (await Promise.all(lists)).flat()
  const whole = level === 'pod' ? [] : [namespace, ...(await observedNamespaces(core))]
  const counted = pods.filter(
    ({ metadata = {} }) =>
      isObserved(metadata) || metadata.uid === uid || whole.some((name) => name === metadata.namespace),
  )
  if (counted.length <= max) return
  throw new YarakError('refused', `${counted.length} pods would be observed, and max is ${max}`, {
    permanent: true,
    reason: 'too-many-observed',
  })
}

const observedNamespaces = async (core: Clients['core']): Promise<(string | undefined)[]> =>
  (await core.listNamespace()).items.flatMap(({ metadata }) => (isObserved(metadata) ? [metadata?.name] : []))
