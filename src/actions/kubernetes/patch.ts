import { defineAction, type Result, YarakError, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { fixed } from '../_fixed.ts'
import {
  apiVersion,
  kind,
  locate,
  objectName,
  objectNamespace,
  permissionOn,
  readObject,
  unlessAbsent,
} from './_object.ts'
import { sendPatch } from './_patch.ts'
import { podOf, podPermissions, podSubject } from './resolve.ts'

const pointer = z.string().regex(/^\//, 'must be a JSON pointer such as /spec/replicas')

const operation = z.strictObject({
  op: z.enum(['add', 'remove', 'replace', 'move', 'copy', 'test']).describe('What to do.'),
  path: pointer.describe('Where, a JSON pointer (RFC 6901). Fixed text.'),
  from: pointer.optional().describe('From where, of `move` and `copy`. Fixed text.'),
  value: z.unknown().optional().describe('The value of `add`, `replace` and `test`.'),
})

const params = z
  .strictObject({
    object: z
      .strictObject({ apiVersion, kind, name: objectName, namespace: objectNamespace })
      .optional()
      .describe('What is patched. Default: the pod of the event.'),
    type: z
      .enum(['strategic', 'merge', 'json'])
      .default('strategic')
      .describe('How the patch is meant: by the schema of the kind, RFC 7396, or RFC 6902. Default strategic.'),
    patch: z
      .union([z.array(operation).min(1), z.record(z.string(), z.unknown())])
      .describe('The patch: a map, for `type: json` a list of operations.'),
  })
  .refine(({ type, patch }) => (type === 'json') === Array.isArray(patch), {
    path: ['patch'],
    message: 'must be a list of operations for `type: json`, else a map',
  })
  .refine(...fixed('object', 'apiVersion'))
  .refine(...fixed('object', 'kind'))
  .refine(...fixed('object', 'namespace'))
  .refine(...fixed('patch', '*', 'path'))
  .refine(...fixed('patch', '*', 'from'))

type Params = z.output<typeof params>

const POD = { apiVersion: 'v1', kind: 'Pod' } as const

/**
 * Patches the pod of the event, or an object of any kind.
 * @see https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/
 * @example patch({ patch: { metadata: { labels: { suspicious: 'true' } } } })
 */
export const patch = defineAction({
  type: 'kubernetes:patch',
  summary: 'Patches the pod of the event, or an object of any kind: strategic, merge or JSON patch.',
  notes: [
    'The pod, or the object, is patched only under the uid that was looked up. An object that is not there fails the step.',
    'Custom resources know no strategic patch: use `type: merge`. An unknown field fails the step.',
    'The guard judges the pod of the event, and the object as it is. Kind, namespace and JSON pointers are fixed text; a name or a value may be a template.',
    'The permission that is asked for is for the usual plural of the kind.',
    'A JSON patch whose outcome a crash left open is not sent again.',
  ].join('\n'),
  config: params,
  changes: 'destructive',
  async done({ type }) {
    if (type !== 'json') return undefined
    throw new YarakError('unknown', 'a JSON patch may add twice, so it is not sent again', { permanent: true })
  },
  target: podSubject,
  dryRun: true,
  permissions: ({ object }) => [
    ...podPermissions,
    object ? permissionOn(object.apiVersion, object.kind, ['get', 'patch']) : permissionOn('v1', 'Pod', ['patch']),
  ],
  example: { type: 'merge', patch: { metadata: { annotations: { 'example.com/seen': '{{ rule }}' } } } },
  async run({ object, type, patch }, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    const ref = object ?? { ...POD, name: pod.name, namespace: pod.namespace }
    const { path, id, namespace } = await locate(clients, ref, pod.namespace)
    const live = object ? await unlessAbsent(readObject(clients, path, ref.kind)) : pod
    if (object) await step.judge(live)
    const body = ofUid(patch, live.uid)
    const change = sendPatch(clients, step, { path, type, body, query: { fieldValidation: 'Strict' } })
    await (object ? unlessAbsent(change) : change)
    return {
      summary: `${step.dryRun ? 'would patch' : 'patched'} ${id}`,
      objects: { pod: pod.name, namespace: namespace ?? pod.namespace, [ref.kind.toLowerCase()]: ref.name },
    }
  },
})

/** A patch that would change the uid is refused: what has taken the name is not patched. */
const ofUid = (patch: Params['patch'], uid: string | undefined): unknown =>
  Array.isArray(patch)
    ? [...patch, { op: 'replace', path: '/metadata/uid', value: uid }]
    : { ...patch, metadata: { ...(patch.metadata as object | undefined), uid } }
