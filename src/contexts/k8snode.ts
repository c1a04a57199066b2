import type { V1Node } from '@kubernetes/client-node'
import { type ContextAbout, defineContext, z } from '../plugin.ts'
import type { Clients } from '../resources/kubernetes.ts'
import { checkedName, clientsOf, livePod, refused } from './_pod.ts'

/**
 * What the cluster knows of the node that the event happened on. Falco Talon has it under the same name.
 * @example `with: { message: 'in {{ context.k8snode.topology.zone }}' }`
 */
export const k8snode = defineContext({
  type: 'k8snode',
  summary: 'What the cluster knows of the node of the event: labels, addresses, zone, instance type.',
  notes: [
    'Members: `hostname`, `instancetype`, `role`, `topology.region`, `topology.zone`, `spec.providerid`, as Falco Talon names them (there with `node.` before), and `name`, `internal_ip`, `external_ip`, `labels`. What the node does not have is absent.',
    'It is the node of the pod; of an event that names no pod, that of `k8s.node.name` or the hostname.',
  ].join('\n'),
  config: z.strictObject({}),
  permissions: [
    { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
    { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
  ],
  async lookup(_config, about, io) {
    const clients = await clientsOf(io, about)
    return membersOf(await clients.core.readNode({ name: await nodeOf(clients, about) }))
  },
})

const nodeOf = async (clients: Clients, about: ContextAbout): Promise<string> => {
  const pod = await livePod(clients, about)
  const { node } = about.target
  if (pod?.spec?.nodeName) return pod.spec.nodeName
  if (!pod && node) return checkedName('node', node)
  throw refused('no-target', pod ? 'the pod of the event has no node yet' : 'the event names neither a pod nor a node')
}

const ROLE = 'node-role.kubernetes.io/'

/** @see https://kubernetes.io/docs/reference/labels-annotations-taints/ */
const membersOf = ({ metadata, spec, status }: V1Node): Readonly<Record<string, unknown>> => {
  const { name, labels = {} } = metadata ?? {}
  const address = (type: string) => status?.addresses?.find((one) => one.type === type)?.address
  const roleKey = Object.keys(labels).find((key) => key.startsWith(ROLE))
  return {
    name,
    hostname: labels['kubernetes.io/hostname'],
    instancetype: labels['node.kubernetes.io/instance-type'],
    role: labels['kubernetes.io/role'] ?? roleKey?.slice(ROLE.length),
    topology: { region: labels['topology.kubernetes.io/region'], zone: labels['topology.kubernetes.io/zone'] },
    spec: { providerid: spec?.providerID },
    internal_ip: address('InternalIP'),
    external_ip: address('ExternalIP'),
    labels,
  }
}
