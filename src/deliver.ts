/** Wraps an output: filter, queue, retries, dead letter. An output declares how to send, and nothing of this. */
import { z } from 'zod'
import { parsePriority, PRIORITIES } from './event.ts'
import { matchSettings } from './rules/rule.ts'
import { duration } from './settings.ts'

/** The settings that every output has, beside its own. */
export const deliverySettings = z.strictObject({
  tell: z
    .enum(['events', 'responses', 'both'])
    .default('events')
    .describe('What it is told of. A rule with this output in `notify` adds its reports.'),
  minimumPriority: z
    .string()
    .refine((text) => text === '' || parsePriority(text) !== undefined, `must be one of ${PRIORITIES.join(', ')}`)
    .default('')
    .describe('Events below are not told.'),
  match: matchSettings.optional().describe('Only events that match are told.'),
  condition: z.string().optional().describe("Only events for which this condition in Falco's language holds are told."),
  timeout: duration().prefault('10s').describe('Deadline of one delivery.'),
  retryFor: duration().prefault('10m').describe('How long a delivery is tried before it is a dead letter.'),
  concurrency: z.int().min(1).max(256).default(8).describe('Deliveries at the same time.'),
  queue: z.int().min(1).default(1_000).describe('Notices that wait; beyond it they are dead letters.'),
})
