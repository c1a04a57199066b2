import { type Artifact, defineAction, messageOf, type Result, size, type Step, z } from '../../plugin.ts'
import { apiPath, type Clients, kubernetes } from '../../resources/kubernetes.ts'
import { type Capped, capped } from '../_text.ts'
import { isNamespace } from './_names.ts'
import { readPod } from './_read-pod.ts'
import { podOf, podPermissions, type PodSubject, podSubject } from './resolve.ts'

const params = z.strictObject({
  tail_lines: z.int().min(1).default(1000).describe('Lines from the end of each log. Default 1000.'),
  container: z
    .string()
    .refine(isNamespace, 'must be the name of a container')
    .optional()
    .describe('Only this container. Default: every one of the pod.'),
  previous: z.boolean().default(false).describe('The log of the run before the last restart. Default false.'),
  max_size: size()
    .prefault('10MiB')
    .refine((bytes) => bytes > 0, 'must be at least 1B')
    .describe('Most that is taken of one container. Default 10MiB.'),
})

type Params = z.output<typeof params>

/**
 * Saves the logs of the containers of the pod of the event. Parameters are named as Falco Talon names them.
 * @example log({ tail_lines: 200 })
 */
export const log = defineAction({
  type: 'kubernetes:log',
  summary: 'Saves the logs of the containers of the pod of the event, each as a file.',
  notes: [
    'The files are the artifacts of the step, with size and SHA-256; they go to its `store`, else into the folder `evidence` of the data directory. A log that is longer than `max_size` is cut at its end.',
    'The logs are also the output of the step, 64 KiB of them. A container whose log cannot be had is named in the summary; the step fails when there is none at all.',
    'Unlike Falco Talon, it takes the logs of all containers, and by default 1000 lines; in a file of Falco Talon it stays with 20.',
  ].join('\n'),
  config: params,
  changes: 'nothing',
  saves: 'maybe',
  target: podSubject,
  permissions: [...podPermissions, { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] }],
  example: { tail_lines: 200 },
  async run(settings, step): Promise<Result> {
    // A step that changes nothing may run without a target; here that is to be told as what it is, e.g. gone.
    const pod = podOf({ subject: step.subject ?? (await podSubject(step.target, step)) })
    const clients = (await step.use(kubernetes)).as(step)
    const { saved, failed, output } = await saveAll(await containersOf(clients, pod, settings), {
      pod,
      clients,
      settings,
      step,
    })
    const missing = failed.length > 0 ? `; not of ${failed.join(', ')}` : ''
    return {
      summary: `saved ${saved.length === 1 ? 'the log' : `${saved.length} logs`} of pod ${pod.namespace}/${pod.name}${missing}`,
      objects: { pod: pod.name, namespace: pod.namespace },
      output,
      artifacts: saved,
    }
  },
})

const containersOf = async (clients: Clients, pod: PodSubject, { container }: Params): Promise<readonly string[]> => {
  const { spec } = await readPod(clients, pod)
  return container === undefined ? (spec?.containers ?? []).map(({ name }) => name) : [container]
}

interface Job {
  readonly pod: PodSubject
  readonly clients: Clients
  readonly settings: Params
  readonly step: Step
}

/** One after another, so that one log at a time is in the memory. Throws the first error when all fail. */
const saveAll = async (containers: readonly string[], job: Job) => {
  const output = capped()
  const saved: Artifact[] = []
  const errors = new Map<string, unknown>()
  for (const container of containers) {
    try {
      saved.push(await save(container, output, job))
    } catch (error) {
      errors.set(container, error)
    }
  }
  if (saved.length === 0 && errors.size > 0) throw [...errors.values()][0]
  const failed = [...errors].map(([container, error]) => `${container} (${messageOf(error)})`)
  return { saved, failed, output: output.text() }
}

const save = (container: string, output: Capped, job: Job): Promise<Artifact> => {
  const { pod, clients, settings, step } = job
  const { tail_lines: tailLines, previous, max_size } = settings
  const path = apiPath('v1', 'namespaces', pod.namespace, 'pods', pod.name, 'log')
  const query = { container, tailLines, previous: previous || undefined, limitBytes: max_size }
  return clients.stream({ method: 'GET', path, query }, (chunks) =>
    step.save(`${container}.log`, upTo(max_size, chunks, output), { contentType: 'text/plain' }),
  )
}

/** The server is asked for no more than the limit, and not relied on. */
async function* upTo(limit: number, chunks: AsyncIterable<Uint8Array>, output: Capped) {
  let left = limit
  for await (const chunk of chunks) {
    const part = chunk.subarray(0, left)
    left -= part.length
    output.add(part)
    yield part
    if (left <= 0) return
  }
}
