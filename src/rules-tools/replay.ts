/** What rules would have done about recorded events. Answered by a real gateway whose actions touch nothing. */
import { type FalcoEvent, parseEvent } from '../event.ts'
import { createGateway } from '../gateway.ts'
import { type GuardSettings, timeless } from '../guard.ts'
import { createJoins, type Joins, type Leader } from '../join.ts'
import type { Context, Report, Use } from '../plugin.ts'
import type { RuleInput } from '../rules/rule.ts'
import { targetOf } from '../target.ts'
import { simulatedContexts } from './contexts.ts'
import { simulated } from './simulate.ts'

/** One rule over all events. */
export interface ReplayedRule {
  readonly rule: string
  readonly origin?: string
  /** Events that match. */
  readonly events: number
  /** Responses to them; the others join one, by the times of the events. */
  readonly responses: number
  readonly joined: number
  /** Responses by outcome. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Refused steps by reason. */
  readonly refused: Readonly<Record<string, number>>
  /** Failed steps by reason, e.g. `no-context-k8snode`. */
  readonly failed: Readonly<Record<string, number>>
}

/** What rules make of one event: how each that matches ends, by its name. */
export type Answers = ReadonlyMap<string, string>

export interface Replay {
  /** @throws YarakError `invalid` when it is no event */
  answer(raw: unknown, authenticated: string | undefined): Promise<Answers>
  list(): ReplayedRule[]
  stop(): Promise<void>
}

export interface ReplayOptions {
  readonly rules: readonly RuleInput[]
  readonly guards: GuardSettings
  readonly cluster?: string | undefined
  /** What steps may name; no cluster is asked for it, so a step that does fails. Default none. */
  readonly contexts?: readonly Use<Context>[]
}

interface Tally {
  readonly rule: RuleInput
  events: number
  joined: number
  responses: number
  readonly outcomes: Record<string, number>
  readonly refused: Record<string, number>
  readonly failed: Record<string, number>
}

export const createReplay = ({ rules, guards, cluster, contexts = [] }: ReplayOptions): Replay => {
  const gateway = createGateway({
    // what joins is decided here, by the times of the events
    rules: simulated(rules).map((rule) => ({ ...rule, join: 0 })),
    contexts: simulatedContexts(contexts),
    mode: 'observe',
    // who replays alerts knows that they are old, and come faster than they did
    guards: timeless(guards),
    limits: { perTarget: Number.MAX_SAFE_INTEGER },
    ...(cluster !== undefined && { cluster }),
  })
  const tallies = new Map(
    rules.map((rule): [string, Tally] => [
      rule.name,
      { rule, events: 0, joined: 0, responses: 0, outcomes: {}, refused: {}, failed: {} },
    ]),
  )
  let clock = 0
  const joins = createJoins(() => clock)
  return {
    async answer(raw, authenticated) {
      const event = parseEvent(raw, { id: 'replay', input: 'replay', authenticated })
      const receipt = await gateway.emit(raw, { authenticated })
      const reports = await receipt.done
      clock = timeOf(event, clock)
      for (const report of reports) count(report, targetOf(event).key, tallies.get(report.rule), joins)
      // a response that has ended opens its window in the next tick
      await Promise.resolve()
      return new Map(reports.map((report) => [report.rule, endOf(report)]))
    },
    list: () =>
      [...tallies.values()].map(({ rule: { name, origin }, ...rest }) => ({
        rule: name,
        ...(origin !== undefined && { origin }),
        ...rest,
      })),
    stop: () => gateway.stop(),
  }
}

/** An event without a readable time happens when the one before it did. */
const timeOf = ({ time }: FalcoEvent, before: number): number => {
  const at = Date.parse(time)
  return Number.isNaN(at) ? before : at
}

/** Milliseconds in which further events join, when a rule says nothing else. */
const JOIN = 60_000

const count = (report: Report, target: string | undefined, tally: Tally | undefined, joins: Joins): void => {
  if (!tally) return
  tally.events++
  const { rule, outcomes } = tally
  if (joins.find(rule.name, target)) return void tally.joined++
  const leader = { id: report.id, report: Promise.resolve(report) } as unknown as Leader
  joins.lead(rule.name, target, rule.join ?? (rule.parallel ? 0 : JOIN), leader)
  tally.responses++
  add(outcomes, report.outcome)
  for (const { outcome, error } of report.steps) {
    if (outcome === 'refused' || outcome === 'failed') add(tally[outcome], error?.reason ?? outcome)
  }
}

const add = (counts: Record<string, number>, key: string): void => {
  counts[key] = (counts[key] ?? 0) + 1
}

/** @example 'mark succeeded, terminate refused' */
const endOf = ({ steps }: Report): string => steps.map(({ id, outcome }) => `${id} ${outcome}`).join(', ')
