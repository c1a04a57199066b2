/** One test case, answered by a real gateway whose actions touch nothing. */
import { compileChain } from '../chain.ts'
import { type FalcoEvent, parseEvent } from '../event.ts'
import { createGateway } from '../gateway.ts'
import { type GuardSettings, timeless } from '../guard.ts'
import type { Scope } from '../names.ts'
import type { Context, Mode, Notice, Report, StepReport, Use } from '../plugin.ts'
import { defineOutput, z } from '../plugin.ts'
import type { Predicate } from '../rules/condition.ts'
import { compileSelection } from '../rules/matcher.ts'
import type { RuleInput } from '../rules/rule.ts'
import { targetOf } from '../target.ts'
import { createTemplates } from '../template.ts'
import { simulatedCluster } from './cluster.ts'
import type { ClusterSettings } from './cluster.ts'
import { type GivenContexts, simulatedContexts } from './contexts.ts'
import { simulated } from './simulate.ts'

/** A rule with its selection made ready. */
export interface ReadyToMatch {
  readonly rule: RuleInput
  readonly holds: Predicate
}

/** @throws YarakError `config` naming what is wrong */
export const readyToMatch = (rules: readonly RuleInput[]): ReadyToMatch[] =>
  rules.map((rule) => ({ rule, holds: compileSelection(rule) }))

const scopeOf = (event: FalcoEvent): Scope => ({ event, target: targetOf(event) })

/** What is answered, and how. */
export interface CaseRun {
  readonly rules: readonly ReadyToMatch[]
  /** Alerts, as JSON values. */
  readonly events: readonly unknown[]
  readonly mode: Mode
  readonly guards: GuardSettings
  readonly authenticated: boolean
  /** Undefined: the events are believed. */
  readonly cluster: ClusterSettings | undefined
  readonly contexts: readonly Use<Context>[]
  /** What of them is not looked up. */
  readonly given: GivenContexts
}

/** A step that ran, with its settings as they were rendered. */
export interface RanStep extends StepReport {
  readonly rule: string
  readonly with: unknown
}

/** What came of it. */
export interface CaseResult {
  readonly rules: readonly string[]
  readonly steps: readonly RanStep[]
  /** Outputs that were told of a response. */
  readonly notices: readonly string[]
  readonly scopes: readonly Scope[]
}

/** @throws YarakError `invalid` when an event is none */
export const runCase = async (run: CaseRun): Promise<CaseResult> => {
  const { mode, guards, cluster, given, authenticated: isKnown } = run
  const authenticated = isKnown ? 'test' : undefined
  const scopes = run.events.map((raw) => scopeOf(parseEvent(raw, { id: 'test', input: 'test', authenticated })))
  // what no event can reach need not be made ready
  const rules = run.rules.filter(({ holds }) => scopes.some(holds)).map(({ rule }) => rule)
  const told: string[] = []
  const standIns = cluster && new Map([['kubernetes', simulatedCluster(cluster)]])
  let context: Record<string, unknown> = {}
  const found = (type: string, members: unknown): void => void (context[type] = members)
  const gateway = createGateway({
    rules: simulated(rules, standIns),
    outputs: outputsOf(rules, told),
    contexts: simulatedContexts(run.contexts, { given, standIns, found }),
    mode,
    // when and how often says nothing of a rule
    guards: timeless(guards),
  })
  try {
    const answered: Answered[] = []
    for (const [i, raw] of run.events.entries()) {
      const receipt = await gateway.emit(raw, { authenticated })
      const reports = await receipt.done
      answered.push({ scope: { ...(scopes[i] as Scope), context }, reports })
      context = {}
    }
    await gateway.stop()
    return { ...resultOf(answered, rules), notices: [...new Set(told)], scopes }
  } finally {
    await gateway.stop()
  }
}

interface Answered {
  readonly scope: Scope
  readonly reports: readonly Report[]
}

/** An output for each id that a rule notifies; it remembers what responses it is told of. */
const outputsOf = (rules: readonly RuleInput[], told: string[]) =>
  [...new Set(rules.flatMap(({ notify = [] }) => notify))].map((id) => {
    const plugin = defineOutput({
      type: 'test',
      summary: 'Remembers.',
      config: z.strictObject({}),
      open: () => ({
        send: (notices: readonly Notice[]) => {
          if (notices.some(({ report }) => report)) told.push(id)
          return Promise.resolve()
        },
      }),
    })
    return { id, plugin, config: {} }
  })

const resultOf = (answered: readonly Answered[], rules: readonly RuleInput[]): Pick<CaseResult, 'rules' | 'steps'> => {
  const seen = new Set<string>()
  const steps = answered.flatMap(({ scope, reports }) =>
    reports.flatMap((report) => {
      const joined = seen.has(report.id)
      seen.add(report.id)
      return joined ? [] : stepsOf(report, scope, rules)
    }),
  )
  return {
    rules: [...new Set(answered.flatMap(({ reports }) => reports.map(({ rule }) => rule)))],
    steps,
  }
}

const stepsOf = (report: Report, own: Scope, rules: readonly RuleInput[]): RanStep[] => {
  const rule = rules.find(({ name }) => name === report.rule)
  const compiled = rule ? compileChain(rule, createTemplates()).steps : []
  const scope: Scope = {
    ...own,
    steps: Object.fromEntries(report.steps.map((step) => [step.id, step])),
    response: { id: report.id, trace: report.traceId, mode: report.mode },
  }
  const renderOf = (id: string) => compiled.find((step) => step.id === id)?.render
  return report.steps.map((step) => ({ ...step, rule: report.rule, with: rendered(renderOf(step.id), scope) }))
}

/** What cannot be rendered has failed the step, which tells. */
const rendered = (render: ((scope: Scope) => unknown) | undefined, scope: Scope): unknown => {
  try {
    return render?.(scope)
  } catch {
    return undefined
  }
}
