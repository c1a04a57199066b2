import { defineContext, z } from '../plugin.ts'
import { clientsOf, livePod, refused } from './_pod.ts'

/**
 * What the cluster knows of the pod of the event.
 * @example `with: { labels: { team: '{{ context.pod.labels.team | default: "none" | slug }}' } }`
 */
export const pod = defineContext({
  type: 'pod',
  summary: 'What the cluster knows of the pod of the event: labels, annotations, owner, service account, images.',
  notes:
    'Members: `name`, `namespace`, `uid`, `labels`, `annotations`, `owner` (`kind`, `name`, `uid` of its controller), `serviceAccount`, `node`, `ip`, `images`. What the pod does not have is absent; labels and annotations are then empty.',
  config: z.strictObject({}),
  permissions: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
  async lookup(_config, about, io) {
    const found = await livePod(await clientsOf(io, about), about)
    if (!found) throw refused('no-target', 'the event names no pod')
    const { metadata: { name, namespace, uid, labels, annotations, ownerReferences = [] } = {}, spec, status } = found
    const owner = ownerReferences.find(({ controller }) => controller)
    return {
      name,
      namespace,
      uid,
      labels: { ...labels },
      annotations: { ...annotations },
      owner: owner && { kind: owner.kind, name: owner.name, uid: owner.uid },
      serviceAccount: spec?.serviceAccountName,
      node: spec?.nodeName,
      ip: status?.podIP,
      images: (spec?.containers ?? []).map(({ image }) => image),
    }
  },
})
