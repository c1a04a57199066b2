/** What the items of a rules file may hold. */
import { z } from 'zod'
import { duration } from '../settings.ts'
import { matchSettings, stepSettings, waitSettings } from './rule.ts'

/** A step as written in a file. */
export const stepFile = stepSettings.extend({
  action: z.string().describe('The type of the action, e.g. `kubernetes:label`.'),
  with: z.record(z.string(), z.unknown()).nullish().describe('Its settings; any leaf may be a Liquid template.'),
  if: z.string().optional().describe('A condition; the step is skipped when it does not hold.'),
})

/** A pause as written in a file. */
export const waitFile = waitSettings.extend({
  if: z.string().optional().describe('A condition; there is no pause when it does not hold.'),
})

/** Steps that run at the same time, as written in a file. */
export const groupFile = z.strictObject({
  parallel: z
    .array(
      stepFile.extend({
        parallel: z.never('a group cannot stand in a group').optional(),
        wait: z.never('a pause cannot stand in a group').optional(),
      }),
    )
    .min(1, 'must list at least one step')
    .describe('Steps that run at the same time; the chain goes on when all have ended.'),
})

/** An entry of a list of steps. */
export const entryFile = z.union([stepFile, groupFile, waitFile])

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
  steps: z.array(entryFile).min(1, 'must list at least one step').describe('What is done, in order.'),
  onFailure: z.array(entryFile).optional().describe('What is done when a step failed that stopped the others.'),
  finally: z.array(entryFile).optional().describe('What is done last, whatever happened.'),
  deadline: duration()
    .optional()
    .describe('How long all of `steps` may take, pauses too. `onFailure` and `finally` still run. Default 10m.'),
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
        onFailure: either(),
        finally: either(),
        notify: either(),
        match: replaced(),
        priority: replaced(),
        enabled: replaced(),
        mode: replaced(),
        parallel: replaced(),
        join: replaced(),
        deadline: replaced(),
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

/** A parameter of an action that is composed of steps. */
const parameterFile = z.strictObject({
  default: z
    .unknown()
    .optional()
    .describe('What it is when a step does not give it. Without a default it must be given.'),
  description: z.string().optional().describe('What it is for.'),
})

/** An action that is composed of others: a step that names it becomes its steps. */
export const actionFile = z.strictObject({
  action: z
    .string()
    .regex(/^[a-z][a-z0-9-]*$/, 'must start with a letter and hold a-z, 0-9 and -')
    .describe('The name, as `action` of a step.'),
  description: z.string().optional().describe('What it is for.'),
  params: z
    .record(
      z.string().regex(/^[A-Za-z][A-Za-z0-9_]*$/, 'must start with a letter and hold letters, digits and _'),
      parameterFile.nullish(),
    )
    .nullish()
    .describe('What a step may give in `with`; `{{ params.<name> }}` stands for it.'),
  steps: z.array(entryFile).min(1, 'must list at least one step').describe('What it does, in order.'),
})

/** Items that only say which Falco they are for. */
export const IGNORED = ['required_engine_version', 'required_plugin_versions'] as const

/** The keys of a map; none of anything else. */
export const keysOf = (item: unknown): Set<string> =>
  new Set(typeof item === 'object' && item !== null ? Object.keys(item) : [])
