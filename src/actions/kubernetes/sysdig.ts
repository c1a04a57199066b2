import { defineAction, type Result, size, type Step, z } from '../../plugin.ts'
import { type Clients, kubernetes } from '../../resources/kubernetes.ts'
import { fixed } from '../_fixed.ts'
import { wholly } from './_exec.ts'
import { nodeNameOf, readPod } from './_read-pod.ts'
import { saveStream } from './_exec-save.ts'
import { captureTime, image } from './_exec-settings.ts'
import { type Helping, jobPermissions, withHelper } from './_helper-job.ts'
import { type Capture, CONTAINER, FILE, specFor, sysdigCommand } from './_helper-sysdig.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'

const IMAGE = 'docker.io/sysdig/sysdig:0.38.1'

const params = z
  .strictObject({
    duration: captureTime(5, 300),
    buffer_size: z
      .int()
      .min(128)
      .max(65_536)
      .default(2048)
      .describe('Bytes of each read, write and other data that are kept. Default 2048.'),
    scope: z.enum(['pod', 'node']).default('pod').describe('Whose system calls: of the pod, or of its whole node.'),
    image: image
      .default(IMAGE)
      .describe(`Has \`sysdig\`, \`sleep\` and \`cat\`; name a mirror and a digest here. Default ${IMAGE}.`),
    max_size: size()
      .refine((bytes) => bytes >= 1024 ** 2, 'must be at least 1MiB')
      .prefault('500MiB')
      .describe('Room for the capture on the node; one over it is refused. Default 500MiB.'),
  })
  .refine(...fixed('scope'))
  .refine(...fixed('image'))
  .refine(...fixed('max_size'))

/** How long the image may take to come, and the capture to be taken away. */
const MARGIN = 120_000

/**
 * Captures the system calls of the pod of the event, or of its node, into the store of the step. Parameters are named as
 * Falco Talon names them.
 * @example { action: sysdig({ duration: '10s', scope: 'pod' }), store: 'aws.s3/evidence' }
 */
export const sysdig = defineAction({
  type: 'kubernetes:sysdig',
  summary: 'Captures the system calls of the pod of the event, or of its node, into the store of the step.',
  notes: [
    'A privileged helper pod on the node of the pod runs `sysdig` with the modern eBPF probe, in the namespace that Yarak runs in, never in that of the pod; it needs the Pod Security level `privileged` there. It is removed afterwards, and by the cluster itself when Yarak could not.',
    'With `scope: pod` the system calls of all containers of the pod are kept, of containerd or CRI-O.',
    'Not run on a real kubelet: the requests are proven on a real API server.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  dryRun: true,
  saves: 'always',
  concurrency: 4,
  target: podSubject,
  timeout: ({ duration }) => duration + MARGIN,
  permissions: [...podPermissions, ...jobPermissions],
  example: { duration: '10s', buffer_size: 2048, scope: 'pod' },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    const cluster = await step.use(kubernetes)
    const clients = cluster.as(step)
    const live = await readPod(clients, pod)
    const command = sysdigCommand(settings, live)
    const helper = { what: 'sysdig', lifetime: settings.duration + MARGIN, spec: specFor(settings, nodeNameOf(live)) }
    const of = settings.scope === 'node' ? `node ${nodeNameOf(live)}` : `pod ${pod.namespace}/${pod.name}`
    const what = `${settings.duration / 1_000} s of the system calls of ${of}`
    const objects = { pod: pod.name, namespace: pod.namespace, node: nodeNameOf(live) }
    const made = await withHelper(helper, { cluster, clients, step }, async (at) => ({
      job: at.job,
      artifact: await capture(command, settings, { at, clients, step }),
    }))
    if (!made) return { summary: `would capture ${what}`, objects }
    return {
      summary: `captured ${what}: ${made.artifact.size} bytes`,
      objects: { ...objects, job: made.job },
      artifacts: [made.artifact],
    }
  },
})

interface At {
  readonly at: Helping
  readonly clients: Clients
  readonly step: Step
}

/** Written on the node first: `sysdig` says other things on its standard output. */
const capture = async (command: readonly string[], { max_size }: Capture, { at, clients, step }: At) => {
  const where = { namespace: at.namespace, pod: at.pod, container: CONTAINER }
  await clients.exec({ ...where, command }, async (output) => {
    for await (const _said of wholly(output, 'sysdig'));
  })
  return clients.exec({ ...where, command: ['cat', FILE] }, (output) =>
    saveStream(step, 'sysdig.scap.gz', wholly(output, 'cat'), {
      limit: { size: max_size, beyond: 'refuse' },
      contentType: 'application/gzip',
    }),
  )
}
