/** Rules files and inline rules -> {@link RuleInput}s; what is wrong is told at its place. */
import { checkValue } from '../config/check.ts'
import { type Document, lineOf, type Path } from '../config/document.ts'
import { checkSelection, type TextChecks } from '../config/expressions.ts'
import { beside, type Files, isGlob } from '../config/files.ts'
import type { References } from '../config/interpolate.ts'
import type { Problems } from '../config/problems.ts'
import { readDocument } from '../config/read.ts'
import { suggestion } from '../config/suggest.ts'
import { messageOf } from '../errors.ts'
import type { Action } from '../plugin.ts'
import { foreignFile, keysOf, ruleFile, type RuleFile } from './file.ts'
import { type Match, matchSettings, type RuleInput } from './rule.ts'
import { readSteps } from './load-steps.ts'

/** What rules are read with. */
export interface RuleContext {
  readonly actions: readonly Action[]
  /** The ids that `notify` may name; undefined when they are not known. */
  readonly outputs?: ReadonlySet<string> | undefined
  readonly checks: TextChecks
  readonly problems: Problems
  readonly files: Files
  readonly references: References
}

/** The names met so far, and where. */
type Names = Map<string, string>

/** The rules that the `rules` list of a configuration names or holds. */
export const loadRules = (config: Document, context: RuleContext): RuleInput[] => {
  const names: Names = new Map()
  const entries = (config.value as { rules: unknown[] }).rules
  return entries.flatMap((entry, i) => {
    if (typeof entry !== 'string') return readRule({ document: config, path: ['rules', i], context, names })
    return filesOf(config, entry, i, context).flatMap((file) =>
      loadFile(file, names, context, (message) => context.problems.add(config, { path: ['rules', i] }, message)),
    )
  })
}

const filesOf = (config: Document, entry: string, i: number, { files, problems }: RuleContext): string[] => {
  const path = beside(config.file, entry)
  if (!isGlob(path)) return [path]
  const found = files.list(path)
  if (found.length === 0) problems.add(config, { path: ['rules', i] }, `rules: no file matches ${entry}`, 'warning')
  return found
}

/**
 * The rules of files that no configuration names, as `yarak run --rules` gives them.
 * @example loadRuleFiles(['rules.yaml'], context).length
 */
export const loadRuleFiles = (files: readonly string[], context: RuleContext): RuleInput[] => {
  const names: Names = new Map()
  return files.flatMap((file) => loadFile(file, names, context, (message) => context.problems.addFile(file, message)))
}

const loadFile = (file: string, names: Names, context: RuleContext, fail: (message: string) => void): RuleInput[] => {
  const { files, problems, references } = context
  let text: string
  try {
    text = files.read(file)
  } catch (error) {
    fail(`cannot read the rules file ${file}: ${messageOf(error)}`)
    return []
  }
  const own = { ...references, file: (path: string) => files.read(beside(file, path)) }
  const document = readDocument(file, text, problems, { references: own })
  return document.parsed ? readRuleList(document, names, context) : []
}

const readRuleList = (document: Document, names: Names, context: RuleContext): RuleInput[] => {
  const { value } = document
  if (value === null || value === undefined) return []
  if (!Array.isArray(value)) {
    context.problems.add(document, { path: [] }, 'a rules file is a list of `- rule:` items')
    return []
  }
  const foreign = foreignFile(value)
  if (foreign) {
    context.problems.add(document, { path: [foreign.index, ...foreign.at], key: true }, foreign.message)
    return []
  }
  return value.flatMap((_, i) => readRule({ document, path: [i], context, names }))
}

interface Item {
  readonly document: Document
  readonly path: Path
  readonly context: RuleContext
  readonly names: Names
}

const readRule = ({ document, path, context, names }: Item): RuleInput[] => {
  const item = at(document.value, path)
  const keys = keysOf(item)
  if (!keys.has('rule')) {
    const found = [...keys][0]
    const but = found === undefined ? '' : `; this has \`${found}\``
    context.problems.add(document, { path }, `an item of a rules file is a map with \`rule\`, its name${but}`)
    return []
  }
  const raw = item as Record<string, unknown>
  const problems = raw['enabled'] === false ? asWarnings(context.problems) : context.problems
  const title = `rule ${JSON.stringify(raw['rule'])}: `
  const origin = `${document.file}:${lineOf(document, path)}`
  claimName(names, raw['rule'], origin, (message) => problems.add(document, { path: [...path, 'rule'] }, message))
  const checked = checkValue({ document, path, schema: ruleFile, value: raw, problems, name: title.trimEnd() })
  const { steps: written } = (checked?.value ?? raw) as { steps?: unknown }
  const steps = readSteps({ ...context, document, path: [...path, 'steps'], title, value: written, problems })
  checkRule({ document, path, title, problems, context, rule: selectionOf(raw) })
  if (!checked) return []
  const rule = ruleFile.parse(checked.value)
  return rule.enabled && steps ? [toInput(rule, steps, origin)] : []
}

const claimName = (names: Names, name: unknown, origin: string, tell: (message: string) => void): void => {
  if (typeof name !== 'string') return
  const first = names.get(name)
  if (first !== undefined) tell(`rule ${JSON.stringify(name)}: there is one of this name already, at ${first}`)
  else names.set(name, origin)
}

interface Checked {
  readonly document: Document
  readonly path: Path
  readonly title: string
  readonly problems: Problems
  readonly rule: Selected
  readonly context: RuleContext
}

/** What of a rule has the right form, whatever else is wrong with it. */
interface Selected {
  readonly match?: Match | undefined
  readonly condition?: string | undefined
  readonly notify: readonly unknown[]
  readonly actions: readonly unknown[]
  readonly selects: boolean
}

const selectionOf = ({ match, condition, notify, steps }: Record<string, unknown>): Selected => ({
  match: matchSettings.safeParse(match).data,
  condition: typeof condition === 'string' ? condition : undefined,
  notify: Array.isArray(notify) ? notify : [],
  actions: Array.isArray(steps) ? steps.map((step: { action?: unknown } | null) => step?.action) : [],
  selects: match !== undefined || condition !== undefined,
})

const checkRule = ({ document, path, title, problems, rule, context }: Checked): void => {
  checkSelection({ document, path, name: title, problems }, rule, context.checks)
  for (const [i, id] of rule.notify.entries()) {
    if (typeof id !== 'string' || !context.outputs || context.outputs.has(id)) continue
    const more = suggestion(id, context.outputs)
    problems.add(document, { path: [...path, 'notify', i] }, `${title}notify: ${id} is not a configured output${more}`)
  }
  const changes = context.actions.some((one) => one.changes !== 'nothing' && rule.actions.includes(one.type))
  if (changes && !rule.selects) {
    const message = `${title}it has neither \`match\` nor \`condition\`, so it acts on every event`
    problems.add(document, { path: [...path, 'rule'] }, message, 'warning')
  }
}

const toInput = (rule: RuleFile, steps: RuleInput['steps'], origin: string): RuleInput => ({
  name: rule.rule,
  steps,
  origin,
  parallel: rule.parallel,
  ...(rule.description !== undefined && { description: rule.description }),
  ...(rule.match && { match: rule.match }),
  ...(rule.condition !== undefined && { condition: rule.condition }),
  ...(rule.notify && { notify: rule.notify }),
  ...(rule.mode !== undefined && { mode: 'observe' }),
})

/** A rule that is switched off cannot stop a start. */
const asWarnings = (problems: Problems): Problems => ({
  ...problems,
  add: (document, where, message) => problems.add(document, where, message, 'warning'),
})

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((inner, part) => (inner as Record<string | number, unknown> | undefined)?.[part], value)
