/** What the items of a rules file may hold. */
import { z } from 'zod'
import { duration } from '../settings.ts'
import { matchSettings, stepSettings } from './rule.ts'

/** A step as written in a file. */
export const stepFile = stepSettings.extend({
  action: z.string().describe('The type of the action, e.g. `kubernetes:label`.'),
  with: z.record(z.string(), z.unknown()).nullish().describe('Its settings; any leaf may be a Liquid template.'),
  if: z.string().optional().describe('A condition; the step is skipped when it does not hold.'),
})

/** A rule as written in a file. */
export const ruleFile = z.strictObject({
  rule: z.string().min(1, 'must not be empty').describe('The name; a later rule of the same name replaces this one.'),
  description: z.string().optional().describe('What it is for.'),
  desc: z.string().optional().describe('The same, by the name that Falco gives it.'),
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
  parallel: z.boolean().default(false).describe('Responses on one target may overlap; none joins another.'),
  join: duration()
    .optional()
    .describe(
      'How long from the start of a response further events on the same target join it, when it succeeds; while it runs ' +
        'they do anyway. `0s`: every event is answered. Default 60s.',
    ),
  enabled: z.boolean().default(true).describe('False drops the rule; its problems are only warnings.'),
})

export type RuleFile = z.output<typeof ruleFile>

const either = () => z.enum(['append', 'replace']).optional()
const replaced = () => z.literal('replace').optional()
const append = z.boolean().optional().describe("Falco's older form of `override`.")

/** A change to a rule that stands before: each key given is named in `override`, which says how. */
export const ruleChange = ruleFile
  .partial()
  .required({ rule: true })
  .extend({
    tags: matchSettings.shape.tags.describe('Alternatives for the `tags` of its `match`.'),
    priority: matchSettings.shape.priority.describe('For the `priority` of its `match`.'),
    override: z
      .strictObject({
        condition: either().describe('Appended as text, as in Falco: begin it with `and` or `or`.'),
        tags: either(),
        desc: either(),
        description: either(),
        steps: either(),
        notify: either(),
        match: replaced(),
        priority: replaced(),
        enabled: replaced(),
        mode: replaced(),
        parallel: replaced(),
        join: replaced(),
      })
      .optional()
      .describe('For each key of this item, whether it is to `append` or to `replace`.'),
    append,
  })

const NAME = /^[^()"'\s=,]+$/
const MACRO = /^[A-Za-z][A-Za-z0-9_]*$/

const isScalar = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value)

/** Read as they are written: `0644` is no number. */
const listItem = z
  .custom<string | number | boolean>(isScalar, 'must be a text or a number')
  .meta({ type: ['string', 'number', 'boolean'] })

/** Values that conditions name by one word: `proc.name in (shells)`. */
export const listFile = z.strictObject({
  list: z.string().regex(NAME, 'must be without spaces, quotes, parentheses, commas and =').describe('The name.'),
  items: z.array(listItem).describe('Values, or names of other lists.'),
  override: z.strictObject({ items: either() }).optional().describe('How a list that stands before is changed.'),
  append,
})

/** A part of a condition that others name by one word. */
export const macroFile = z.strictObject({
  macro: z.string().regex(MACRO, 'must start with a letter and hold letters, digits and _').describe('The name.'),
  condition: z.string().describe("A condition in Falco's language."),
  override: z.strictObject({ condition: either() }).optional().describe('How a macro that stands before is changed.'),
  append,
})

/** Items that only say which Falco they are for. */
export const IGNORED = ['required_engine_version', 'required_plugin_versions'] as const

/** The keys of a map; none of anything else. */
export const keysOf = (item: unknown): Set<string> =>
  new Set(typeof item === 'object' && item !== null ? Object.keys(item) : [])
