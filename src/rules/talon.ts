/**
 * Rules files of Falco Talon, as they are: merged as Talon merges them, and translated into rules of ours that decide
 * the same. There is one way to decide: what `yarak import talon` prints is what the engine runs.
 */
import type { Document } from '../config/document.ts'
import type { Action } from '../plugin.ts'
import { messageOf } from '../errors.ts'
import { parseCondition, printCondition } from './condition.ts'
import type { RuleContext } from './load.ts'
import type { Match, RuleInput } from './rule.ts'
import { mergeActions, mergeRules } from './talon-merge.ts'
import { type Selection, selectionOf, warnOfAbsence, without } from './talon-match.ts'
import {
  readTalon,
  ruleTitle,
  type TalonAction,
  type TalonFile,
  type TalonRule,
  type Tell,
  tellOf,
} from './talon-read.ts'
import { type Catalog, catalogOf, type NativeStep, stepsOf } from './talon-steps.ts'

/** A rule as a rules file writes it. */
export interface NativeRule {
  readonly rule: string
  readonly description?: string
  readonly match?: Match
  readonly condition?: string
  readonly steps: readonly NativeStep[]
  readonly notify?: readonly string[]
  readonly mode?: 'observe'
}

/** A rule of Talon's, and what became of it. */
export interface Translated {
  readonly name: string
  /** `file:line`. */
  readonly origin: string
  /** Undefined when it could not be translated: that has been told. */
  readonly rule: NativeRule | undefined
}

/** What of a {@link RuleContext} the translation needs. */
export type TalonContext = Pick<RuleContext, 'actions' | 'outputs' | 'stores' | 'problems'>

/**
 * The rules of all Talon files of a configuration, in Talon's order.
 * @example readTalonFiles([document], context).map(({ name }) => name)
 */
export const readTalonFiles = (documents: readonly Document[], context: TalonContext): RuleInput[] => {
  const files = documents.map((document) => readTalon(document, context.problems))
  const actions = new Map(context.actions.map((action) => [action.type, action]))
  return translateTalon(files, context).flatMap(({ rule, origin }) => (rule ? [toInput(rule, origin, actions)] : []))
}

/** The rules of files that are read, in our terms. */
export const translateTalon = (files: readonly TalonFile[], context: TalonContext): Translated[] => {
  const { problems } = context
  const shared = mergeActions(
    files.flatMap(({ actions }) => actions),
    problems,
  )
  const rules = mergeRules(
    files.flatMap((file) => file.rules),
    problems,
  )
  const catalog = catalogOf(context.actions)
  const ending: Selection[] = []
  return rules.map((rule) => {
    const tell = tellOf(problems, ruleTitle(rule.name))
    const selection = selectionOf(rule.match, tell)
    const translated = translate(rule, selection && without(selection, ending), { ...context, shared, catalog, tell })
    if (rule.continue === false && selection) ending.push(selection)
    return { name: rule.name, origin: rule.origin, rule: translated }
  })
}

interface RuleWork extends TalonContext {
  readonly shared: ReadonlyMap<string, TalonAction>
  readonly catalog: Catalog
  readonly tell: Tell
}

const translate = (rule: TalonRule, selection: Selection | undefined, work: RuleWork): NativeRule | undefined => {
  const steps = stepsOf(rule, work)
  const condition = selection?.condition && printCondition(selection.condition)
  const fault = condition === undefined ? undefined : conditionFault(condition)
  if (fault !== undefined) work.tell(rule.spot, `its condition: ${fault}`)
  if (!selection || !steps || fault !== undefined) return undefined
  warnOfReach(rule, selection, steps, work)
  const notify = notifyOf(rule, work)
  return {
    rule: rule.name,
    ...(rule.description !== undefined && { description: rule.description }),
    ...(selection.match && { match: selection.match }),
    ...(condition !== undefined && { condition }),
    steps,
    ...(notify.length > 0 && { notify }),
    ...(rule.dryRun && { mode: 'observe' }),
  }
}

/** A condition can grow too long, where many rules before it end the matter. */
const conditionFault = (condition: string): string | undefined => {
  try {
    parseCondition(condition)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** What a rule that changes something may reach without anybody having thought of it. */
const warnOfReach = (
  { spot, match }: TalonRule,
  selection: Selection,
  steps: readonly NativeStep[],
  work: RuleWork,
): void => {
  const { catalog, tell } = work
  if (steps.every(({ action }) => catalog.get(action)?.plugin.changes === 'nothing')) return
  if (!selection.match && selection.condition === undefined) {
    tell(spot, 'it has no `match`, so it acts on every event', 'warning')
  }
  warnOfAbsence(match, tell)
}

/** Notifiers are outputs of the same name. */
const notifyOf = ({ notifiers }: TalonRule, { outputs, tell }: RuleWork): string[] => {
  const known = notifiers.filter(({ value, spot }) => {
    const isKnown = !outputs || outputs.has(value)
    if (!isKnown) tell(spot, `notifiers: ${value} is not a configured output, so it is not told`, 'warning')
    return isKnown
  })
  return [...new Set(known.map(({ value }) => value))]
}

type Actions = ReadonlyMap<string, Action>

const toInput = ({ rule, steps, ...rest }: NativeRule, origin: string, actions: Actions): RuleInput => ({
  name: rule,
  origin,
  ...rest,
  steps: steps.flatMap(({ action: type, with: config = {}, ...step }) => {
    const plugin = actions.get(type)
    return plugin ? [{ ...step, action: { id: type, plugin, config } }] : []
  }),
})
