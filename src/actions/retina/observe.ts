import { defineAction, type Result, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { podOf, podPermissions, podSubject } from '../kubernetes/resolve.ts'
import { PODS, setNoted, ttl, undoValues } from '../kubernetes/_undo.ts'
import { checkRoom, isOthers, LENS, NAMESPACES, OBSERVE, readPlace, VALUES } from './_observe.ts'

const params = z.strictObject({
  level: z
    .enum(['pod', 'namespace'])
    .default('pod')
    .describe('What is observed: the pod, or its whole namespace. Default pod.'),
  max: z
    .int()
    .positive()
    .default(50)
    .describe(
      'The most pods that may be observed at once, others than by Yarak too; more are refused. Retina itself takes 255 addresses unless it is set to take more. Default 50.',
    ),
  ttl: ttl.prefault('1h').describe('After this time the pod is observed no more. Default 1h.'),
})

/**
 * Has Retina observe the event's pod, or its namespace, by the annotation `retina.sh=observe`.
 * @example retinaObserve({ ttl: '30m' })
 */
export const retinaObserve = defineAction({
  type: OBSERVE,
  summary: 'Has Microsoft Retina gather metrics of the pod, or of its namespace, by an annotation.',
  notes: [
    'What carries the annotation already is left as it is: it stays observed, also when this is undone.',
    'With `level: namespace` the pods of annotated namespaces count too.',
    'Retina heeds it only with `enableAnnotations=true`, `enablePodLevel=true`, `operator.enabled=true`, `operator.enableRetinaEndpoint=true` and `bypassLookupIPOfInterest=false`. Its DNS metrics do not heed it.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  // One after another, or two might take the last place.
  concurrency: 1,
  permissions: ({ level }) => [
    ...podPermissions,
    level === 'pod'
      ? { apiGroups: [''], resources: ['pods'], verbs: ['patch'] }
      : { apiGroups: [''], resources: ['namespaces'], verbs: ['get', 'list', 'patch'] },
  ],
  example: { ttl: '30m', max: 20 },
  async run({ level, max, ttl }, step): Promise<Result> {
    const pod = podOf(step)
    const cluster = await step.use(kubernetes)
    const clients = cluster.as(step)
    const { path, live, subject, id } = await readPlace(clients, pod, level)
    if (level === 'namespace') await step.judge(subject)
    const objects = { pod: pod.name, namespace: pod.namespace, level }
    if (isOthers(live)) return { summary: `${id} is observed already, and stays so`, objects }
    await checkRoom(clients, pod, { level, max, namespaces: cluster.namespaces })
    await setNoted(clients, step, { action: OBSERVE, path, uid: subject.uid, lens: LENS, values: VALUES, ttl })
    return { summary: `${step.dryRun ? 'would have' : 'has'} Retina observe ${id}`, objects }
  },
  undo: {
    in: kubernetes,
    on: [PODS, NAMESPACES],
    run: undoValues(() => LENS),
  },
})
