/** A rule of the files, all changes applied -> {@link RuleInput}; what is wrong is told where it stands. */
import type { Severity } from '../config/problems.ts'
import { suggestion } from '../config/suggest.ts'
import type { Change } from '../plugin.ts'
import { type Condition, warningsOf } from './condition.ts'
import { ruleFile } from './file.ts'
import { readChain } from './load-chain.ts'
import { type Tell, titleOf } from './load-items.ts'
import { type Entry, listOf, type Piece, tellForm, valueOf } from './load-merge.ts'
import type { StepMaker } from './load-step.ts'
import { conditionText, type ConditionText, readText, tellInText } from './load-text.ts'
import { type Match, matchSettings, type RuleInput } from './rule.ts'

/** The rule; none when it is switched off, or something is wrong with it. */
export const makeRule = (entry: Entry, maker: StepMaker): RuleInput[] => {
  const enabled = valueOf(entry, 'enabled') !== false
  const problems = enabled ? maker.problems : asWarnings(maker.problems)
  tellForm(entry, problems)
  const inner = { ...maker, problems }
  const { lists, changes } = readChain(entry, inner)
  const match = readMatch(entry, inner)
  const condition = readRuleCondition(entry, inner, changes)
  checkNotify(entry, inner)
  if (changes !== 'nothing' && !selects(match) && !entry.pieces.has('condition')) warnOfAll(entry, match, problems)
  const rule = ruleFile.safeParse(settingsOf(entry)).data
  if (!enabled || !rule || !lists) return []
  return [
    {
      name: rule.rule,
      ...lists,
      origin: entry.item.origin,
      parallel: rule.parallel,
      ...(rule.join !== undefined && { join: rule.join }),
      ...(rule.deadline !== undefined && { deadline: rule.deadline }),
      ...(rule.description !== undefined && { description: rule.description }),
      ...(match && { match }),
      ...(condition !== undefined && { condition }),
      ...(rule.notify && { notify: rule.notify }),
      ...(rule.mode !== undefined && { mode: 'observe' }),
    },
  ]
}

/** What is switched off, or has been replaced, cannot stop a start. */
export const asWarnings = (problems: Tell): Tell => ({
  add: (document, where, message) => problems.add(document, where, message, 'warning'),
})

const ONE_OF_MANY = ['steps', 'onFailure', 'finally', 'notify']

/** The settings of a rule that stand for themselves, as one item would give them. */
const settingsOf = (entry: Entry): Record<string, unknown> => {
  const keys = [...entry.pieces.keys()].filter((key) => Object.hasOwn(ruleFile.shape, key))
  const of = (key: string): unknown =>
    ONE_OF_MANY.includes(key)
      ? listOf(entry, key).map(({ value }) => value)
      : key === 'description'
        ? (entry.pieces.get(key) ?? []).map(({ value }) => value).join(' ')
        : valueOf(entry, key)
  return Object.fromEntries(keys.map((key) => [key, of(key)]))
}

/** The criteria, each told of at its own place. */
const readMatch = (entry: Entry, { checks, problems }: StepMaker): Match | undefined => {
  const keys = [...entry.pieces.keys()].filter((key) => key.startsWith('match.'))
  if (keys.length === 0) return entry.pieces.has('match') ? {} : undefined
  const criteria = keys.flatMap((key) => {
    const [first] = entry.pieces.get(key) as [Piece]
    const value = Array.isArray(first.value) ? listOf(entry, key).map((one) => one.value) : first.value
    const { data } = matchSettings.safeParse({ [key.slice('match.'.length)]: value })
    const fault = data && checks.selection({ match: data })
    if (fault) tellPiece(problems, first, fault.message)
    else if (isEmpty(value)) tellPiece(problems, first, `${key} is empty, so it selects every event`, 'warning')
    return Object.entries(data ?? {})
  })
  return Object.fromEntries(criteria)
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0

const tellPiece = (problems: Tell, { item, path }: Piece, message: string, severity?: Severity): void =>
  problems.add(item.document, { path }, `${titleOf(item)}${message}`, severity)

const readRuleCondition = (entry: Entry, maker: StepMaker, changes: Change): RuleInput['condition'] => {
  const whole = conditionText(entry.pieces.get('condition'))
  if (!whole) return undefined
  const { definitions, problems, checks } = maker
  const { condition, setting } = readText(whole, definitions, problems)
  const fault = condition && checks.selection({ condition })
  if (fault) tellInText(whole, problems, fault)
  if (condition && changes === 'destructive') warnOfAbsent(whole, condition, problems)
  return fault ? undefined : setting
}

/** Once for each field; with a long list put in, the comparison is left out. */
const warnOfAbsent = (whole: ConditionText, condition: Condition, problems: Tell): void => {
  const told = new Set<string>()
  for (const { name, offset, message: full } of warningsOf(condition)) {
    if (told.has(name)) continue
    told.add(name)
    const short = `this also holds when ${name} is absent; write ${name} exists and not (...)`
    tellInText(whole, problems, { message: full.length > MAX_MESSAGE ? short : full, offset, warning: true })
  }
}

const MAX_MESSAGE = 240

const checkNotify = (entry: Entry, { outputs, problems }: StepMaker): void => {
  for (const piece of listOf(entry, 'notify')) {
    const { value: id } = piece
    if (typeof id !== 'string' || !outputs || outputs.has(id)) continue
    tellPiece(problems, piece, `notify: ${id} is not a configured output${suggestion(id, outputs)}`)
  }
}

/** Whether anything is left out; a criterion without entries leaves out nothing. */
const selects = (match: Match = {}): boolean => Object.values(match).some((value) => !isEmpty(value))

const warnOfAll = ({ item }: Entry, match: Match | undefined, problems: Tell): void => {
  const why = match ? 'its `match` names nothing' : 'it has neither `match` nor `condition`'
  const message = `${titleOf(item)}${why}, so it acts on every event`
  problems.add(item.document, { path: [...item.path, 'rule'] }, message, 'warning')
}
