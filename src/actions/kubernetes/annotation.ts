import { defineAction, z } from '../../plugin.ts'
import { level, metadataPermissions, removable, setMetadata, undoMetadata } from './_metadata.ts'
import { isLabelKey } from './_names.ts'
import { podSubject } from './resolve.ts'
import { ttl } from './_undo.ts'

const params = z.strictObject({
  annotations: z
    .record(z.string().refine(isLabelKey, 'must be an annotation key such as example.com/alert'), removable)
    .refine((annotations) => Object.keys(annotations).length > 0, 'must name at least one annotation')
    .describe('Annotations to set, of any text; an empty value or null removes the annotation.'),
  level: level.describe('What is annotated: the pod, or the node it runs on. Default pod.'),
  ttl,
})

/**
 * Sets or removes annotations of the pod of the event, or of its node. Parameters are named as Falco Talon names them.
 * @example annotation({ annotations: { 'example.com/alert': '{{ rule }}', 'example.com/trace': '{{ response.trace }}' } })
 */
export const annotation = defineAction({
  type: 'kubernetes:annotation',
  summary: 'Sets or removes annotations of the pod of the event, or of its node.',
  notes: [
    'The API server refuses more than 256 KiB of annotations on one object: cut long values, as in `| trunc: 1000`.',
    'What was there before is noted in another annotation, with what it was changed to, so that it can be put back: after `ttl`, or by `yarak responses undo`. What somebody else has changed meanwhile is then left alone.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: ({ level }) => metadataPermissions(level),
  example: { annotations: { 'example.com/alert': '{{ rule }}', 'example.com/checked': '' } },
  undo: undoMetadata('annotations'),
  run: ({ annotations, ...more }, step) =>
    setMetadata({ action: 'kubernetes:annotation', what: 'annotations', values: annotations, ...more }, step),
})
