/** What a rule is: which events it selects, and the chain of steps that answers them. */
import { z } from 'zod'
import type { Action, Mode, Use } from '../plugin.ts'
import { duration } from '../settings.ts'
import type { Condition } from './condition.ts'
import { conditionSetting } from './parsed.ts'

/** Talon's form of selection: every criterion given must hold, an entry of a list is an alternative. */
export const matchSettings = z.strictObject({
  rules: z.array(z.string()).optional().describe('Falco rule names; any of them.'),
  priority: z
    .string()
    .regex(/^(<=|>=|<|>|=)?\s*[A-Za-z]+$/, 'must be a priority, with an optional comparator such as >=warning')
    .optional()
    .describe('A priority, or a comparator and a priority: `>=warning`.'),
  tags: z.array(z.string()).optional().describe('Any entry; within an entry, all tags separated by commas.'),
  source: z.string().optional().describe('The event source, e.g. `syscall` or `k8s_audit`.'),
  output_fields: z
    .array(z.string())
    .optional()
    .describe('Any entry; within an entry, all of `field=value` and `field!=value` separated by commas.'),
})

export type Match = z.input<typeof matchSettings>

/** The settings of a step beside its action. */
export const stepSettings = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_-]*$/, 'must start with a letter and hold letters, digits, _ and -')
    .optional()
    .describe('Name for later steps: `steps.<id>.outcome`. Default: the action type.'),
  if: conditionSetting().optional().describe('A condition; the step is skipped when it does not hold.'),
  timeout: duration().optional().describe('Deadline of one try. Default 30s.'),
  retries: z.int().min(0).max(100).optional().describe('Further tries after a failure that may pass. Default 0.'),
  onError: z.enum(['stop', 'continue']).optional().describe('What a failure does to the chain. Default stop.'),
})

/** A step as given: an action with its settings, or that and the settings of the step. */
export type StepInput = Use<Action> | ({ readonly action: Use<Action> } & z.input<typeof stepSettings>)

/**
 * A rule as given by an embedding program; a rules file is another way to write it.
 * @example { name: 'Shell', match: { rules: ['Terminal shell in container'] }, steps: [label({ labels: { seen: 'yes' } })] }
 */
export interface RuleInput {
  readonly name: string
  readonly description?: string
  readonly match?: Match
  /** Falco's condition language, as text or already parsed. With `match`, both must hold. */
  readonly condition?: string | Condition
  readonly steps: readonly StepInput[]
  /** Ids of outputs that are told of the report. */
  readonly notify?: readonly string[]
  /** A rule may tighten `enforce` to `observe`, never loosen. */
  readonly mode?: 'observe'
  /** Responses on one target may overlap. Default false: they run one after another. */
  readonly parallel?: boolean
  /**
   * Milliseconds from the start of a response in which further events on the same target join it, when it succeeds;
   * while it runs they do anyway. 0: every event is answered. Default 60,000; 0 with `parallel`.
   */
  readonly join?: number
  /** `file:line` for messages. */
  readonly origin?: string
}

/** The mode a rule runs in. */
export const modeOf = (rule: Pick<RuleInput, 'mode'>, gateway: Mode): Mode =>
  rule.mode === 'observe' ? 'observe' : gateway
