/** The steps of a rule in files: `steps`, `onFailure` and `finally` read together, as they share their ids. */
import { DEADLINE } from '../chain.ts'
import type { Change, Use, Action } from '../plugin.ts'
import { parseDuration } from '../settings.ts'
import { unfold } from './load-action.ts'
import { titleOf } from './load-items.ts'
import { type Entry, listOf } from './load-merge.ts'
import { idsIn, identify, isMap, type Placed, type Stage, stageOf } from './load-stages.ts'
import { type Around, readStep, type StepMaker, tell } from './load-step.ts'
import { actionSteps, type ActionStep, type RuleInput, type StepInput } from './rule.ts'

type Lists = Pick<RuleInput, 'steps' | 'onFailure' | 'finally'>

/** The steps, and the most that any of them does. */
export interface ReadChain {
  /** Undefined when one cannot be made. */
  readonly lists: Lists | undefined
  readonly changes: Change
}

const LISTS = ['steps', 'onFailure', 'finally'] as const

/** Faults of form (a wrong key, a wrong type) are told elsewhere. */
export const readChain = (entry: Entry, maker: StepMaker): ReadChain => {
  const known = new Map<string, string>()
  const lists = LISTS.map((key) => unfold(placedIn(entry, key, maker), known, maker))
  const stages = identify(lists.map((steps) => steps.map(stageOf)))
  checkPauses(entry, stages[0] ?? [], maker)
  const read = stages.map((list, i) => readList(list, idsIn(stages.slice(0, i).flat()), known, maker))
  const [steps = [], onFailure = [], last = []] = read.map((list) => list.filter((step) => step !== undefined))
  const whole = read.every((list) => list.every((step) => step !== undefined))
  const all = { steps, ...(onFailure.length > 0 && { onFailure }), ...(last.length > 0 && { finally: last }) }
  return { lists: whole ? all : undefined, changes: worstOf(all) }
}

/** The steps of a list, each where it stands. */
export const placedIn = (entry: Entry, key: string, { problems }: StepMaker): Placed[] =>
  listOf(entry, key).map((piece) => ({
    ...piece,
    title: titleOf(entry.item),
    label: `${key}[${piece.path.at(-1)}]`,
    problems,
  }))

/** @param several names that stand for several steps, with the id of the first */
export const readList = (
  stages: readonly Stage[],
  before: readonly string[],
  several: ReadonlyMap<string, string>,
  maker: StepMaker,
): (StepInput | undefined)[] =>
  stages.map((stage, i) => {
    const ids = idsIn(stages.slice(i + 1))
    const named = [...several].filter(([, first]) => ids.includes(first))
    const around: Around = {
      before: [...before, ...idsIn(stages.slice(0, i))],
      peers: stage.group ? stage.members.map(({ id }) => id) : [],
      later: new Map([...named, ...ids.map((id) => [id, id] as const)]),
    }
    const members = stage.members.map((step) => readStep(step, around, maker))
    if (!stage.group) return members[0]
    const steps = members.filter((step): step is ActionStep => step !== undefined && !('wait' in step))
    return steps.length === members.length ? { parallel: steps } : undefined
  })

/** Pauses that leave no time for anything else. */
const checkPauses = (entry: Entry, stages: readonly Stage[], maker: StepMaker): void => {
  const pauses = stages.flatMap(({ members }) => members.filter(({ value }) => isMap(value) && 'wait' in value))
  const last = pauses.at(-1)
  const given = entry.pieces.get('deadline')?.at(-1)
  const deadline = durationOf(given?.value) ?? DEADLINE
  const sum = pauses.reduce((all, { value }) => all + (durationOf((value as { wait?: unknown }).wait) ?? 0), 0)
  if (!last || sum < deadline) return
  const message = `the pauses take ${sum / 1_000} s of a deadline of ${deadline / 1_000} s`
  if (!given) return tell(last, ['wait'], `.wait: ${message}; set a longer \`deadline\``)
  maker.problems.add(given.item.document, { path: given.path }, `${titleOf(entry.item)}deadline: ${message}`)
}

const durationOf = (text: unknown): number | undefined => (typeof text === 'string' ? parseDuration(text) : undefined)

const CHANGES: readonly Change[] = ['nothing', 'reversible', 'destructive']

/** The most that any step does. */
const worstOf = (lists: Lists): Change =>
  CHANGES[Math.max(0, ...actionSteps(lists).map(({ action }) => CHANGES.indexOf(changeOf(action))))] ?? 'nothing'

/** What depends on settings that are not known before they are rendered counts as the worst. */
const changeOf = ({ plugin: { changes, config: schema }, config }: Use<Action>): Change => {
  if (typeof changes !== 'function') return changes
  const settings = schema.safeParse(config)
  return settings.success ? changes(settings.data) : 'destructive'
}
