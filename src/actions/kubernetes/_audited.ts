/** What an event of the Kubernetes audit log is about, when that is the target itself. */
import type { Resolver } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { refused } from './_identity.ts'
import { isNamespace, isPathSegment } from './_names.ts'
import { replicasOf } from './_owners.ts'
import { isResourceName, type Kind, RESOURCES } from './_resources.ts'
import { podSubject } from './resolve.ts'
import { subjectFrom } from './_subject.ts'

/**
 * The live object that an event of the audit log is about, a pod too; undefined for any other event.
 * @throws YarakError `gone` when it is not there any more; `refused` with the reason `unsupported` (a resource that is not
 * known here), `bad-name`, or for a pod what {@link podSubject} says
 */
export const objectSubject: Resolver = async (target, io, event) => {
  const { resource, group, namespace = '', name } = target
  if (resource === undefined || name === undefined) return undefined
  const kind: Kind | undefined = isResourceName(resource) ? RESOURCES[resource] : undefined
  if (!kind || (group !== undefined && group !== (kind.group || 'core'))) {
    throw refused('unsupported', `${[resource, group].filter(Boolean).join('.')} are not known here`)
  }
  if (!isPathSegment(name) || !(kind.clusterWide || isNamespace(namespace))) {
    throw refused('bad-name', 'the name or namespace in the event is not a valid Kubernetes name')
  }
  if (resource === 'pods') return podSubject(target, io, event)
  const live = await kind.read((await io.use(kubernetes)).as(io), { namespace, name })
  const replicas = replicasOf(kind.kind, live)
  return { ...subjectFrom(kind.kind, live.metadata ?? {}), ...(replicas && { replicas }) }
}
