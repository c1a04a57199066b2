import { defineAction, messageOf, type Result, YarakError, z } from '../../plugin.ts'
import { apiPath, type Clients, kubernetes } from '../../resources/kubernetes.ts'
import { nodeNameOf, readPod } from './_read-pod.ts'
import { isNamespace } from './_names.ts'
import { podOf, podPermissions, type PodSubject, podSubject } from './resolve.ts'

const params = z.strictObject({
  container: z
    .string()
    .refine(isNamespace, 'must be the name of a container')
    .optional()
    .describe('Only this container. Default: every one of the pod.'),
})

/**
 * Writes the memory and the state of the containers of the pod of the event into files on its node; they run on.
 * @see https://kubernetes.io/docs/reference/node/kubelet-checkpoint-api/
 * @example checkpoint({ container: 'web' })
 */
export const checkpoint = defineAction({
  type: 'kubernetes:checkpoint',
  summary: 'Writes the memory and state of the containers of the pod of the event into files on its node.',
  notes: [
    'The node needs a container runtime that can checkpoint, and the feature `ContainerCheckpoint` of the kubelet. The files stay on the node, under `/var/lib/kubelet/checkpoints`; they hold the secrets of the processes. Each is named in the result, and nothing takes them away.',
    'It needs `create` on `nodes/proxy`, by which everything can be asked of a kubelet, commands in any container too: `yarak rbac` prints that right apart.',
    'Not run on a real kubelet: its answers are played as it documents them.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  concurrency: 4,
  target: podSubject,
  timeout: 120_000,
  permissions: [
    ...podPermissions,
    {
      apiGroups: [''],
      resources: ['nodes/proxy'],
      verbs: ['create'],
      warning: 'whoever has it can ask a kubelet for everything, e.g. to run a command in any container of the node',
    },
  ],
  example: { container: 'web' },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    const live = await readPod(clients, pod)
    const node = nodeNameOf(live)
    const all = live.spec?.containers.map(({ name }) => name) ?? []
    const containers = settings.container ? [settings.container] : all
    const files: string[] = []
    for (const name of containers) files.push(...(await checkpointOf(name, { node, pod, clients })))
    const many = files.length === 1 ? 'a checkpoint' : `${files.length} checkpoints`
    return {
      summary: `wrote ${many} of pod ${pod.namespace}/${pod.name} on node ${node}`,
      objects: { pod: pod.name, namespace: pod.namespace, node },
      output: files.join('\n'),
    }
  },
})

interface Where {
  readonly node: string
  readonly pod: PodSubject
  readonly clients: Clients
}

/** The paths of the files. One after another: a checkpoint holds its container still. */
const checkpointOf = async (name: string, { node, pod, clients }: Where): Promise<readonly string[]> => {
  const path = apiPath('v1', 'nodes', node, 'proxy', 'checkpoint', pod.namespace, pod.name, name)
  try {
    const { items = [] } = (await clients.send({ method: 'POST', path })) as { items?: readonly string[] }
    return items.map(String)
  } catch (error) {
    throw explained(error, name, node)
  }
}

/** A kubelet that cannot checkpoint answers 404, as it does for a container that is not there; 500: its runtime cannot. */
const explained = (error: unknown, container: string, node: string): unknown => {
  if (!(error instanceof YarakError) || error.code === 'refused' || error.code === 'interrupted') return error
  if (error.code !== 'gone' && error.code !== 'failed' && error.reason !== 'internal') return error
  const text = `the kubelet of node ${node} wrote no checkpoint of ${container}: it, or its container runtime, cannot`
  return new YarakError('failed', `${text} (${messageOf(error)})`, {
    cause: error,
    permanent: true,
    reason: 'no-checkpoint',
  })
}
