import { defineAction, type Result, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { fixed } from '../_fixed.ts'
import {
  apiVersion,
  kind,
  locate,
  marksOf,
  objectName,
  objectNamespace,
  permissionOn,
  readObject,
  subjectAt,
  unlessAbsent,
  unlessGone,
} from './_object.ts'
import { sendPatch } from './_patch.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'

const strings = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String))

/** What every object has; the rest is for the server to judge. */
const anObject = z.looseObject({
  apiVersion,
  kind,
  metadata: z.looseObject({
    name: objectName,
    namespace: objectNamespace,
    labels: strings.optional(),
    annotations: strings.optional(),
  }),
})

const manifest = z
  .record(z.string(), z.unknown())
  .superRefine((value, context) => {
    for (const issue of anObject.safeParse(value).error?.issues ?? []) context.addIssue({ ...issue })
  })
  .describe('The object, of any kind that the cluster knows: `apiVersion`, `kind`, `metadata.name`, and its fields.')

const params = z
  .strictObject({
    manifest,
    force: z
      .boolean()
      .default(false)
      .describe('Take over fields that somebody else manages; else such a conflict fails the step. Default false.'),
  })
  .refine(...fixed('manifest', 'apiVersion'))
  .refine(...fixed('manifest', 'kind'))
  .refine(...fixed('manifest', 'metadata', 'namespace'))

/**
 * Creates or changes an object of any kind by server-side apply.
 * @see https://kubernetes.io/docs/reference/using-api/server-side-apply/
 * @example apply({ manifest: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'seen' }, data: { rule: '{{ rule }}' } } })
 */
export const apply = defineAction({
  type: 'kubernetes:apply',
  summary: 'Creates or changes an object of any kind, custom resources too, by server-side apply.',
  notes: [
    'Fields are owned by the field manager `yarak`. A field that the object does not have in the schema of its kind fails the step.',
    'The object gets the label `yarak.dev/response` and the annotations `yarak.dev/rule` and `yarak.dev/traceparent`.',
    'The guard judges the pod of the event, and the object, as it is where there is one. Kind and namespace are fixed text; a name or a value may be a template.',
    'The permission that is asked for is for the usual plural of the kind.',
  ].join('\n'),
  config: params,
  changes: 'destructive',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions({ manifest }) {
    const { apiVersion, kind } = anObject.parse(manifest)
    return [...podPermissions, permissionOn(apiVersion, kind, ['get', 'create', 'patch'])]
  },
  example: {
    manifest: {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'last-alert' },
      data: { rule: '{{ rule }}', pod: '{{ k8s.pod.name }}' },
    },
  },
  async run({ manifest, force }, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    const object = anObject.parse(manifest)
    const { metadata, kind } = object
    const { path, id, namespace } = await locate(clients, { ...object, ...metadata }, pod.namespace)
    await step.judge(await unlessGone(readObject(clients, path, kind), subjectAt(kind, namespace, metadata.name)))
    const marks = marksOf(step)
    const labels = { ...metadata.labels, ...marks.labels }
    const annotations = { ...metadata.annotations, ...marks.annotations }
    const body = { ...object, metadata: { ...metadata, labels, annotations } }
    const query = { force, fieldValidation: 'Strict' }
    await unlessAbsent(sendPatch(clients, step, { path, type: 'apply', body, query }))
    return {
      summary: `${step.dryRun ? 'would apply' : 'applied'} ${id}`,
      objects: { pod: pod.name, namespace: namespace ?? pod.namespace, [kind.toLowerCase()]: metadata.name },
    }
  },
})
