/** Talon files, read as the engine reads them, and events to try them on. */
import { createProblems } from '../../src/config/problems.ts'
import { readDocument } from '../../src/config/read.ts'
import { parseEvent } from '../../src/event.ts'
import { actions } from '../../src/actions/index.ts'
import { type Action, defineAction, z } from '../../src/plugin.ts'
import { createMatcher } from '../../src/rules/matcher.ts'
import { actionSteps, type RuleInput } from '../../src/rules/rule.ts'
import { readTalonFiles } from '../../src/rules/talon.ts'

/** An actionner that takes anything of every kind. */
export const anything = defineAction({
  type: 'test:anything',
  summary: 'Takes every kind of parameter.',
  changes: 'nothing',
  config: z.strictObject({
    text: z.string().optional(),
    count: z.int().optional(),
    flag: z.boolean().optional(),
    list: z.array(z.string()).optional(),
    map: z.record(z.string(), z.unknown()).optional(),
  }),
  run: async () => ({ summary: 'done' }),
})

const known: readonly Action[] = [...actions, anything]

export interface TalonOptions {
  /** The outputs that are configured; default: nobody knows. */
  readonly outputs?: readonly string[]
  /** Those that keep files, with their settings. */
  readonly stores?: Readonly<Record<string, unknown>>
  /** Default: all there are. */
  readonly actions?: readonly Action[]
}

/** Reads files named a.yaml, b.yaml, ... */
export const talon = (
  texts: string | readonly string[],
  { outputs, stores, actions: only = known }: TalonOptions = {},
) => {
  const problems = createProblems()
  const references = { env: {}, file: () => '' }
  const documents = [texts].flat().map((text, i) => readDocument(`${'abc'[i]}.yaml`, text, problems, { references }))
  const context = {
    actions: only,
    outputs: outputs && new Set(outputs),
    stores: stores && new Map(Object.entries(stores)),
    problems,
  }
  const rules = readTalonFiles(documents, context)
  const told = problems
    .list()
    .map(({ file, line, column, severity, message }) =>
      [`${file.slice(0, 1)}:${line}:${column}`, ...(severity === 'warning' ? ['warning'] : []), message].join(' '),
    )
  return { rules, told, errors: told.filter((line) => !/^\S+ warning /.test(line)) }
}

/** The text of one rule with one action, and this `match`. */
export const matching = (match: string, name = 'R'): string =>
  `- rule: ${name}\n  match: ${match}\n  actions: [{ action: A, actionner: test:anything }]\n`

export interface Alert {
  readonly rule?: string
  readonly priority?: string
  readonly source?: string
  readonly tags?: readonly string[]
  readonly output_fields?: Readonly<Record<string, unknown>>
}

/** The names of the rules that an event matches. */
export const matched = (rules: readonly RuleInput[], alert: Alert): string[] => {
  const event = parseEvent(
    JSON.stringify({ rule: 'Shell', priority: 'Notice', time: '2026-11-23T08:00:00Z', output: 'x', ...alert }),
    { id: '1', input: 'test' },
  )
  return createMatcher(rules)
    .match({ event })
    .map(({ name }) => name)
}

/** Whether an event matches a rule with this `match`, which must be well-formed. */
export const holds = (match: string, alert: Alert): boolean => {
  const { rules, errors } = talon(matching(match))
  if (errors.length > 0) throw new Error(errors.join('\n'))
  return matched(rules, alert).length === 1
}

/** What the actions of the first rule are given: `{ type: with }` of each. */
export const given = (rules: readonly RuleInput[]): unknown[] =>
  actionSteps(rules[0] ?? { steps: [] }).map(({ action, ...rest }) => ({
    ...rest,
    action: action.id,
    with: action.config,
  }))
