/**
 * Rules files and inline rules -> {@link RuleInput}s; what is wrong is told at its place.
 * In steps: files -> items -> what they make together -> lists and macros -> rules.
 */
import { rememberSchemas } from '../config/check.ts'
import type { Document } from '../config/document.ts'
import type { TextChecks } from '../config/expressions.ts'
import type { Files } from '../config/files.ts'
import type { References } from '../config/interpolate.ts'
import type { Problems } from '../config/problems.ts'
import type { Action } from '../plugin.ts'
import { readComposed, tellUnused } from './load-composed.ts'
import { type FileDefinitions, readDefinitions } from './load-definitions.ts'
import { gather } from './load-files.ts'
import { type Merged, mergeItems, tellForm } from './load-merge.ts'
import { asWarnings, makeRule } from './load-rule.ts'
import type { RuleInput } from './rule.ts'
import { readTalonFiles } from './talon.ts'

/** What rules are read with. */
export interface RuleContext {
  readonly actions: readonly Action[]
  /** The ids that `notify` may name; undefined when they are not known. */
  readonly outputs?: ReadonlySet<string> | undefined
  /** Those of them that keep files, with their settings as written. */
  readonly stores?: ReadonlyMap<string, unknown> | undefined
  /** What steps may name as `context.<type>`; undefined when it is not known. */
  readonly contexts?: readonly string[] | undefined
  readonly checks: TextChecks
  readonly problems: Problems
  readonly files: Files
  readonly references: References
}

/** The files, read and merged; their rules are not made yet. */
export interface RuleFiles {
  /** For all conditions of the configuration. */
  readonly definitions: FileDefinitions
  /** The rules, in order, those of Falco Talon's files last. Warns of lists and macros that nothing named by then. */
  rules(): RuleInput[]
}

/** Reads the rules files that the `rules` list of a configuration names, and the items that it holds. */
export const openRules = (config: Document, context: RuleContext): RuleFiles => {
  const { problems } = context
  const found = gather(config, context)
  const merged = mergeItems(found.items, problems)
  const definitions = readDefinitions(merged, problems)
  return {
    definitions,
    rules() {
      const rules = makeRules(merged, definitions, context)
      const talon = found.talon.length > 0 ? readTalonFiles(found.talon, context) : []
      for (const rule of talon) tellTwice(rule, merged, context)
      definitions.tellUnused(problems)
      return [...rules, ...talon]
    },
  }
}

const makeRules = (merged: Merged, definitions: FileDefinitions, context: RuleContext): RuleInput[] => {
  const actions = new Map(context.actions.map((action) => [action.type, action]))
  const { outputs, stores, contexts, problems } = context
  const open = { ...context, outputs, stores, contexts, actions, definitions, schemaOf: rememberSchemas() }
  const maker = { ...open, composed: readComposed(merged.action, open) }
  for (const entry of merged.replaced) tellForm(entry, asWarnings(problems))
  const rules = [...merged.rule.values()].flatMap((entry) => makeRule(entry, maker))
  tellUnused(maker.composed, problems)
  return rules
}

const tellTwice = ({ name, origin }: RuleInput, { rule }: Merged, { problems }: RuleContext): void => {
  const native = rule.get(name)
  if (!native) return
  const { document, path } = native.item
  const message = `rule ${JSON.stringify(name)}: a Falco Talon rules file has one of this name too, at ${String(origin)}`
  problems.add(document, { path: [...path, 'rule'] }, message)
}
