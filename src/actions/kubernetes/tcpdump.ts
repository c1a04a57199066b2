import { defineAction, type Result, size, type Step, z } from '../../plugin.ts'
import { type Clients, kubernetes } from '../../resources/kubernetes.ts'
import { fixed } from '../_fixed.ts'
import { wholly } from './_exec.ts'
import { saveStream } from './_exec-save.ts'
import { captureTime, execPermission, image } from './_exec-settings.ts'
import { addContainer, containerPermission, type HelperContainer, untilContainer } from './_helper-container.ts'
import { podOf, podPermissions, type PodSubject, podSubject } from './resolve.ts'

const IMAGE = 'docker.io/nicolaka/netshoot:v0.13'

const params = z
  .strictObject({
    duration: captureTime(5, 1800),
    snaplen: z.int().min(0).max(262_144).default(4096).describe('Bytes of each packet; 0: all of them. Default 4096.'),
    image: image
      .default(IMAGE)
      .describe(`Has \`tcpdump\`, \`timeout\` and \`sleep\`; name a mirror and a digest here. Default ${IMAGE}.`),
    max_size: size()
      .refine((bytes) => bytes >= 1024, 'must be at least 1KiB')
      .prefault('100MiB')
      .describe('Where the capture is cut. Default 100MiB.'),
  })
  .refine(...fixed('image'))
  .refine(...fixed('max_size'))

type Params = z.output<typeof params>

/** How long the image may take to come, and the rest of a capture. */
const MARGIN = 60_000

/**
 * Captures the network traffic of the pod of the event into the store of the step. Parameters are named as Falco Talon
 * names them.
 * @example { action: tcpdump({ duration: '5s' }), store: 'aws.s3/evidence' }
 */
export const tcpdump = defineAction({
  type: 'kubernetes:tcpdump',
  summary: 'Captures the network traffic of the pod of the event into the store of the step.',
  notes: [
    'An ephemeral container beside those of the pod runs `tcpdump`, which sees all interfaces of the pod. The packets are streamed to the store as they come, in the pcap format; nothing is written in the pod. The container runs as root with NET_RAW and NET_ADMIN alone, and ends by itself after the capture. Kubernetes cannot remove it from the pod, where it stays listed; a pod that has ten of ours is refused with `too-many-containers`.',
    'A namespace whose Pod Security level is `baseline` or `restricted` refuses it.',
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
  permissions: [...podPermissions, containerPermission, execPermission],
  example: { duration: '5s', snaplen: 256 },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    const name = await addContainer('tcpdump', containerFor(settings), { clients, pod, step })
    const what = `${settings.duration / 1_000} s of the traffic of pod ${pod.namespace}/${pod.name}`
    const objects = { pod: pod.name, namespace: pod.namespace }
    if (step.dryRun) return { summary: `would capture ${what}`, objects }
    await untilContainer(name, 'running', { clients, pod, signal: step.signal })
    const artifact = await capture(settings, { clients, pod, step, container: name })
    const cut = artifact.size >= settings.max_size ? ', cut at its limit' : ''
    return {
      summary: `captured ${what}: ${artifact.size} bytes${cut}`,
      objects: { ...objects, container: name },
      artifacts: [artifact],
    }
  },
})

const seconds = (ms: number): string => String(Math.ceil(ms / 1_000))

const containerFor = ({ image, duration }: Params): HelperContainer => ({
  image,
  imagePullPolicy: 'IfNotPresent',
  command: ['sleep', seconds(duration + MARGIN)],
  securityContext: {
    runAsUser: 0,
    runAsNonRoot: false,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    // SETUID and SETGID: many builds of tcpdump give up root once the interface is open, and fail when they cannot.
    capabilities: { drop: ['ALL'], add: ['NET_RAW', 'NET_ADMIN', 'SETUID', 'SETGID'] },
  },
})

interface At {
  readonly clients: Clients
  readonly pod: PodSubject
  readonly step: Step
  readonly container: string
}

/** GNU's `timeout` tells by 124 that it ended the command; that of busybox gives the command's own code. */
const GOOD = [0, 124]

const capture = ({ duration, snaplen, max_size }: Params, { clients, pod, step, container }: At) => {
  const dump = ['tcpdump', '-i', 'any', '-n', '-U', '-s', String(snaplen), '-w', '-']
  const command = ['timeout', '-s', 'INT', seconds(duration), ...dump]
  return clients.exec({ namespace: pod.namespace, pod: pod.name, container, command }, (output) =>
    saveStream(step, 'tcpdump.pcap', wholly(output, 'tcpdump', GOOD), {
      limit: { size: max_size, beyond: 'cut' },
      contentType: 'application/vnd.tcpdump.pcap',
    }),
  )
}
