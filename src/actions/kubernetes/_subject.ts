/** A live object as guards judge it. */
import type { V1ObjectMeta } from '@kubernetes/client-node'
import type { Subject } from '../../plugin.ts'

/** The key is `<kind>[/<namespace>]/<name>`; of the owners the controller comes first. */
export const subjectFrom = (kind: string, metadata: V1ObjectMeta): Subject => {
  const { namespace, name, uid, labels, ownerReferences = [] } = metadata
  return {
    kind,
    key: [kind.toLowerCase(), ...(namespace ? [namespace] : []), name].join('/'),
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(uid && { uid }),
    labels: { ...labels },
    owners: [...ownerReferences]
      .sort((a, b) => Number(b.controller ?? false) - Number(a.controller ?? false))
      .map((owner) => ({ kind: owner.kind, name: owner.name, uid: owner.uid })),
  }
}
