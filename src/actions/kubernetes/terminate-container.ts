import type { V1ContainerStatus, V1Pod } from '@kubernetes/client-node'
import { defineAction, type Result, type Step, YarakError, z } from '../../plugin.ts'
import { type Cluster, kubernetes } from '../../resources/kubernetes.ts'
import { wholly } from './_exec.ts'
import { nodeNameOf, readPod } from './_read-pod.ts'
import { jobPermissions, withHelper } from './_helper-job.ts'
import { refused } from './_identity.ts'
import { isNamespace } from './_names.ts'
import { podOf, podPermissions, type PodSubject, podSubject } from './resolve.ts'

const params = z.strictObject({
  container: z
    .string()
    .refine(isNamespace, 'must be the name of a container')
    .optional()
    .describe('Name of the container. Default: that of the event.'),
  grace_period_seconds: z
    .int()
    .min(0)
    .max(300)
    .default(10)
    .describe('Seconds it has to stop by itself; 0 kills it at once. Default 10.'),
})

/** Milliseconds that the helper may take to start, beside the grace period. */
const MARGIN = 90_000

/**
 * Stops one container of the pod of the event; its pod stays, and starts it anew as its restart policy says.
 * @example terminateContainer({ grace_period_seconds: 0 })
 */
export const terminateContainer = defineAction({
  type: 'kubernetes:terminate-container',
  summary: 'Stops exactly the container of the event; the rest of its pod goes on.',
  notes: [
    'The API of Kubernetes can end a pod, not a container. A short-lived helper pod on the node, in the namespace that Yarak runs in, asks the container runtime (`crictl stop`) to stop that id. It mounts the socket of the runtime, which is power over the whole node: so it is off, and refused with `needs-node-helper`, until `resources: { kubernetes: { nodeHelper: { enabled: true, image: ... } } }` says otherwise. The pod is never deleted instead.',
    'Not run on a real kubelet: the requests are proven on a real API server.',
  ].join('\n'),
  config: params,
  changes: 'destructive',
  done: 'repeatable',
  dryRun: true,
  concurrency: 4,
  target: podSubject,
  timeout: ({ grace_period_seconds }) => grace_period_seconds * 1_000 + MARGIN,
  permissions: [...podPermissions, ...jobPermissions],
  example: { grace_period_seconds: 5 },
  async run({ container, grace_period_seconds }, step): Promise<Result> {
    const pod = podOf(step)
    const cluster = await step.use(kubernetes)
    const image = helperImage(cluster)
    const clients = cluster.as(step)
    const live = await readPod(clients, pod)
    const found = containerIn(live, container, step, pod)
    const { socket, id } = runtimeOf(found)
    const lifetime = grace_period_seconds * 1_000 + MARGIN
    const helper = { what: 'stop', lifetime, spec: specFor(image, socket, nodeNameOf(live)) }
    const command = crictl(socket, 'stop', '--timeout', String(grace_period_seconds), id)
    const done = await withHelper(helper, { cluster, clients, step }, (at) =>
      clients.exec({ namespace: at.namespace, pod: at.pod, container: CONTAINER, command }, async (output) => {
        for await (const _said of wholly(output, 'crictl'));
        return true
      }),
    )
    const what = `container ${found.name} of pod ${pod.namespace}/${pod.name}`
    return {
      summary: `${done ? 'stopped' : 'would stop'} ${what}`,
      objects: { pod: pod.name, namespace: pod.namespace, container: found.name, 'container.id': id },
    }
  },
})

const helperImage = ({ nodeHelper: { enabled, image } }: Cluster): string => {
  if (enabled && image !== undefined) return image
  throw refused(
    'needs-node-helper',
    'no API stops one container: set nodeHelper of the kubernetes resource to allow a helper pod on the node',
  )
}

/** The one of the given name, else the one whose id the event has. */
const containerIn = (
  { status }: V1Pod,
  wanted: string | undefined,
  { target }: Pick<Step, 'target'>,
  { namespace, name }: PodSubject,
): V1ContainerStatus => {
  const all = [...(status?.containerStatuses ?? []), ...(status?.ephemeralContainerStatuses ?? [])]
  const found = all.find((one) =>
    wanted === undefined ? target.container && idOf(one)?.startsWith(target.container) : one.name === wanted,
  )
  if (found?.state && !found.state.running) {
    throw new YarakError('gone', `container ${found.name} does not run any more`, { permanent: true })
  }
  if (found) return found
  const which = wanted ?? (target.container ? `with the id ${target.container}` : 'of the event, which names none')
  throw new YarakError('gone', `pod ${namespace}/${name} has no container ${which}`, { permanent: true })
}

const idOf = ({ containerID }: V1ContainerStatus): string | undefined => containerID?.replace(/^[^:]*:\/\//, '')

const SOCKETS: Readonly<Record<string, string>> = {
  containerd: '/run/containerd/containerd.sock',
  'cri-o': '/run/crio/crio.sock',
  docker: '/run/cri-dockerd.sock',
}

const runtimeOf = ({ name, containerID = '' }: V1ContainerStatus) => {
  const [, runtime = '', id = ''] = /^([a-z-]+):\/\/([0-9a-f]{64})$/.exec(containerID) ?? []
  const socket = SOCKETS[runtime]
  if (socket) return { socket, id }
  throw refused('unknown-runtime', `container ${name} has the id ${containerID.slice(0, 80)}, of no runtime known here`)
}

const CONTAINER = 'stop'

const crictl = (socket: string, ...args: readonly string[]): readonly string[] => [
  'crictl',
  '--runtime-endpoint',
  `unix://${socket}`,
  ...args,
]

const specFor = (image: string, socket: string, nodeName: string) => {
  const resources = { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '200m', memory: '64Mi' } }
  return {
    nodeName,
    containers: [
      {
        name: CONTAINER,
        image,
        command: ['sleep', '3600'],
        resources,
        securityContext: {
          runAsUser: 0,
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
          seccompProfile: { type: 'RuntimeDefault' },
        },
        volumeMounts: [{ name: 'runtime', mountPath: socket }],
      },
    ],
    volumes: [{ name: 'runtime', hostPath: { path: socket, type: 'Socket' } }],
  }
}
