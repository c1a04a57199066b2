/** Which changes a gateway takes back: those of the actions of its rules, and of others that the host names. */
import type { GatewayOptions } from './options.ts'
import type { Action, Undoable } from './plugin.ts'
import { actionSteps, modeOf, type RuleInput } from './rules/rule.ts'
import { canUndo, createUndoer, type UndoHost, type Undoer, type UndoingAction } from './undo.ts'
import { createSweeper, type Sweeper } from './undo-sweep.ts'

type Current = Pick<GatewayOptions, 'rules' | 'mode'>

export interface UndoingHost extends Omit<UndoHost, 'actions'> {
  /** Those in force. */
  current(): Current
  readonly options: Pick<GatewayOptions, 'undoing' | 'resources'>
  /** Milliseconds between two looks for what has expired. */
  readonly interval: number
}

export interface Undoing extends Sweeper {
  /** See {@link Undoer.response}. */
  readonly undo: Undoer['response']
  /** All that can be taken back, in no order. */
  undoable(): Promise<readonly Undoable[]>
}

export const createUndoing = (host: UndoingHost): Undoing => {
  const more = (host.options.undoing ?? []).filter(canUndo)
  const actions = (): readonly UndoingAction[] => once([...actionsOf(host.current().rules), ...more])
  const undoer = createUndoer({ ...host, actions })
  const sweeper = createSweeper({ ...host, undoer, watched: () => watchedBy(host, more) })
  return { ...sweeper, undo: undoer.response, undoable: () => undoer.list(actions()) }
}

/**
 * Those of rules that act; of the others, those that are where these act too, or where the host has set something up:
 * nobody else is asked for a cluster.
 */
const watchedBy = ({ current, options }: UndoingHost, more: readonly UndoingAction[]): readonly UndoingAction[] => {
  const { rules = [], mode = 'observe' } = current()
  if (mode === 'observe') return []
  const acting = actionsOf(rules.filter((rule) => modeOf(rule, mode) === 'enforce'))
  const types = [...acting.map(({ undo }) => undo.in), ...(options.resources ?? []).map(({ plugin }) => plugin)]
  const places = new Set(types.map(({ type }) => type))
  return once([...acting, ...more.filter(({ undo }) => places.has(undo.in.type))])
}

const actionsOf = (rules: readonly RuleInput[] = []): UndoingAction[] =>
  rules.flatMap((rule) => actionSteps(rule).map((step): Action => step.action.plugin)).filter(canUndo)

const once = (actions: readonly UndoingAction[]): readonly UndoingAction[] => [
  ...new Map(actions.map((action) => [action.type, action])).values(),
]
