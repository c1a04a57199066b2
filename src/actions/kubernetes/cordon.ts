import { defineAction, z } from '../../plugin.ts'
import { nodePermissions, nodeSubject, schedule, schedulingPermissions, undoSchedule } from './_node.ts'
import { ttl } from './_undo.ts'

/**
 * Closes the node of the event to new pods. Falco Talon has it under the same name.
 * @example cordon({})
 */
export const cordon = defineAction({
  type: 'kubernetes:cordon',
  summary: 'Closes the node of the event to new pods; those that run there stay.',
  notes: 'The node is the one that the pod runs on; for a process of the host, the one that has its name.',
  config: z.strictObject({ ttl }),
  changes: 'reversible',
  done: 'repeatable',
  target: nodeSubject,
  dryRun: true,
  permissions: [...nodePermissions, ...schedulingPermissions],
  example: {},
  undo: undoSchedule,
  run: ({ ttl: time }, step) => schedule({ action: 'kubernetes:cordon', unschedulable: true, ttl: time }, step),
})
