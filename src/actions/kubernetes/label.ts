import { defineAction, z } from '../../plugin.ts'
import { level, metadataPermissions, removable, setMetadata, undoMetadata } from './_metadata.ts'
import { isLabelKey, isLabelValue } from './_names.ts'
import { podSubject } from './resolve.ts'
import { ttl } from './_undo.ts'

const value = removable.refine(
  (one) => one === null || isLabelValue(one),
  'must be at most 63 letters, digits, -, _ and . (see `| slug`)',
)

const params = z.strictObject({
  labels: z
    .record(z.string().refine(isLabelKey, 'must be a label key such as suspicious or example.com/alert'), value)
    .refine((labels) => Object.keys(labels).length > 0, 'must name at least one label')
    .describe('Labels to set; an empty value or null removes the label.'),
  level: level.describe('What is labelled: the pod, or the node it runs on. Default pod.'),
  ttl,
})

/**
 * Sets or removes labels of the pod of the event, or of its node. Parameters are named as Falco Talon names them.
 * @example label({ labels: { suspicious: 'true', alert: '{{ rule | slug }}' }, ttl: '1h' })
 */
export const label = defineAction({
  type: 'kubernetes:label',
  summary: 'Sets or removes labels of the pod of the event, or of its node.',
  notes: [
    'A label that a Service or a controller selects by detaches the pod from it: traffic stops, a new pod is started.',
    'What was there before is noted in an annotation, so that it can be put back: after `ttl`, or by `yarak responses undo`. A label that somebody else has changed meanwhile is then left alone, and so are labels of `kubernetes.io` and `k8s.io` on nodes.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  target: podSubject,
  dryRun: true,
  permissions: ({ level }) => metadataPermissions(level),
  example: { labels: { suspicious: 'true', 'example.com/checked': '' } },
  undo: undoMetadata('labels'),
  run: ({ labels, ...more }, step) =>
    setMetadata({ action: 'kubernetes:label', what: 'labels', values: labels, ...more }, step),
})
