/** Accepting an event: room, parsing, matching, the span of its reception, and what becomes of it. */
import type { Counters } from './counters.ts'
import { asYarakError, YarakError } from './errors.ts'
import { type FalcoEvent, parseEvent } from './event.ts'
import { replayedEventId, uuidv7 } from './ids.ts'
import { createPlaces, type Places } from './limit.ts'
import type { Scope } from './names.ts'
import type { Limits } from './options.ts'
import type { EmitOptions, Input, Log, Receipt, Report } from './plugin.ts'
import type { ReadyRule, Responder } from './respond.ts'
import type { Matcher } from './rules/matcher.ts'
import { targetOf } from './target.ts'
import type { Span, Tracing } from './telemetry.ts'

/** Where events come from: an input, or the host program. */
export interface Source {
  readonly id: string
  readonly replayable: boolean
  /** The source waits for room as long as it takes; a sender that pushes is told `overloaded`. */
  readonly patient: boolean
  readonly unsettled: Places
}

export interface AcceptorHost {
  readonly tracing: Tracing
  readonly counters: Counters
  readonly log: Log
  readonly limits: Limits
  readonly responder: Responder
  readonly matcher: Matcher<ReadyRule>
  readonly cluster: string | undefined
  readonly closing: AbortSignal
  /** Fires when running work is cut short. */
  readonly interrupt: AbortSignal
}

export interface Acceptor {
  source(id: string, plugin: Pick<Input, 'replayable' | 'run'>): Source
  emit(source: Source, raw: unknown, options?: EmitOptions): Promise<Receipt>
  /** Counts what an input never emitted. */
  count(input: string, what: 'skipped' | 'rejected', reason: string): void
  unsettled(): number
  /** Resolves when nothing is unsettled. */
  settled(): Promise<void>
}

export const createAcceptor = (host: AcceptorHost): Acceptor => {
  const { counters, limits } = host
  const accepting = createPlaces(limits.accepting)
  const open = new Map<string, Promise<readonly Report[]>>()

  const accept = async (source: Source, raw: unknown, options: EmitOptions): Promise<Receipt> => {
    if (host.closing.aborted) throw new YarakError('closing', 'the gateway is stopping')
    const at = host.tracing.now()
    const id = options.position && source.replayable ? replayedEventId(source.id, options.position) : uuidv7(Date.now())
    const event = parseEvent(raw, { id, input: source.id, authenticated: options.authenticated })
    const known = open.get(id)
    if (known) return { id, done: settledWith(known, source) }
    const settle = await room(source, options)
    const target = targetOf(event)
    const scope: Scope = { event, target, ...(host.cluster && { cluster: host.cluster }) }
    const matching = host.tracing.now()
    const rules = host.matcher.match(scope)
    const span = receptionSpan(host.tracing, scope, options, { source, at, matched: rules.length })
    matchSpan(host, span, matching, rules)
    const done = answer(rules, scope, span)
    span.end()
    const settled = done.then(unlessCut(source)).finally(() => {
      open.delete(id)
      settle()
      counters.add('yarak_events_settled_total', { input: source.id })
    })
    open.set(id, settled)
    return { id, done: settled }
  }

  /** What was cut short is not settled: a source that redelivers shall deliver it again, after the next start. */
  const unlessCut =
    (source: Source) =>
    <T>(reports: T): T | Promise<never> =>
      source.replayable && host.interrupt.aborted ? new Promise<never>(() => {}) : reports

  /** Redelivered while it is in work, e.g. after a lost Kafka session: settled with the first delivery. */
  const settledWith = async (first: Promise<readonly Report[]>, source: Source): Promise<readonly Report[]> => {
    const reports = await first
    counters.add('yarak_events_settled_total', { input: source.id })
    return reports
  }

  const answer = async (rules: readonly ReadyRule[], scope: Scope, span: Span): Promise<readonly Report[]> => {
    const { event } = scope
    if (event.source === 'internal') counters.add('yarak_falco_internal_total', { rule: event.rule })
    const told = host.responder.tell(scope, span)
    const responses = rules.flatMap((rule) => {
      counters.add('yarak_rules_matched_total', { rule: rule.name })
      return host.responder.respond(rule, scope, span) ?? []
    })
    const reports = await Promise.all(responses)
    await told
    return reports
  }

  /** Waits for the source to have fewer unsettled events; gives the function that settles this one. */
  const room = async (source: Source, { signal }: EmitOptions): Promise<() => void> => {
    const stop = signal ? AbortSignal.any([signal, host.closing]) : host.closing
    const settle = await source.unsettled.take(source.patient ? undefined : limits.patience, stop)
    if (settle) return settle
    if (stop.aborted) throw new YarakError('closing', 'the gateway is stopping')
    throw new YarakError('overloaded', 'too many events are unsettled', { retryAfter: limits.patience })
  }

  return {
    source: (id, plugin) => ({
      id,
      replayable: plugin.replayable,
      patient: plugin.run !== undefined,
      unsettled: createPlaces(limits.unsettled),
    }),
    async emit(source, raw, options = {}) {
      counters.add('yarak_events_received_total', { input: source.id })
      const free = await accepting.take(source.patient ? undefined : limits.patience, options.signal)
      try {
        if (!free)
          throw new YarakError('overloaded', 'too many events are being accepted', { retryAfter: limits.patience })
        return await accept(source, raw, options)
      } catch (thrown) {
        const error = asYarakError(thrown)
        counters.add('yarak_events_rejected_total', { input: source.id, reason: error.code })
        throw error
      } finally {
        free?.()
      }
    },
    count(input, what, reason) {
      if (what === 'skipped') return counters.add('yarak_input_skipped_total', { input, reason })
      counters.add('yarak_events_received_total', { input })
      counters.add('yarak_events_rejected_total', { input, reason })
    },
    unsettled: () => open.size,
    async settled() {
      while (open.size > 0) await Promise.allSettled(open.values())
    },
  }
}

interface Reception {
  readonly source: Source
  readonly at: number
  readonly matched: number
}

const receptionSpan = (
  tracing: Tracing,
  scope: Scope,
  options: EmitOptions,
  { source, at, matched }: Reception,
): Span => {
  const { name, kind, attributes } = options.span ?? { name: `receive ${source.id}`, kind: 'internal' as const }
  return tracing.start(name, {
    kind,
    at,
    from: options.headers,
    attributes: { ...attributes, ...eventAttributes(scope), 'yarak.input': source.id, 'yarak.matched': matched },
  })
}

/** The members of the event that a span may tell; fields can hold secrets. */
const eventAttributes = ({ event, cluster }: { event: FalcoEvent; cluster?: string }) => ({
  'yarak.event.id': event.id,
  'security_rule.name': event.rule,
  'falco.priority': event.priority,
  'falco.source': event.source,
  ...(event.hostname && { 'falco.hostname': event.hostname }),
  ...(event.tags.length > 0 && { 'falco.tags': event.tags }),
  ...(cluster && { 'k8s.cluster.name': cluster }),
})

const matchSpan = ({ tracing, matcher }: AcceptorHost, parent: Span, at: number, rules: readonly ReadyRule[]): void =>
  tracing
    .start('match', {
      parent,
      at,
      attributes: { 'yarak.rules.evaluated': matcher.size, 'yarak.rules.matched': rules.map(({ name }) => name) },
    })
    .end()
