/** Answers one event: its responses, in order per target, and the notices to the outputs. */
import { runChain } from './chain-run.ts'
import type { Answer, Attempt, Claimable } from './claim.ts'
import { type AnswerOnce, answerHere, isShared } from './claims.ts'
import { secondsSince } from './clock.ts'
import type { Counters } from './counters.ts'
import type { Delivery } from './deliver.ts'
import { YarakError } from './errors.ts'
import type { Generation, ReadyRule } from './generation.ts'
import { responseId } from './ids.ts'
import { createJoins, type Leader } from './join.ts'
import { createLanes, createPlaces } from './limit.ts'
import { traceFields } from './log-area.ts'
import type { Scope } from './names.ts'
import type { Limits } from './options.ts'
import { type EventPast, NO_PAST } from './past.ts'
import type { Log, Notice, Report } from './plugin.ts'
import type { StepHost } from './step.ts'
import type { Span } from './telemetry.ts'

export interface ResponderHost extends Omit<StepHost, 'guard' | 'context' | 'store'> {
  readonly counters: Counters
  readonly log: Log
  readonly limits: Limits
  /** Fires when running responses are to be cut short. */
  readonly interrupt: AbortSignal
  /** Told of every notice, for `gateway.events()`. */
  publish(notice: Notice): void
  /** As outputs see it. */
  present(notice: Notice): Notice
  /** How it is agreed with other processes who answers; undefined: there are none. */
  readonly answerOnce?: AnswerOnce | undefined
  /** A report without secrets. */
  clean(report: Report, event: Notice['event']): Report
}

/** An event that is to be answered. */
export interface Reception {
  readonly scope: Scope
  /** The span of its reception. */
  readonly span: Span
  /** The rules, outputs and guards that it is answered by. */
  readonly generation: Generation
  readonly past: EventPast
  /** An earlier run accepted it. */
  readonly resumed: boolean
  /** What a stop cuts short comes again, so nobody is told that it was cut short. */
  readonly comesAgain: boolean
  /** Its source delivers it again, and may do so to another process. */
  readonly replayable: boolean
}

/** What it takes to tell the outputs of an event. */
export type Told = Omit<Reception, 'past'> & { readonly past: Pick<EventPast, 'wasTold' | 'told'> }

export interface Responder {
  /** Tells the outputs of the event; resolves when each delivered it, left it out, gave it up or has it durable. */
  tell(reception: Told): Promise<unknown> | undefined
  /**
   * Runs a rule's chain and tells of its report, or joins a response that does or did the same; undefined: suppressed.
   * Resolves when all of it is settled.
   */
  respond(rule: ReadyRule, reception: Reception): Promise<Report> | undefined
  readonly running: number
  readonly queued: number
}

/** Milliseconds in which further events on the same target join a response. */
const JOIN = 60_000

export const createResponder = (host: ResponderHost): Responder => {
  const lanes = createLanes(host.limits.perTarget)
  const places = createPlaces(host.limits.responses)
  const joins = createJoins()
  let queued = 0

  const offerAll = (about: Notice, { scope, past, generation }: Told, span: Span, asked: readonly string[] = []) => {
    const whole = scope.cluster === undefined ? about : { ...about, cluster: scope.cluster }
    host.publish(whole)
    if (generation.outputs.length === 0) return undefined
    const notice = host.present(whole)
    const rule = notice.report?.rule
    const open = generation.outputs.filter(({ id }) => !past.wasTold(id, rule))
    const offer = async (output: Delivery): Promise<void> => {
      const how = await output.offer(notice, scope, span, asked.includes(output.id))
      if (how !== 'filtered') past.told(output.id, rule)
    }
    return Promise.all(open.map(offer))
  }

  /** Takes it from those that wait, and puts it back with them: it is theirs until its report is agreed on. */
  const run = async (
    rule: ReadyRule,
    reception: Reception,
    span: Span,
    attempt: Attempt,
    id: string,
  ): Promise<Report> => {
    const { scope, generation } = reception
    const free = await places.take()
    queued--
    try {
      const response = { id, trace: span.traceId, mode: rule.effective }
      host.counters.observe('yarak_alert_to_action_seconds', secondsSince(scope.event.time), { rule: rule.name }, span)
      return await runChain(
        {
          chain: rule.chain,
          rule: rule.name,
          responseId: id,
          mode: rule.effective,
          scope: { ...scope, response },
          span,
          signal: attempt.signal,
          past: attempt.past,
          resumed: reception.resumed || attempt.traceparent !== undefined,
        },
        stepHostOf(generation),
      )
    } finally {
      free?.()
      queued++
    }
  }

  /** What steps need of the generation that they began on. */
  const stepHostOf = (generation: Generation): StepHost => ({
    ...host,
    guard: generation.guard,
    store: (id) => generation.outputs.find((output) => output.id === id)?.store,
    context: async (name, { event, target = { key: undefined } }, span, signal) => {
      const use = generation.contexts.get(name)
      if (!use) throw new YarakError('config', `there is no context ${name}`, { permanent: true })
      return use.plugin.lookup(use.config, { event, target, signal }, host.io(use.id, span))
    },
  })

  const ended = (rule: ReadyRule, span: Span, report: Report, event: Notice['event']): void => {
    host.compat?.ended(report, event)
    host.counters.add('yarak_responses_ended_total', { rule: rule.name, outcome: report.outcome })
    for (const step of report.steps) {
      const labels = { action: step.action, outcome: step.outcome }
      host.counters.add('yarak_steps_ended_total', labels)
      if (step.outcome !== 'skipped')
        host.counters.observe('yarak_step_duration_seconds', step.duration / 1_000, labels, span)
    }
    span.set({ 'yarak.outcome': report.outcome })
    host.counters.observe(
      'yarak_response_duration_seconds',
      report.duration / 1_000,
      { rule: rule.name, outcome: report.outcome },
      span,
    )
    const bad = report.steps.find(({ error, outcome }) => error && outcome === report.outcome)
    if (bad?.error) span.fail(new YarakError('failed', `${bad.id}: ${bad.summary}`, { reason: bad.error.reason }))
    host.log.info('response ended', {
      rule: rule.name,
      outcome: report.outcome,
      response: report.id,
      event: report.event,
      target: report.target,
      ...traceFields(span),
    })
  }

  /**
   * Opens the span of a response.
   * @param before of one that goes on: the span of whoever began it, and the one that waited for it
   */
  const open = (
    rule: ReadyRule,
    { scope, generation, span, resumed }: Reception,
    id: string,
    before?: { readonly traceparent: string; readonly span: Span },
  ): Span =>
    host.tracing.start(`respond ${rule.name}`, {
      parent: before ? host.tracing.remote(before.traceparent, scope.cluster) : span,
      ...(before && { links: [before.span] }),
      attributes: {
        ...attributesOf(rule, scope, id),
        'yarak.generation': generation.number,
        ...((resumed || before) && { 'yarak.resumed': true }),
      },
    })

  const lead = (rule: ReadyRule, reception: Reception, id: string): Promise<Report> | undefined => {
    const { scope } = reception
    let span = open(rule, reception, id)
    const past = rule.effective === 'enforce' ? reception.past.of(rule.name) : NO_PAST
    const report = Promise.withResolvers<Report>()
    const attempt = (one: Attempt): Promise<Report> => {
      if (one.traceparent !== undefined) {
        const before = span
        span = open(rule, reception, id, { traceparent: one.traceparent, span: before })
        before.set({ 'yarak.outcome': 'taken-over' })
        before.end()
      }
      return run(rule, reception, span, one, id)
    }
    const task = async (): Promise<Report> => {
      const note = (what: string): void => span.event('claim', { 'yarak.verdict': what })
      const answer = await answerOf(rule, reception, { id, past, note, traceparent: span.traceparent }, attempt)
      queued--
      const made = answer.report
      if (answer.elsewhere) leftToOther(rule, span)
      else ended(rule, span, made, scope.event)
      report.resolve(made)
      const cut = made.outcome === 'interrupted' && reception.comesAgain && host.interrupt.aborted
      const about = { id, event: scope.event, report: made }
      const told = cut || answer.told ? undefined : offerAll(about, reception, span, rule.notify)
      // open until those who are told of it have it, so that no child outlives it
      await told
      if (!cut) void answer.settle()
      span.end()
      return made
    }
    const key = rule.parallel ? undefined : keyOf(scope)
    queued++
    const started = key === undefined ? task() : lanes.run(key, task)
    if (started) {
      joins.lead(rule.name, keyOf(scope), rule.join ?? (rule.parallel ? 0 : JOIN), {
        id,
        span,
        report: report.promise,
      })
      return started
    }
    queued--
    host.log.warn('response suppressed: too many wait for the same target', {
      rule: rule.name,
      target: scope.target?.key,
      response: id,
      event: scope.event.id,
      ...traceFields(span),
    })
    suppress(rule, span, 'target_busy')
    return undefined
  }

  /** By whichever process it is, where there are several. */
  const answerOf = (
    rule: ReadyRule,
    { replayable, scope: { event } }: Reception,
    about: Pick<Claimable, 'id' | 'past' | 'traceparent' | 'note'>,
    attempt: (one: Attempt) => Promise<Report>,
  ): Promise<Answer> => {
    const answer = host.answerOnce && replayable && isShared(rule) ? host.answerOnce : answerHere
    const clean = (report: Report): Report => host.clean(report, event)
    return answer({ ...about, clean, patience: rule.chain.deadline, interrupt: host.interrupt }, attempt)
  }

  /** What another process did is counted there. */
  const leftToOther = (rule: ReadyRule, span: Span): void => {
    host.counters.add('yarak_responses_suppressed_total', { rule: rule.name, reason: 'handed-over' })
    span.set({ 'yarak.outcome': 'suppressed', 'yarak.reason': 'handed-over' })
  }

  const suppress = (rule: ReadyRule, span: Span, reason: string): void => {
    host.counters.add('yarak_responses_suppressed_total', { rule: rule.name, reason })
    span.set({ 'yarak.outcome': 'suppressed', 'yarak.reason': reason })
    span.end()
  }

  /** Whoever runs in the cluster of the event answers it. */
  const leave = (rule: ReadyRule, { scope, span, generation }: Reception): void => {
    const id = responseId(scope.event.id, rule.name, scope.cluster)
    const attributes = { ...attributesOf(rule, scope, id), 'yarak.generation': generation.number }
    suppress(rule, host.tracing.start(`respond ${rule.name}`, { parent: span, attributes }), 'wrong-cluster')
  }

  const join = (rule: ReadyRule, { scope, span, past }: Reception, leader: Leader): Promise<Report> => {
    past.join(rule.name, leader.id)
    host.counters.add('yarak_responses_joined_total', { rule: rule.name })
    host.log.info('joined a response', {
      ...{ rule: rule.name, response: leader.id, event: scope.event.id },
      ...traceFields(span),
    })
    host.tracing
      .start(`respond ${rule.name}`, {
        parent: span,
        links: [leader.span],
        attributes: { ...attributesOf(rule, scope, leader.id), 'yarak.outcome': 'joined' },
      })
      .end()
    return leader.report
  }

  return {
    get running() {
      return places.taken
    },
    get queued() {
      return queued
    },
    tell: (reception) => {
      const { event } = reception.scope
      return offerAll({ id: event.id, event }, reception, reception.span)
    },
    respond(rule, reception) {
      const { scope, past, generation } = reception
      for (const field of rule.missing(scope)) {
        host.counters.add('yarak_rule_field_missing_total', { rule: rule.name, field })
      }
      if (isElsewhere(scope, generation)) {
        leave(rule, reception)
        return undefined
      }
      const leader = joins.find(rule.name, keyOf(scope))
      if (leader) return join(rule, reception, leader)
      const before = past.joined(rule.name)
      if (before === undefined) return lead(rule, reception, responseId(scope.event.id, rule.name, scope.cluster))
      // its leader ended before the crash
      host.counters.add('yarak_responses_joined_total', { rule: rule.name })
      return undefined
    },
  }
}

/** Tells what responses are about: things of one name in two clusters are two. */
const keyOf = ({ target, cluster }: Scope): string | undefined =>
  target?.key === undefined || cluster === undefined ? target?.key : `${cluster} ${target.key}`

const isElsewhere = ({ cluster }: Scope, { cluster: own }: Generation): boolean =>
  own !== undefined && cluster !== undefined && cluster !== own.name

const attributesOf = (rule: ReadyRule, { event, target, cluster }: Scope, id: string) => ({
  'yarak.rule': rule.name,
  'yarak.response.id': id,
  'yarak.mode': rule.effective,
  ...(cluster && { 'k8s.cluster.name': cluster }),
  ...(target?.namespace && { 'k8s.namespace.name': target.namespace }),
  ...(target?.pod && { 'k8s.pod.name': target.pod }),
  ...(target?.podUid && { 'k8s.pod.uid': target.podUid }),
  ...(target?.container && { 'container.id': target.container }),
  ...named('container.name', event.field('container.name')),
  ...named('container.image.name', event.field('container.image.repository')),
})

/** An attribute of a text that the event has. */
const named = (name: string, value: unknown): Readonly<Record<string, string>> =>
  typeof value === 'string' && value !== '' && value !== '<NA>' ? { [name]: value } : {}
