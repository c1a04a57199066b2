/** Accepting an event: room, parsing, matching, the span of its reception, and what becomes of it. */
import { secondsSince } from './clock.ts'
import { clusterOf, type OriginSettings } from './cluster.ts'
import type { CompatMetrics } from './compat-metrics.ts'
import type { Counters } from './counters.ts'
import { asYarakError, messageOf, YarakError } from './errors.ts'
import { type FalcoEvent, parseEvent } from './event.ts'
import type { Generation, Generations, ReadyRule } from './generation.ts'
import { createUuids, replayedEventId } from './ids.ts'
import { historyOf } from './history.ts'
import type { Journal, StoredEvent } from './journal/index.ts'
import { createPlaces, type Places } from './limit.ts'
import type { Scope } from './names.ts'
import type { Limits } from './options.ts'
import { createParked } from './parked.ts'
import { createPast, UNTOLD } from './past.ts'
import type { EmitOptions, Input, Log, Lost, Receipt, Report } from './plugin.ts'
import type { Redact } from './redact.ts'
import { matchSpan, receptionSpan } from './reception.ts'
import type { Reception, Responder } from './respond.ts'
import { rawText } from './stored.ts'
import { targetOf } from './target.ts'
import { NO_SPAN, type Span, type Tracing } from './telemetry.ts'
import type { TraceSettings } from './trace-settings.ts'

/** Where events come from: an input, or the host program. */
export interface Source {
  readonly id: string
  readonly replayable: boolean
  /** The source waits for room as long as it takes; a sender that pushes is told `overloaded`. */
  readonly patient: boolean
  readonly unsettled: Places
  readonly origin: OriginSettings
}

export interface AcceptorHost {
  readonly tracing: Tracing
  readonly counters: Counters
  readonly compat?: CompatMetrics | undefined
  /** Of what is kept in the history, and of the fields that spans tell. */
  readonly redact?: Redact | undefined
  readonly traced: TraceSettings
  readonly log: Log
  readonly limits: Limits
  readonly journal: Journal
  readonly responder: Responder
  readonly generations: Generations
  readonly closing: AbortSignal
  /** Fires when running work is cut short. */
  readonly interrupt: AbortSignal
}

export interface Acceptor {
  /** @param origin what every input may be set to; default nothing */
  source(id: string, plugin: Pick<Input, 'replayable' | 'run'>, origin?: OriginSettings): Source
  /** @param known it is a dead letter already; default false */
  emit(source: Source, raw: unknown, options?: EmitOptions, known?: boolean): Promise<Receipt>
  /** Answers what an earlier run accepted and did not settle; resolves when all of it is in work, or at a stop. */
  resume(): Promise<void>
  /** Counts what an input never emitted. */
  count(input: string, what: 'skipped' | 'rejected', reason: string, lost?: Lost): void
  /** When an input brought its last event, also one that was refused; milliseconds since the epoch. */
  lastEvent(input: string): number | undefined
  unsettled(): number
  /** Resolves when nothing is in work. What waits in the journal is not waited for. */
  settled(): Promise<void>
}

export const createAcceptor = (host: AcceptorHost): Acceptor => {
  const { counters, limits, journal, generations } = host
  const accepting = createPlaces(limits.accepting)
  const newId = createUuids()
  const latest = new Map<string, number>()
  /** Redelivered events that are settled when their first delivery is. */
  let waiting = 0
  const sources = new Map<string, Source>()
  const open = new Map<string, Promise<readonly Report[]>>()
  const parked = createParked({ journal, log: host.log, begin: (stored) => again(stored, false) })

  const isDurable = ({ replayable }: Source): boolean => !replayable && journal.health().mode === 'durable'

  const accept = (source: Source, raw: unknown, options: EmitOptions): Receipt | Promise<Receipt> => {
    if (host.closing.aborted) throw new YarakError('closing', 'the gateway is stopping')
    const at = host.tracing.now()
    const id = options.position && source.replayable ? replayedEventId(source.id, options.position) : newId(Date.now())
    const { cluster = source.origin.cluster, authenticated } = options
    const event = parseEvent(raw, { id, input: source.id, authenticated, cluster, shared: source.origin.shared })
    const known = open.get(id)
    if (known) return { id, done: settledWith(known, source) }
    if (source.replayable && journal.wasSettled(id)) return { id, done: repeated(source) }
    host.compat?.accepted(event)
    if (event.source === 'internal') counters.add('yarak_falco_internal_total', { rule: event.rule })
    const wanted = select(event)
    if (wanted.nobody) return pass(wanted, source, isTraced(options) ? reception(wanted, options, source, at) : NO_SPAN)
    return admit(wanted, { source, raw, options, at })
  }

  /** Gives the event a place, here or in the journal. */
  const admit = async (wanted: Wanted, { source, raw, options, at }: Given): Promise<Receipt> => {
    const { event } = wanted.scope
    const { id } = event
    try {
      const free = await room(source, options, weightOf(raw))
      const span = reception(wanted, options, source, at)
      if (isDurable(source))
        await journal.accept(storedEvent(event, rawText(raw), span.traceparent)).catch(refused(span, free))
      const done = free ? begin(wanted, { source, span, free, resumed: false }) : parked.add(id)
      span.end()
      if (!free) generations.leave(wanted.generation)
      return { id, done }
    } catch (error) {
      generations.leave(wanted.generation)
      throw error
    }
  }

  /** An event that nobody wants is worth a span when somebody looks for it. */
  const isTraced = ({ headers = {} }: EmitOptions): boolean =>
    host.traced.unmatched || Object.keys(headers).some((name) => name !== 'baggage' && headers[name] !== undefined)

  /** Nobody wants the event: it takes no place, and is settled at once. */
  const pass = ({ generation, scope }: Wanted, source: Source, span: Span): Receipt => {
    const { id } = scope.event
    void host.responder.tell({
      generation,
      scope,
      span,
      past: UNTOLD,
      resumed: false,
      comesAgain: false,
      replayable: false,
    })
    span.end()
    generations.leave(generation)
    counters.add('yarak_events_settled_total', { input: source.id })
    return { id, done: SETTLED }
  }

  const refused =
    (span: Span, free: (() => void) | undefined) =>
    (error: unknown): never => {
      free?.()
      span.fail(error)
      span.end()
      throw error
    }

  /** What an event asks for, of the generation that it enters. */
  const select = (given: FalcoEvent): Wanted => {
    const generation = generations.enter()
    const event = generation.enrich(given)
    const { matcher, outputs } = generation
    const cluster = clusterOf(event, generation.cluster)
    const scope: Scope = { event, target: targetOf(event), ...(cluster !== undefined && { cluster }) }
    const at = host.tracing.now()
    const rules = matcher.match(scope)
    return { generation, scope, rules, at, nobody: rules.length === 0 && !outputs.some(({ wants }) => wants(scope)) }
  }

  /** Opens the span of a reception, with what was matched. */
  const reception = (
    { scope, rules, generation, at: matching }: Wanted,
    options: EmitOptions,
    source: Source,
    at: number,
  ): Span => {
    if (host.tracing.idle) return host.tracing.start('')
    const span = receptionSpan(host, scope, options, { input: source.id, at, matched: rules.length })
    matchSpan(host.tracing, span, { at: matching, rules, evaluated: generation.matcher.size })
    return span
  }

  const begin = (
    { generation, scope, rules, nobody }: Wanted,
    { source, span, free, resumed }: Begin,
  ): Receipt['done'] => {
    const { id } = scope.event
    const comesAgain = source.replayable || isDurable(source)
    const past = createPast(journal, id)
    const { replayable } = source
    const done = answer(rules, { generation, scope, span, past, resumed, comesAgain, replayable })
    const settled = done.then(unlessCut(comesAgain)).then((reports) => {
      const own = reports.filter(({ event }) => event === id)
      if (!nobody || resumed) journal.settle(id, historyOf(own, rules).map(clean(scope.event)), source.replayable)
      open.delete(id)
      generations.leave(generation)
      free()
      counters.add('yarak_events_settled_total', { input: source.id })
      counters.observe('yarak_alert_to_settled_seconds', secondsSince(scope.event.time), { input: source.id }, span)
      return reports
    })
    open.set(id, settled)
    return settled
  }

  /** A report as the history has it. */
  const clean =
    (event: FalcoEvent) =>
    (report: Report): Report =>
      host.redact?.report(report, event) ?? report

  /** What was cut short is not settled: it comes again after the next start, from its source or from the journal. */
  const unlessCut =
    (comesAgain: boolean) =>
    <T>(reports: T): T | Promise<never> =>
      comesAgain && host.interrupt.aborted ? new Promise<never>(() => {}) : reports

  /** Redelivered while it is in work, e.g. after a lost Kafka session: settled with the first delivery. */
  const settledWith = async (first: Receipt['done'], source: Source): Receipt['done'] => {
    waiting++
    const reports = await first
    waiting--
    await repeated(source)
    return reports
  }

  /** Redelivered after it was settled. */
  const repeated = async ({ id }: Source): Receipt['done'] => {
    counters.add('yarak_events_repeated_total', { input: id })
    counters.add('yarak_events_settled_total', { input: id })
    return []
  }

  const answer = async (rules: readonly ReadyRule[], reception: Reception): Promise<readonly Report[]> => {
    const told = host.responder.tell(reception)
    const responses = rules.flatMap((rule) => {
      counters.add('yarak_rules_matched_total', { rule: rule.name })
      host.compat?.matched(rule.name, reception.scope.event)
      return host.responder.respond(rule, reception) ?? []
    })
    const reports = await Promise.all(responses)
    await told
    return reports
  }

  /**
   * Waits for the source to have fewer unsettled events; gives the function that settles this one.
   * Undefined: the event is to wait in the journal.
   */
  const room = async (source: Source, { signal }: EmitOptions, weight: number): Promise<(() => void) | undefined> => {
    if (isDurable(source)) return parked.size > 0 ? undefined : source.unsettled.now(weight)
    const free = source.unsettled.now(weight)
    if (free) return free
    const stop = signal ? AbortSignal.any([signal, host.closing]) : host.closing
    const settle = await source.unsettled.take(source.patient ? undefined : limits.patience, stop, weight)
    if (settle) return settle
    if (stop.aborted) throw new YarakError('closing', 'the gateway is stopping')
    throw new YarakError('overloaded', 'too many events are unsettled', { retryAfter: limits.patience })
  }

  /** Takes up an event from the journal when there is room; undefined at a stop. */
  const again = async (stored: StoredEvent, resumed: boolean): Promise<Receipt | undefined> => {
    const source = sources.get(stored.input) ?? sourceOf(stored.input, { replayable: false })
    const weight = weightOf(stored.body)
    const free = host.closing.aborted ? undefined : await source.unsettled.take(undefined, host.closing, weight)
    if (!free) return undefined
    if (resumed) counters.add('yarak_events_resumed_total', { input: source.id })
    try {
      const wanted = select(parseEvent(stored.body, stored))
      const span = host.tracing.remote(stored.traceparent, wanted.scope.cluster)
      return { id: stored.id, done: begin(wanted, { source, span, free, resumed }) }
    } catch (error) {
      free()
      counters.add('yarak_events_rejected_total', { input: source.id, reason: asYarakError(error).code })
      bury(source.id, error, { body: stored.body })
      journal.settle(stored.id, [], false)
      return { id: stored.id, done: Promise.resolve([]) }
    }
  }

  const bury = (from: string, thrown: unknown, { body, position }: Omit<Lost, 'message'>): void => {
    const error = asYarakError(thrown)
    const letter = { at: Date.now(), kind: 'event' as const, from, reason: error.reason, message: messageOf(error) }
    journal.bury({ ...letter, body: rawText(body), ...(position !== undefined && { position }) })
  }

  const sourceOf: Acceptor['source'] = (id, plugin, origin = { shared: false, leader: false }) => {
    const source: Source = {
      id,
      replayable: plugin.replayable,
      patient: plugin.run !== undefined,
      unsettled: createPlaces(limits.unsettled),
      origin,
    }
    sources.set(id, source)
    return source
  }

  return {
    source: sourceOf,
    async emit(source, raw, options = {}, known = false) {
      counters.add('yarak_events_received_total', { input: source.id })
      latest.set(source.id, Date.now())
      const free =
        accepting.now() ?? (await accepting.take(source.patient ? undefined : limits.patience, options.signal))
      try {
        if (!free)
          throw new YarakError('overloaded', 'too many events are being accepted', { retryAfter: limits.patience })
        return await accept(source, raw, options)
      } catch (thrown) {
        const error = asYarakError(thrown)
        counters.add('yarak_events_rejected_total', { input: source.id, reason: error.code })
        host.compat?.rejected()
        if (!known && LOST.includes(error.code)) bury(source.id, error, { body: rawText(raw), ...options })
        throw error
      } finally {
        free?.()
      }
    },
    async resume() {
      for await (const stored of journal.pending()) if (!(await again(stored, true))) return
    },
    count(input, what, reason, lost) {
      if (what === 'skipped') return counters.add('yarak_input_skipped_total', { input, reason })
      counters.add('yarak_events_received_total', { input })
      counters.add('yarak_events_rejected_total', { input, reason })
      host.compat?.rejected()
      if (lost) bury(input, new YarakError('invalid', lost.message, { reason }), lost)
    },
    lastEvent: (input) => latest.get(input),
    unsettled: () => open.size + parked.size + waiting,
    async settled() {
      while (open.size > 0) await Promise.allSettled(open.values())
    },
  }
}

/** Trying again cannot help: kept as dead letters. */
const LOST: readonly string[] = ['invalid', 'too_large']

/** Bytes of an event that takes one place; a larger one takes several, so that places bound the memory too. */
const PLACE = 6_710

const weightOf = (raw: unknown): number =>
  typeof raw === 'string' || raw instanceof Uint8Array ? Math.max(1, Math.ceil(raw.length / PLACE)) : 1

/** For an event that nobody wants. */
const SETTLED: Receipt['done'] = Promise.resolve([])

interface Wanted {
  readonly generation: Generation
  readonly scope: Scope
  readonly rules: readonly ReadyRule[]
  /** When matching began. */
  readonly at: number
  /** No rule matches and no output is to be told. */
  readonly nobody: boolean
}

/** What was handed over, from where. */
interface Given {
  readonly source: Source
  readonly raw: unknown
  readonly options: EmitOptions
  /** When it came. */
  readonly at: number
}

interface Begin {
  readonly source: Source
  readonly span: Span
  readonly free: () => void
  readonly resumed: boolean
}

const storedEvent = (event: FalcoEvent, body: string, traceparent: string | undefined): StoredEvent => ({
  id: event.id,
  input: event.input,
  body,
  at: Date.now(),
  ...(event.authenticated && { authenticated: event.authenticated }),
  ...(event.cluster !== undefined && { cluster: event.cluster }),
  ...(event.shared && { shared: event.shared }),
  ...(traceparent && { traceparent }),
})
