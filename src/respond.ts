/** Answers one event: its responses, in order per target, and the notices to the outputs. */
import { type Chain, runChain } from './chain.ts'
import type { Counters } from './counters.ts'
import type { Delivery } from './deliver.ts'
import { responseId, uuidv7 } from './ids.ts'
import { createLanes, createPlaces } from './limit.ts'
import type { Scope } from './names.ts'
import type { Limits } from './options.ts'
import type { Log, Mode, Notice, Report } from './plugin.ts'
import type { RuleInput } from './rules/rule.ts'
import type { StepHost } from './step.ts'
import type { Span } from './telemetry.ts'

/** A rule, ready to answer events. */
export interface ReadyRule extends RuleInput {
  readonly chain: Chain
  /** What the rule and the gateway together allow. */
  readonly effective: Mode
}

export interface ResponderHost extends StepHost {
  readonly counters: Counters
  readonly log: Log
  readonly outputs: readonly Delivery[]
  readonly limits: Limits
  /** Fires when running responses are to be cut short. */
  readonly interrupt: AbortSignal
  /** Told of every notice, for `gateway.events()`. */
  publish(notice: Notice): void
}

export interface Responder {
  /** Tells the outputs of the event; resolves when each delivered it, left it out or gave it up. */
  tell(scope: Scope, span: Span): Promise<unknown>
  /** Runs a rule's chain and tells of its report; undefined: suppressed. Resolves when all of it is settled. */
  respond(rule: ReadyRule, scope: Scope, span: Span): Promise<Report> | undefined
  readonly running: number
  readonly queued: number
}

export const createResponder = (host: ResponderHost): Responder => {
  const lanes = createLanes(host.limits.perTarget)
  const places = createPlaces(host.limits.responses)
  let queued = 0

  const offerAll = (notice: Notice, scope: Scope, span: Span, asked: readonly string[] = []): Promise<unknown> => {
    host.publish(notice)
    return Promise.all(host.outputs.map((output) => output.offer(notice, scope, span, asked.includes(output.id))))
  }

  const run = async (rule: ReadyRule, scope: Scope, span: Span, id: string): Promise<Report> => {
    const free = await places.take()
    queued--
    try {
      const response = { id, trace: span.traceId, mode: rule.effective }
      return await runChain(
        {
          chain: rule.chain,
          rule: rule.name,
          responseId: id,
          mode: rule.effective,
          scope: { ...scope, response },
          span,
          signal: host.interrupt,
        },
        host,
      )
    } finally {
      free?.()
    }
  }

  const finish = async (rule: ReadyRule, scope: Scope, span: Span, report: Report): Promise<Report> => {
    host.counters.add('yarak_responses_ended_total', { rule: rule.name, outcome: report.outcome })
    for (const step of report.steps) {
      host.counters.add('yarak_steps_ended_total', { action: step.action, outcome: step.outcome })
    }
    span.set({ 'yarak.outcome': report.outcome })
    const bad = report.steps.find(({ error, outcome }) => error && outcome === report.outcome)
    if (bad) span.fail(new Error(`${bad.id}: ${bad.summary}`))
    const told = offerAll({ id: uuidv7(Date.now()), event: scope.event, report }, scope, span, rule.notify)
    span.end()
    host.log.info('response ended', {
      rule: rule.name,
      outcome: report.outcome,
      response: report.id,
      event: report.event,
      target: report.target,
      trace_id: report.traceId,
    })
    await told
    return report
  }

  return {
    get running() {
      return places.taken
    },
    get queued() {
      return queued
    },
    tell: (scope, span) => offerAll({ id: scope.event.id, event: scope.event }, scope, span),
    respond(rule, scope, span) {
      const id = responseId(scope.event.id, rule.name)
      const own = host.tracing.start(`respond ${rule.name}`, {
        parent: span,
        attributes: attributesOf(rule, scope, id),
      })
      const task = async (): Promise<Report> => finish(rule, scope, own, await run(rule, scope, own, id))
      const key = rule.parallel ? undefined : scope.target?.key
      queued++
      const started = key === undefined ? task() : lanes.run(key, task)
      if (started) return started
      queued--
      host.counters.add('yarak_responses_suppressed_total', { rule: rule.name, reason: 'target_busy' })
      host.log.warn('response suppressed: too many wait for the same target', { rule: rule.name, target: key })
      own.set({ 'yarak.outcome': 'suppressed', 'yarak.reason': 'target_busy' })
      own.end()
      return undefined
    },
  }
}

const attributesOf = (rule: ReadyRule, { target, cluster }: Scope, id: string) => ({
  'yarak.rule': rule.name,
  'yarak.response.id': id,
  'yarak.mode': rule.effective,
  ...(cluster && { 'k8s.cluster.name': cluster }),
  ...(target?.namespace && { 'k8s.namespace.name': target.namespace }),
  ...(target?.pod && { 'k8s.pod.name': target.pod }),
  ...(target?.podUid && { 'k8s.pod.uid': target.podUid }),
  ...(target?.container && { 'container.id': target.container }),
})
