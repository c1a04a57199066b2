/** Events in the cluster, about the pod: `kubectl describe` and `kubectl events` show them. */
import { defineOutput, type Notice, targetOf, z } from '../src/plugin.ts'
import { apiPath, type Clients, kubernetes } from '../src/resources/kubernetes.ts'
import { unlessAborted } from './_connection.ts'
import { isReason, isWithoutNamespace } from './_kube.ts'
import {
  aboutNamespace,
  type KubeEvent,
  kubeEvent,
  type Place,
  placeOf,
  type Regarding,
  type Series,
} from './_kube-event.ts'
import { serial } from './_serial.ts'

const API = 'events.k8s.io/v1'

type Send = Clients['send']

interface Kept {
  readonly namespace: string
  readonly name: string
  readonly series: Series
  /** Milliseconds. */
  readonly at: number
}

/** As Kubernetes' own components do: what is the same within six minutes is counted. */
const WINDOW = 360_000
const MAX_KEPT = 1_000

/** The same alert about the same thing; the series of a digest is its own. */
const keyOf = ({ metadata: { namespace }, regarding, type, reason, action, note }: KubeEvent): string =>
  JSON.stringify([namespace, regarding, type, reason, action, note])

const withUid = async (send: Send, regarding: Regarding): Promise<Regarding> => {
  const { kind, namespace, name, uid } = regarding
  if (kind !== 'Pod' || uid) return regarding
  try {
    const pod = await send({ method: 'GET', path: apiPath('v1', 'namespaces', namespace, 'pods', name) })
    return { ...regarding, uid: (pod as { metadata: { uid: string } }).metadata.uid }
  } catch (error) {
    if (isReason(error, 'not-found')) return regarding
    throw error
  }
}

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/

/** What the event claims is taken for a name only when it can be one. */
const claimed = ({ event }: Notice, own: string): Place => {
  const { namespace, pod, podUid, node } = targetOf(event)
  const valid = (name: string | undefined) => (name && NAME.test(name) ? name : undefined)
  return placeOf({ namespace: valid(namespace), pod: valid(pod), podUid: valid(podUid), node: valid(node) }, own)
}

/** One of this name was written by an earlier try. */
const create = async (send: Send, body: KubeEvent): Promise<void> => {
  const path = apiPath(API, 'namespaces', body.metadata.namespace, 'events')
  try {
    await send({ method: 'POST', path, query: { fieldManager: 'yarak' }, body })
  } catch (error) {
    if (!isReason(error, 'already-exists')) throw error
  }
}

/** @returns whether the Event is still there to be counted on */
const count = async (send: Send, { namespace, name, series }: Kept): Promise<boolean> => {
  const path = apiPath(API, 'namespaces', namespace, 'events', name)
  const contentType = 'application/merge-patch+json'
  try {
    await send({ method: 'PATCH', path, contentType, query: { fieldManager: 'yarak' }, body: { series } })
    return true
  } catch (error) {
    if (isReason(error, 'not-found')) return false
    throw error
  }
}

/** Writes Events, and remembers the last of them. */
const createWriter = () => {
  const kept = new Map<string, Kept>()
  const keep = (key: string, one: Kept): void => {
    kept.delete(key)
    kept.set(key, one)
    if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value ?? '')
  }
  const again = async (send: Send, key: string, { eventTime }: KubeEvent): Promise<boolean> => {
    const before = kept.get(key)
    if (!before || Date.now() - before.at > WINDOW) return false
    const series = { count: before.series.count + 1, lastObservedTime: eventTime }
    const next = { ...before, series, at: Date.now() }
    const isCounted = await count(send, next)
    if (isCounted) keep(key, next)
    return isCounted
  }
  return async (send: Send, event: KubeEvent): Promise<void> => {
    if (event.series) return create(send, event)
    const key = keyOf(event)
    if (await again(send, key, event)) return
    await create(send, event)
    keep(key, { ...event.metadata, series: { count: 1, lastObservedTime: event.eventTime }, at: Date.now() })
  }
}

/**
 * Writes an Event about the pod of each notice.
 *
 * Source: the notifier `k8sevents` of Falco Talon;
 * https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
 * @example k8sevents({})
 */
export const k8sevents = defineOutput({
  type: 'k8sevents',
  summary: 'Writes Kubernetes Events about the pod, for kubectl describe and kubectl events.',
  notes: `
An Event of \`events.k8s.io/v1\` in the namespace of the pod, in the cluster of the resource \`kubernetes\`. It is about
the pod, with its uid; of an event that names no pod about the node, in the namespace \`default\`, else about the
namespace. Where the namespace does not exist it is in that of Yarak, about that, and its note names the pod.

Of an alert: \`reason\` is the rule as one word, \`action\` is Alert, the type is Warning from the priority Warning on. Of
the report of a response: \`reason\` is rule and outcome, \`action\` the actions of its steps, the type Normal when it
succeeded or was skipped; the note has the steps, the duration, the trace and how it is undone. A note is one line of at
most 1,024 bytes. The same alert about the same thing within six minutes raises the count of its Event; a digest is one
Event with its count. API servers forget Events, by default after an hour.

| API group | Resources | Verbs |
|---|---|---|
| core | \`pods\` | get |
| events.k8s.io | \`events\` | create, patch |

Differences from Falco Talon: Events of alerts too; \`reason\` is one word, and the type Warning when something failed;
the note is cut between characters.
`.trim(),
  config: z.strictObject({}),
  permissions: [
    { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
    { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
  ],
  preview: (notice) => kubeEvent(notice, claimed(notice, 'default')),
  open: (_config, io) => {
    const write = createWriter()
    const inTurn = serial()
    const tell = async (notice: Notice, signal: AbortSignal): Promise<void> => {
      signal.throwIfAborted()
      const cluster = await io.use(kubernetes)
      const { send } = cluster.as({ call: io.call, signal })
      const place = claimed(notice, cluster.namespace)
      const regarding = await withUid(send, place.regarding)
      try {
        await write(send, kubeEvent(notice, { ...place, regarding }))
      } catch (error) {
        if (!isWithoutNamespace(error) || place.namespace === cluster.namespace) throw error
        await write(send, kubeEvent(notice, aboutNamespace(cluster.namespace), regarding))
      }
    }
    return {
      async send(notices, signal) {
        for (const notice of notices) {
          await unlessAborted(signal, 'the Event', () => inTurn(() => tell(notice, signal)))
        }
      },
    }
  },
  example: { config: {} },
})
