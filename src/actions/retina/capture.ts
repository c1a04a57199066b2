import { createHash } from 'node:crypto'
import { defineAction, duration, type Result, size, type Step, z } from '../../plugin.ts'
import { apiPath, kubernetes } from '../../resources/kubernetes.ts'
import { fixed } from '../_fixed.ts'
import { marksOf } from '../kubernetes/_object.ts'
import { podOf, podPermissions, podSubject } from '../kubernetes/resolve.ts'
import { API_VERSION, type Capture, captured, captureSpec, createOnce, remoteFilter } from './_capture.ts'
import { output } from './_output.ts'

const params = z
  .strictObject({
    duration: duration()
      .refine((ms) => ms > 0, 'must be longer than nothing')
      .prefault('30s')
      .describe('How long is captured. Default 30s.'),
    max_size: size().prefault('100MiB').describe('The capture ends when it is as large. Default 100MiB.'),
    packet_size: z.int().positive().optional().describe('Bytes that are kept of each packet. Default all.'),
    remote: z
      .boolean()
      .default(false)
      .describe('Only what goes to or from the remote address of the event, and its port. Default false.'),
    filter: z
      .string()
      .max(1024)
      .regex(/^[^-]*$/, 'must hold no -, which Retina does not take')
      .optional()
      .describe('What is captured, in the language of pcap-filter, without any `-`. Default everything. Fixed text.'),
    output,
    clean_up: z
      .boolean()
      .default(false)
      .describe('Let Retina remove its jobs once the file is uploaded. Default false.'),
  })
  .refine(({ remote, filter }) => !(remote && filter), 'remote and filter exclude each other')
  .refine(...fixed('filter'))
  .refine(...fixed('output'))

/**
 * Has Retina capture the traffic of the event's pod, and waits until it has.
 * @example retinaCapture({ duration: '30s', output: { hostPath: 'yarak' } })
 */
export const retinaCapture = defineAction({
  type: 'retina:capture',
  summary: 'Has Microsoft Retina capture the traffic of the pod, and waits until the capture is done.',
  notes: [
    'It makes a Capture in the namespace of the pod; the operator of Retina must be enabled there (`operator.enabled=true`). The file stays where Retina puts it, and the Capture until somebody deletes it, which deletes its jobs.',
    'The Capture is named after the response, so that a step that is run again joins the one that it made.',
    'A pod that is ended or cut off meanwhile has no traffic to capture: let such steps come after it.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  concurrency: 4,
  timeout: ({ duration }) => duration + 120_000,
  permissions: [...podPermissions, { apiGroups: ['retina.sh'], resources: ['captures'], verbs: ['get', 'create'] }],
  example: { duration: '30s', remote: true, output: { hostPath: 'yarak' } },
  async run(settings, step): Promise<Result> {
    const { name: pod, namespace, node } = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    const name = captureName(step)
    const path = apiPath(API_VERSION, 'namespaces', namespace, 'captures')
    const spec = captureSpec({
      ...{ pod, duration: settings.duration, maxSize: settings.max_size, packetSize: settings.packet_size },
      filter: settings.remote ? remoteFilter(step.event) : settings.filter,
      ...{ output: settings.output, cleanUp: settings.clean_up },
    })
    const body = { apiVersion: API_VERSION, kind: 'Capture', metadata: { name, namespace, ...marksOf(step) }, spec }
    const query = { fieldManager: 'yarak', dryRun: step.dryRun ? 'All' : undefined }
    const objects = { pod, namespace, capture: name, ...(node && { node }) }
    await createOnce(clients, { path, query, body })
    if (step.dryRun) return { summary: `would capture the traffic of pod ${namespace}/${pod}`, objects }
    const read = () => clients.send({ method: 'GET', path: `${path}/${name}` }) as Promise<Capture>
    await captured(read, `${namespace}/${name}`, step.signal)
    const where = Object.keys(settings.output).join(', ')
    return { summary: `captured the traffic of pod ${namespace}/${pod} as ${name}, kept by ${where}`, objects }
  },
})

/** The same whenever the step is run again. */
const captureName = ({ response: { id, step } }: Step): string =>
  `yarak-${createHash('sha256').update(`${id}/${step}`).digest('hex').slice(0, 16)}`
