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

const stepId = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]*$/, 'must start with a letter and hold letters, digits, _ and -')

/** The settings of a step beside its action. */
export const stepSettings = z.strictObject({
  id: stepId.optional().describe('Name for later steps: `steps.<id>.outcome`. Default: the action type.'),
  if: conditionSetting().optional().describe('A condition; the step is skipped when it does not hold.'),
  timeout: duration().optional().describe("Deadline of one try. Default: the action's, mostly 30s."),
  retries: z.int().min(0).max(100).optional().describe('Further tries after a failure that may pass. Default 0.'),
  onError: stepId
    .optional()
    .describe(
      'What a failure does to the chain: `stop`, `continue`, or the id of a later step where it goes on. Default stop.',
    ),
  dryRun: z.boolean().optional().describe('Only shown, also in enforce mode. Default false.'),
  store: z
    .string()
    .optional()
    .describe('The output that keeps the files of the step. Default: `evidence` in the data directory.'),
})

/** The settings of a pause between steps. */
export const waitSettings = z.strictObject({
  wait: duration().describe('How long. A restart does not begin it anew.'),
  id: stepId.optional().describe('Name for later steps. Default: `wait`.'),
  if: conditionSetting().optional().describe('A condition; there is no pause when it does not hold.'),
})

/** An action with its settings, or that and the settings of the step. */
export type ActionStep = Use<Action> | ({ readonly action: Use<Action> } & z.input<typeof stepSettings>)

/** Steps that run at the same time; the chain goes on when all have ended. */
export interface ParallelSteps {
  readonly parallel: readonly ActionStep[]
}

/**
 * A step as given.
 * @example { parallel: [label({ labels: { seen: 'yes' } }), { action: event({}), onError: 'continue' }] }
 * @example { wait: '30s' }
 */
export type StepInput = ActionStep | ParallelSteps | WaitInput

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
  /** Run when a step failed that stopped the chain. */
  readonly onFailure?: readonly StepInput[]
  /** Run last, whatever happened. */
  readonly finally?: readonly StepInput[]
  /**
   * Milliseconds for all of `steps`, pauses too. What runs then has timed out; `onFailure` and `finally` still run, each
   * step within its own timeout. Default 600,000.
   */
  readonly deadline?: number
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

/** A step of a rule that runs an action, with its settings. */
export type FullStep = Exclude<ActionStep, Use<Action>>

/** All steps of a rule that run an action, as they stand: those of groups, `onFailure` and `finally` too. */
export const actionSteps = (rule: Pick<RuleInput, 'steps' | 'onFailure' | 'finally'>): readonly FullStep[] =>
  allSteps(rule).flatMap((step) => {
    if ('wait' in step) return []
    return ('parallel' in step ? step.parallel : [step]).map((one) => ('action' in one ? one : { action: one }))
  })

const allSteps = ({
  steps,
  onFailure = [],
  finally: last = [],
}: Pick<RuleInput, 'steps' | 'onFailure' | 'finally'>) => [...steps, ...onFailure, ...last]

/** A pause between steps. */
export type WaitInput = z.input<typeof waitSettings>

/** The pauses of a rule. */
export const pausesOf = (rule: Pick<RuleInput, 'steps' | 'onFailure' | 'finally'>): readonly WaitInput[] =>
  allSteps(rule).flatMap((step) => ('wait' in step ? [step] : []))

/** The rule, with another action in each step that runs one, and maybe with other pauses. */
export const mapActions = (
  rule: RuleInput,
  change: (use: Use<Action>) => Use<Action>,
  pause: (wait: WaitInput) => WaitInput = (wait) => wait,
): RuleInput => {
  const one = (step: ActionStep): ActionStep =>
    'action' in step ? { ...step, action: change(step.action) } : change(step)
  const all = (steps: readonly StepInput[]): readonly StepInput[] =>
    steps.map((step) => {
      if ('wait' in step) return pause(step)
      return 'parallel' in step ? { parallel: step.parallel.map(one) } : one(step)
    })
  return {
    ...rule,
    steps: all(rule.steps),
    ...(rule.onFailure && { onFailure: all(rule.onFailure) }),
    ...(rule.finally && { finally: all(rule.finally) }),
  }
}

/** The mode a rule runs in. */
export const modeOf = (rule: Pick<RuleInput, 'mode'>, gateway: Mode): Mode =>
  rule.mode === 'observe' ? 'observe' : gateway
