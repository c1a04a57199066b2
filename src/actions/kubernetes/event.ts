import { createHash } from 'node:crypto'
import { defineAction, type Result, type Step, z } from '../../plugin.ts'
import { apiPath, kubernetes } from '../../resources/kubernetes.ts'
import { pastConflicts } from './_conflict.ts'
import { marksOf, unlessExists } from './_object.ts'
import { podOf, podPermissions, type PodSubject, podSubject } from './resolve.ts'

const word = (what: string, example: string) =>
  z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9]{0,127}$/, `must be one word such as ${example}`)
    .default(example)
    .describe(`${what}, one word. Default ${example}.`)

const params = z.strictObject({
  reason: word('Why', 'FalcoAlert'),
  action: word('What was done', 'Respond'),
  type: z.enum(['Normal', 'Warning']).default('Warning').describe('How grave it is. Default Warning.'),
  note: z
    .string()
    .optional()
    .describe('What is told, at most 1 KiB; the trace id is put behind it. Default: the rule and output of the event.'),
})

type Params = z.output<typeof params>

/**
 * Writes an Event about the pod of the event, as `kubectl describe` and `kubectl events` show it.
 * @see https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
 * @example event({ reason: 'Quarantined', type: 'Warning', note: '{{ rule }}' })
 */
export const event = defineAction({
  type: 'kubernetes:event',
  summary: 'Writes a Kubernetes Event about the pod of the event, with the trace id.',
  notes: [
    'It is of `events.k8s.io/v1`, in the namespace of the pod, and is named after the response and its text: the same step writes it once, however often it is tried.',
    'Control characters in the note become spaces; a note that is too long is cut. API servers forget Events, by default after an hour.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: [...podPermissions, { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create'] }],
  example: { reason: 'Quarantined', note: '{{ rule }}: {{ proc.cmdline }}' },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    const { send } = (await step.use(kubernetes)).as(step)
    const body = eventOf(pod, settings, step)
    const path = apiPath('events.k8s.io/v1', 'namespaces', pod.namespace, 'events')
    const query = { fieldManager: 'yarak', dryRun: step.dryRun ? 'All' : undefined }
    // an Event of this name has been written by this very step
    await unlessExists(pastConflicts(() => send({ method: 'POST', path, query, body })))
    return {
      summary: `${step.dryRun ? 'would write' : 'wrote'} event ${settings.reason} about pod ${pod.namespace}/${pod.name}`,
      objects: { pod: pod.name, namespace: pod.namespace, event: body.metadata.name },
    }
  },
})

/** The object as it is created. */
export const eventOf = (pod: PodSubject, { reason, action, type, note }: Params, step: Step) => {
  const { event, response } = step
  const text = noteOf(note ?? `${event.rule}: ${event.output}`, response.traceparent?.split('-')[1])
  const hash = createHash('sha256').update([response.id, step.id, pod.uid, reason, text].join('\0')).digest('hex')
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `yarak.${hash.slice(0, 16)}`, namespace: pod.namespace, ...marksOf(step) },
    regarding: { apiVersion: 'v1', kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid },
    // A MicroTime, which has six digits.
    eventTime: new Date().toISOString().replace('Z', '000Z'),
    reportingController: 'yarak.dev/yarak',
    reportingInstance: 'yarak',
    type,
    reason,
    action,
    note: text,
  }
}

/** What the API server takes, in bytes. */
const MOST = 1024

/** One line that fits, with the trace id behind it; a character is never cut in two. */
const noteOf = (text: string, traceId: string | undefined): string => {
  const end = traceId ? ` (trace ${traceId})` : ''
  const line = Buffer.from(text.replaceAll(/\p{Cc}+/gu, ' ').trim())
  const room = MOST - end.length
  return `${new TextDecoder().decode(line.subarray(0, room), { stream: line.length > room })}${end}`
}
