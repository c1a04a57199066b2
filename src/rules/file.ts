/** What a rules file may hold, and files of other tools that look alike. */
import { z } from 'zod'
import type { Path } from '../config/document.ts'
import { matchSettings, stepSettings } from './rule.ts'

/** A step as written in a file. */
export const stepFile = stepSettings.extend({
  action: z.string().describe('The type of the action, e.g. `kubernetes:label`.'),
  with: z.record(z.string(), z.unknown()).nullish().describe('Its settings; any leaf may be a Liquid template.'),
})

/** A rule as written in a file. */
export const ruleFile = z.strictObject({
  rule: z.string().min(1, 'must not be empty').describe('The name; once in all files.'),
  description: z.string().optional().describe('What it is for.'),
  match: matchSettings.optional().describe('Which events, by criteria.'),
  condition: z
    .string()
    .optional()
    .describe("Which events, in Falco's condition language. With `match`, both must hold."),
  steps: z.array(stepFile).min(1, 'must list at least one step').describe('What is done, in order.'),
  notify: z.array(z.string()).optional().describe('Ids of outputs that are told of the report.'),
  mode: z
    .string()
    .refine((mode) => mode === 'observe', 'must be observe; a rule can tighten the mode of the gateway, not loosen it')
    .meta({ enum: ['observe'] })
    .optional()
    .describe('`observe`: only show what the steps would do.'),
  parallel: z.boolean().default(false).describe('Responses on one target may overlap.'),
  enabled: z.boolean().default(true).describe('False drops the rule; its problems are only warnings.'),
})

export type RuleFile = z.output<typeof ruleFile>

/** A whole file of another tool gets one message. */
export const foreignFile = (items: readonly unknown[]): { index: number; at: Path; message: string } | undefined => {
  if (items.some((item) => keysOf(item).has('steps'))) return undefined
  for (const [index, item] of items.entries()) {
    const keys = keysOf(item)
    const talon = ['actions', 'actionner'].find((key) => keys.has(key))
    if (talon)
      return { index, at: [talon], message: 'this is a Falco Talon rules file, which this version does not read' }
    if (keys.has('rule') && (keys.has('output') || keys.has('desc'))) {
      return {
        index,
        at: ['rule'],
        message: 'this is a Falco detection rule: it raises events; a rule here answers them, and has `steps`',
      }
    }
  }
  return undefined
}

/** The keys of a map; none of anything else. */
export const keysOf = (item: unknown): Set<string> =>
  new Set(typeof item === 'object' && item !== null ? Object.keys(item) : [])
