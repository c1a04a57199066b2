/** A rule's steps, checked and made ready once. `chain-run.ts` runs them. */
import type { z } from 'zod'
import { YarakError } from './errors.ts'
import type { Scope } from './names.ts'
import type { Action, Use } from './plugin.ts'
import { predicate, type Predicate } from './rules/condition.ts'
import { contextsIn } from './rules/contexts.ts'
import { parsed } from './rules/parsed.ts'
import { type ActionStep, type RuleInput, type StepInput, stepSettings, waitSettings } from './rules/rule.ts'
import { checkSettings, isTemplate, renderedSchema } from './settings.ts'
import type { Templates } from './template.ts'

interface Common {
  readonly id: string
  /** Its `if`. */
  readonly holds: Predicate | undefined
}

/** A step of a rule, ready to run. */
export interface CompiledStep extends Common {
  readonly use: Use<Action>
  /** Milliseconds of one try; undefined: as the action says. */
  readonly timeout: number | undefined
  readonly retries: number
  /** `stop`, `continue`, or the id of a later step. */
  readonly onError: string
  readonly dryRun: boolean
  /** The id of the output that keeps its files. */
  readonly store: string | undefined
  readonly render: (scope: Scope) => unknown
  /** What rendered settings must keep. */
  readonly schema: z.ZodType
  /** Settings without a template, checked once. */
  readonly fixed: unknown
  /** The contexts that its settings or its condition name. */
  readonly contexts: readonly string[]
}

/** A pause, ready to begin. */
export interface CompiledWait extends Common {
  /** Milliseconds. */
  readonly wait: number
}

/** What runs at the same time: mostly one step. */
export type Stage = readonly (CompiledStep | CompiledWait)[]

/** A rule's steps, ready to run. */
export interface Chain {
  readonly main: readonly Stage[]
  readonly onFailure: readonly Stage[]
  readonly last: readonly Stage[]
  /** Milliseconds for `main`. */
  readonly deadline: number
  /** All steps that run an action, in the order of the rule. */
  readonly steps: readonly CompiledStep[]
}

/** Milliseconds for the steps of a rule that sets no `deadline`. */
export const DEADLINE = 600_000

type ChainInput = Pick<RuleInput, 'name' | 'steps' | 'onFailure' | 'finally' | 'deadline'>

/**
 * Makes the steps of a rule ready.
 * @throws YarakError `config` naming the step
 */
export const compileChain = (rule: ChainInput, templates: Templates): Chain => {
  const maker: Maker = { rule: rule.name, templates, taken: new Set() }
  const lists = [rule.steps, rule.onFailure ?? [], rule.finally ?? []]
  const [main = [], onFailure = [], last = []] = lists.map((steps) => stagesOf(steps, maker))
  const deadline = rule.deadline ?? DEADLINE
  const waits = main.flat().reduce((sum, step) => sum + ('wait' in step ? step.wait : 0), 0)
  if (waits >= deadline) throw wrong(maker, `its pauses take ${waits / 1_000} s of a deadline of ${deadline / 1_000} s`)
  const steps = [...main, ...onFailure, ...last].flat().filter((step) => 'use' in step)
  return { main, onFailure, last, deadline, steps }
}

interface Maker {
  readonly rule: string
  readonly templates: Templates
  /** Ids of steps. */
  readonly taken: Set<string>
}

const wrong = ({ rule }: Pick<Maker, 'rule'>, message: string): YarakError =>
  new YarakError('config', `rule ${rule}: ${message}`)

const stagesOf = (inputs: readonly StepInput[], maker: Maker): readonly Stage[] => {
  const stages = inputs.map((input): Stage => {
    if ('parallel' in input) return input.parallel.map((one) => compileStep(one, maker))
    return ['wait' in input ? compileWait(input, maker) : compileStep(input, maker)]
  })
  for (const [i, stage] of stages.entries()) checkJumps(stage, stages.slice(i + 1), maker)
  return stages
}

/** A jump goes forward, so a chain always ends. */
const checkJumps = (stage: Stage, later: readonly Stage[], maker: Maker): void => {
  for (const step of stage) {
    if (!('use' in step) || step.onError === 'stop' || step.onError === 'continue') continue
    if (later.flat().some(({ id }) => id === step.onError)) continue
    throw wrong(maker, `${step.id}: onError names ${step.onError}, and no later step of the list has that id`)
  }
}

const compileWait = (input: StepInput, maker: Maker): CompiledWait => {
  const settings = checkedBy(waitSettings, input, 'wait', maker)
  const [context] = settings.if === undefined ? [] : contextsIn(undefined, parsed(settings.if))
  if (context !== undefined) throw wrong(maker, `a pause looks up no context: its \`if\` names context.${context}`)
  return { id: takeId(settings.id, 'wait', maker), holds: holdsOf(settings.if), wait: settings.wait }
}

const compileStep = (input: ActionStep, maker: Maker): CompiledStep => {
  const { action: use, ...rest } = 'action' in input ? input : { action: input }
  const settings = checkedBy(stepSettings, rest, use.id, maker)
  const { saves } = use.plugin
  if (saves === 'always' && settings.store === undefined) throw wrong(maker, `${use.id} makes files: name a \`store\``)
  const templated = hasTemplate(use.config)
  return {
    id: takeId(settings.id, use.plugin.type.replaceAll(/[^A-Za-z0-9_-]/g, '-'), maker),
    use,
    holds: holdsOf(settings.if),
    timeout: settings.timeout,
    retries: settings.retries ?? 0,
    onError: settings.onError ?? 'stop',
    dryRun: settings.dryRun ?? false,
    store: settings.store,
    render: templated ? maker.templates.compileValue(use.config) : () => use.config,
    schema: renderedSchema(use.plugin.config),
    fixed: templated ? undefined : use.plugin.config.parse(use.config),
    contexts: contextsIn(use.config, settings.if === undefined ? undefined : parsed(settings.if)),
  }
}

const checkedBy = <T>(
  schema: { parse(value: unknown): T } & Parameters<typeof checkSettings>[0],
  value: unknown,
  what: string,
  maker: Maker,
): T => {
  const [problem] = checkSettings(schema, value)
  if (problem) throw wrong(maker, `${what}: ${problem.message}`)
  return schema.parse(value)
}

const holdsOf = (condition: Parameters<typeof parsed>[0] | undefined): Predicate | undefined =>
  condition === undefined ? undefined : predicate(parsed(condition))

/** A step without an id is known by its action's name, with a number from the second one on. */
const takeId = (given: string | undefined, name: string, { taken, ...maker }: Maker): string => {
  if (given !== undefined && taken.has(given)) throw wrong(maker, `two steps have the id ${given}`)
  const id = given ?? unusedId(name, taken)
  taken.add(id)
  return id
}

const unusedId = (name: string, taken: ReadonlySet<string>): string => {
  if (!taken.has(name)) return name
  for (let n = 2; ; n++) if (!taken.has(`${name}-${n}`)) return `${name}-${n}`
}

const hasTemplate = (value: unknown): boolean =>
  isTemplate(value) || (typeof value === 'object' && value !== null && Object.values(value).some(hasTemplate))
