/** The live pod that a context is looked up for. */
import type { V1Pod } from '@kubernetes/client-node'
import { type ContextAbout, type Io, YarakError } from '../plugin.ts'
import { type Clients, kubernetes } from '../resources/kubernetes.ts'

/** The clients, bound to the lookup. */
export const clientsOf = async (io: Io, { signal }: ContextAbout): Promise<Clients> =>
  (await io.use(kubernetes)).as({ call: io.call, signal })

const NAME = /^(?!.*\.\.)[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/

/** A name of an event is not yet a name of Kubernetes; only such ones become a part of a path. */
export const checkedName = (what: string, name: string): string => {
  if (NAME.test(name)) return name
  throw refused('bad-name', `the ${what} in the event is not a valid Kubernetes name`)
}

/**
 * The pod that the event names, if it is still the same; undefined: it names none.
 * @throws YarakError `gone`; `refused` with the reason `changed` or `bad-name`
 */
export const livePod = async ({ core }: Clients, { target }: ContextAbout): Promise<V1Pod | undefined> => {
  if (target.host || !target.namespace || !target.pod) return undefined
  const namespace = checkedName('namespace', target.namespace)
  const pod = await core.readNamespacedPod({ namespace, name: checkedName('pod', target.pod) })
  if (target.podUid === undefined || target.podUid === pod.metadata?.uid) return pod
  throw refused('changed', `pod ${namespace}/${target.pod} is not the one of the event: its uid is another`)
}

export const refused = (reason: string, message: string): YarakError =>
  new YarakError('refused', message, { permanent: true, reason })
