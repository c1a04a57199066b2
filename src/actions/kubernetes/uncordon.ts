import { defineAction, z } from '../../plugin.ts'
import { nodePermissions, nodeSubject, schedule, schedulingPermissions, undoSchedule } from './_node.ts'
import { ttl } from './_undo.ts'

/**
 * Opens the node of the event to new pods again, whoever closed it.
 * @example uncordon({})
 */
export const uncordon = defineAction({
  type: 'kubernetes:uncordon',
  summary: 'Opens the node of the event to new pods again.',
  notes: 'The node is the one that the pod runs on; for a process of the host, the one that has its name.',
  config: z.strictObject({ ttl }),
  changes: 'reversible',
  done: 'repeatable',
  target: nodeSubject,
  dryRun: true,
  permissions: [...nodePermissions, ...schedulingPermissions],
  example: {},
  undo: undoSchedule,
  run: ({ ttl: time }, step) => schedule({ action: 'kubernetes:uncordon', unschedulable: false, ttl: time }, step),
})
