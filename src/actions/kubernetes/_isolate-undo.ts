/** How an isolation is taken back. */
import type { Result, Undo, Undoable, UndoStep } from '../../plugin.ts'
import { apiPath, type Clients, kubernetes } from '../../resources/kubernetes.ts'
import { ENFORCER, LENS, policyOf } from './_isolate.ts'
import { ISOLATED } from './_isolate-rules.ts'
import { unlessGone } from './_object.ts'
import { POLICIES, type Policy } from './_policy.ts'
import { undoValues, type Values } from './_undo.ts'

/** Puts the labels back, then deletes the policy, which selects nothing any more; not while the pod is still isolated. */
export const undoIsolation = async (change: Undoable, step: UndoStep): Promise<Result> => {
  const { summary } = await undoLabels(change, step)
  const clients = (await step.use(kubernetes)).as(step)
  const { namespace = '', name, uid } = change.object
  const pod = (await clients.send({
    method: 'GET',
    path: apiPath('v1', 'namespaces', namespace, 'pods', name),
  })) as Policy
  if (pod.metadata.labels?.[ISOLATED] !== undefined) return { summary: `${summary}; it stays isolated` }
  await deletePolicy(clients, namespace, policyOf(uid), enforcerIn(change))
  return { summary }
}

const undoLabels: Undo['run'] = undoValues(() => LENS)

const enforcerIn = ({ made }: Undoable): keyof typeof POLICIES => {
  const name = (made as Values)[`annotations ${ENFORCER}`]
  return name === 'calico' || name === 'cilium' ? name : 'kubernetes'
}

/** Only one that we made. */
const deletePolicy = async (
  { send }: Clients,
  namespace: string,
  name: string,
  enforcer: keyof typeof POLICIES,
): Promise<void> => {
  const { apiVersion, resource } = POLICIES[enforcer]
  const path = apiPath(apiVersion, 'namespaces', namespace, resource, name)
  const policy = await unlessGone<Policy | undefined>(send({ method: 'GET', path }) as Promise<Policy>, undefined)
  if (policy?.metadata.labels?.[ISOLATED] === undefined) return
  await unlessGone(send({ method: 'DELETE', path, body: { preconditions: { uid: policy.metadata.uid } } }), undefined)
}
