import { defineAction, z } from '../../plugin.ts'
import { nodePermissions, nodeSubject, schedulingPermissions, setUnschedulable } from './_node.ts'

/**
 * Opens the node of the event to new pods again, whoever closed it.
 * @example uncordon({})
 */
export const uncordon = defineAction({
  type: 'kubernetes:uncordon',
  summary: 'Opens the node of the event to new pods again.',
  notes: 'The node is the one that the pod runs on; for a process of the host, the one that has its name.',
  config: z.strictObject({}),
  changes: 'reversible',
  done: 'repeatable',
  target: nodeSubject,
  dryRun: true,
  permissions: [...nodePermissions, ...schedulingPermissions],
  example: {},
  run: (_params, step) => setUnschedulable(false, step),
})
