/** The actions that files compose: each is checked by itself, before any rule uses it. */
import type { TextFault } from '../config/expressions.ts'
import type { Path } from '../config/document.ts'
import { type Composed, type ComposedActions, defaultsOf, insert, paramFault, paramsOf } from './load-action.ts'
import { readList } from './load-chain.ts'
import { type Tell, titleOf } from './load-items.ts'
import { type Entries, type Entry, listOf, tellForm } from './load-merge.ts'
import { idsIn, identify, stageOf } from './load-stages.ts'
import type { StepMaker } from './load-step.ts'

class Actions extends Map<string, Composed> implements ComposedActions {
  readonly used = new Set<string>()
}

/** Reads them, in any order; what is wrong with them is told at their place. */
export const readComposed = (entries: Entries, maker: Omit<StepMaker, 'composed' | 'open'>): ComposedActions => {
  const composed = new Actions()
  for (const [name, entry] of entries) composed.set(name, { entry, ids: [], sound: false })
  for (const [name, entry] of entries) composed.set(name, checked(entry, { ...maker, composed, open: true }))
  return composed
}

/** Warns of those that no step names. */
export const tellUnused = (composed: ComposedActions, problems: Tell): void => {
  for (const [name, { entry, sound }] of composed) {
    const { document, path } = entry.item
    if (!sound || composed.used.has(name)) continue
    problems.add(document, { path: [...path, 'action'] }, `${titleOf(entry.item)}no step names this action`, 'warning')
  }
}

const checked = (entry: Entry, maker: StepMaker): Composed => {
  const { problems, errors } = counting(maker.problems)
  const { item } = entry
  tellForm(entry, problems)
  if (maker.actions.has(item.name)) {
    const message = `${titleOf(item)}there is an action of this name already`
    problems.add(item.document, { path: [...item.path, 'action'] }, message)
  }
  checkParams(entry, problems)
  const stages = identify([insert(entry, defaultsOf(entry), { problems }).map(stageOf)])[0] ?? []
  const steps = readList(stages, [], new Map(), { ...maker, problems })
  return { entry, ids: idsIn(stages), sound: errors() === 0 && steps.every((step) => step !== undefined) }
}

const counting = (to: Tell) => {
  let count = 0
  const problems: Tell = {
    add(document, where, message, severity) {
      if (severity !== 'warning') count++
      to.add(document, where, message, severity)
    },
  }
  return { problems, errors: () => count }
}

const checkParams = (entry: Entry, problems: Tell): void => {
  const known = Object.keys(paramsOf(entry))
  for (const { value, path } of listOf(entry, 'steps')) {
    for (const { at, fault } of faultsIn(value, path, known)) {
      const message = `${titleOf(entry.item)}steps[${path.at(-1)}]: ${fault.message}`
      problems.add(entry.item.document, { path: at, offset: fault.offset }, message)
    }
  }
}

function* faultsIn(value: unknown, at: Path, known: readonly string[]): Generator<{ at: Path; fault: TextFault }> {
  if (typeof value === 'string') {
    const fault = paramFault(value, known)
    if (fault) yield { at, fault }
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      yield* faultsIn(inner, [...at, Array.isArray(value) ? Number(key) : key], known)
    }
  }
}
