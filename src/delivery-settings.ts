/** The settings that every output has, beside its own. */
import { z } from 'zod'
import { parsePriority, PRIORITIES } from './event.ts'
import { httpSettings } from './http-settings.ts'
import { redactSettings } from './redact.ts'
import { conditionSetting } from './rules/parsed.ts'
import { matchSettings } from './rules/rule.ts'
import { duration } from './settings.ts'

/** What notices are grouped by. */
export const DIGEST_KEYS = ['rule', 'target', 'priority', 'source', 'hostname'] as const

const digestSettings = z.strictObject({
  window: duration().describe('How long alerts of one kind are gathered after the first, which is told at once.'),
  by: z
    .array(z.enum(DIGEST_KEYS))
    .min(1)
    .default(['rule', 'target'])
    .describe('What makes two alerts one kind. Default: the rule, and the pod, container or node it is about.'),
})

const rateSettings = z.strictObject({
  count: z.int().min(1).describe('Deliveries.'),
  per: duration().prefault('1s').describe('In how long. Default 1s.'),
})

const batchSettings = z.strictObject({
  count: z.int().min(1).optional().describe('Notices in one delivery, at most; no more than the output can take.'),
  wait: duration().optional().describe('How long a notice waits for others. Default: as the output says, mostly 0s.'),
})

export const deliverySettings = z.strictObject({
  tell: z
    .enum(['events', 'responses', 'both', 'none'])
    .default('events')
    .describe('What it is told of; none: it only keeps files. A rule with this output in `notify` adds its reports.'),
  minimumPriority: z
    .string()
    .refine((text) => text === '' || parsePriority(text) !== undefined, `must be one of ${PRIORITIES.join(', ')}`)
    .default('')
    .describe('Events below are not told.'),
  match: matchSettings.optional().describe('Only events that match are told.'),
  condition: conditionSetting()
    .optional()
    .describe("Only events for which this condition in Falco's language holds are told."),
  digest: digestSettings
    .optional()
    .describe(
      'Tells of many alerts of one kind by the first, and at the end of a window by their number and the last.',
    ),
  redact: redactSettings.optional().describe('What is made unreadable before the output sees it.'),
  timeout: duration().prefault('10s').describe('Deadline of one delivery.'),
  retryFor: duration()
    .optional()
    .describe('How long a delivery is tried before it is a dead letter. Default 1h; without a journal on disk 10m.'),
  concurrency: z.int().min(1).max(256).default(8).describe('Deliveries at the same time.'),
  queue: z
    .int()
    .min(1)
    .default(1_000)
    .describe('Notices that wait in memory; beyond it they wait in the journal, without one they are dead letters.'),
  batch: batchSettings.optional().describe('How many notices go out together, where the output can send many at once.'),
  order: z
    .enum(['target', 'none'])
    .optional()
    .describe('`target`: what is about one pod, container or node arrives in order. Default: as the output says.'),
  rate: rateSettings
    .optional()
    .describe('No more deliveries are begun; what is over waits. Default: what the vendor takes, where that is known.'),
  breaker: z
    .int()
    .min(0)
    .default(5)
    .describe(
      'After so many failures in a row that may pass, only one delivery at a time is tried. Default 5; 0: never.',
    ),
  http: httpSettings.optional().describe('Headers, TLS, proxy and compression, of outputs that send by HTTP.'),
})

export type DeliverySettings = z.output<typeof deliverySettings>
