/** The gateway: wires inputs, rules and outputs, and owns their start and stop. */
import { Hono } from 'hono'
import { createAcceptor, type Source } from './accept.ts'
import { NO_AUDIT } from './audit.ts'
import { pause } from './backoff.ts'
import { type Change, compareOptions, textOfChange } from './changes.ts'
import { readOrigin } from './cluster.ts'
import { createSharing, leadOf } from './claims.ts'
import { type CompatMetrics, compatMetricsSettings, createCompatMetrics, metricsSettings } from './compat-metrics.ts'
import { type Counters, createCounters } from './counters.ts'
import type { Delivery, DeliveryHost } from './deliver.ts'
import { messageOf, YarakError } from './errors.ts'
import { countGauges } from './gauges.ts'
import { createGeneration, createGenerations, unique } from './generation.ts'
import { createGuardMemory } from './guard.ts'
import { createHttpClient } from './http.ts'
import { createIo, type IoHost } from './io.ts'
import type { DeadLetter } from './journal/index.ts'
import { memoryJournal } from './journal/memory.ts'
import { areaLog } from './log-area.ts'
import { createLag } from './lag.ts'
import { createLeftovers } from './leftovers.ts'
import { createPlaces } from './limit.ts'
import { type GatewayOptions, inputOf, type InputInput, LIMITS, SILENT } from './options.ts'
import { createHealth, type Health, type HealthParts as Parts } from './health.ts'
import { mountOps } from './ops.ts'
import type { Emit, EmitOptions, InputIo, Log, Mode, Notice } from './plugin.ts'
import { createPresenter } from './present.ts'
import { createRedact, type Redact, redactSettings } from './redact.ts'
import { redactedJournal, redactedLog } from './redacted.ts'
import { createResources } from './resources.ts'
import { createResponder } from './respond.ts'
import { memoryState } from './state.ts'
import { createSubscribers } from './subscribe.ts'
import { createSupervisor, type Mount } from './supervise.ts'
import { createTracing } from './telemetry.ts'
import { bridgeMetrics } from './telemetry/metrics.ts'
import { createTemplates } from './template.ts'
import { traceSettings } from './trace-settings.ts'
import { createUndoing, type Undoing } from './undoing.ts'
import { VERSION } from './version.ts'
import { watchJournal } from './watch.ts'

/** A running, or not yet started, gateway. */
export interface Gateway {
  /** The routes of the inputs: mount it in any Hono app, or serve `app.fetch`. */
  readonly app: Hono
  /** The same routes by input, for a host that listens in several places; with what answers on node:http before Hono. */
  readonly mounts: readonly Mount[]
  /** Health and metrics: `/healthz`, `/livez`, `/readyz`, `/metrics`. */
  readonly ops: Hono
  /** Hands an event to the gateway, as an input would. */
  readonly emit: Emit
  /** Takes up what an earlier run left in the journal, and starts the inputs that run by themselves. */
  start(): Promise<void>
  /** Resolves when every input has ended by itself, e.g. a file read once. */
  ended(): Promise<void>
  /**
   * Takes new rules, outputs, guards, mode and cluster as a whole; what began ends on the old ones. An output that is the
   * same keeps its connection and queue. Changes of inputs and resources are told, and take effect at the next start.
   * @param options the new options, or what loads them: when it throws, that is counted as a reload that failed
   * @returns what differs
   * @throws YarakError `config`, and then everything stays as it was
   */
  reload(options: GatewayOptions | (() => GatewayOptions)): Promise<readonly Change[]>
  /**
   * Takes no new events, lets what runs finish until the deadline, then cuts it short and closes everything.
   * A second call waits for the first.
   * @param options.deadline milliseconds; default 10,000
   */
  stop(options?: { deadline?: number }): Promise<void>
  /** Every notice from now on. A reader that falls 1,000 behind misses the oldest. */
  events(): AsyncIterable<Notice>
  /**
   * Tries a dead letter again: a notice goes to its output, an event's text is taken in anew.
   * @returns what became of it: `delivered`, `kept` (it waits in the journal), `accepted`, or why it is a dead letter again
   * @throws YarakError `config` when its output is not configured, `invalid` when it is still no event
   */
  replay(letter: DeadLetter): Promise<{ readonly outcome: string }>
  /**
   * Takes back what a response changed, in any mode, also when another process made the change. What is something else by
   * now than what was made of it is left alone.
   * @param step only what this step changed
   * @throws YarakError `not_found` when there is nothing to take back
   * @example await gateway.undo(report.id)
   */
  readonly undo: Undoing['undo']
  /** All changes that can be taken back, as they are noted on the things that were changed, in no order. */
  readonly undoable: Undoing['undoable']
  health(): Health
  /** What it counts; a host may add its own gauges, which `/metrics` then tells too. */
  readonly counters: Counters
  readonly mode: Mode
}

/**
 * Makes a gateway. Nothing runs before {@link Gateway.start}, but events can be emitted at once.
 * @throws YarakError `config` when an option is wrong
 * @example
 * const gateway = createGateway({ inputs: [http({})], rules: [...], outputs: [slack({ webhookUrl })], mode: 'enforce' })
 * await gateway.start()
 */
export const createGateway = (options: GatewayOptions): Gateway => {
  const { inputs = [] } = options
  const redact = options.redact && createRedact(redactSettings.parse(options.redact))
  const log = withRedact(redactedLog, options.log ?? SILENT, redact)
  const limits = { ...LIMITS, ...options.limits }
  const tracing = createTracing(VERSION, { clean: redact?.text, ids: options.traceIds })
  const counters = createCounters()
  const audit = options.audit ?? NO_AUDIT
  const traced = traceSettings.parse(options.telemetry ?? {})
  const templates = createTemplates()
  const http = createHttpClient({ dispatcher: options.dispatcher, env: options.env ?? {} })
  const subscribers = createSubscribers<Notice>()
  const stopping = new AbortController()
  const interrupt = new AbortController()
  const journal = withRedact(redactedJournal, options.journal ?? memoryJournal(), redact)
  const state = options.state ?? memoryState()
  const ioHost: IoHost = {
    tracing,
    activeIds: tracing.activeIds,
    http,
    log,
    env: options.env ?? {},
    dataDir: options.dataDir ?? './.yarak',
    state: (id) => state.of(id),
    resources: () => resources,
  }
  const io: DeliveryHost['io'] = (id, span, connection) => createIo(ioHost, id, span, connection)
  const resources = createResources(options.resources ?? [], io)
  unique(
    'input',
    inputs.map((input) => inputOf(input).id),
  )
  const memory = createGuardMemory(state.of('guard'))
  const compat = openCompat(options, log)
  const generationHost = {
    stopping: stopping.signal,
    tracing,
    counters,
    compat,
    log: areaLog(log, 'delivery', tracing.activeIds),
    journal,
    io,
    templates,
    memory,
  }
  const retiring = new Set<Promise<void>>()
  const generations = createGenerations(createGeneration(options, generationHost), (output) => {
    const failed = (error: unknown) =>
      areaLog(log, 'delivery').error('an output was not retired', { output: output.id, error: messageOf(error) })
    const retired = retire(output)
      .catch(failed)
      .finally(() => retiring.delete(retired))
    retiring.add(retired)
  })
  const outputs = (): readonly Delivery[] => generations.current.outputs
  const leftovers = createLeftovers({ counters, journal, log: areaLog(log, 'journal', tracing.activeIds), outputs })

  const sharing = options.claims && createSharing({ resource: options.claims, log: areaLog(log, 'response'), io })
  const perAction = new Map<string, ReturnType<typeof createPlaces>>()
  const responder = createResponder({
    tracing,
    counters,
    compat,
    log: areaLog(log, 'response', tracing.activeIds),
    limits,
    interrupt: interrupt.signal,
    audit,
    io,
    place: ({ type, concurrency }, signal) =>
      getOrMake(perAction, type, () => createPlaces(Math.min(concurrency ?? limits.perAction, limits.perAction))).take(
        undefined,
        signal,
      ),
    publish: subscribers.publish,
    present: createPresenter(redact, options.traceUrl),
    answerOnce: sharing?.answerOnce,
    clean: (report, event) => redact?.report(report, event) ?? report,
  })
  const acceptor = createAcceptor({
    tracing,
    counters,
    compat,
    redact,
    traced,
    log: areaLog(log, 'event', tracing.activeIds),
    limits,
    journal,
    responder,
    generations,
    closing: stopping.signal,
    interrupt: interrupt.signal,
  })

  const undoing = createUndoing({
    ...{ tracing, counters, audit, log: areaLog(log, 'undo', tracing.activeIds), journal, io, options },
    current: () => generations.current.options,
    interval: limits.sweep,
    signal: stopping.signal,
  })

  const noteLag = createLag(counters)
  /** What an earlier run left goes before what comes now, so that outputs are told in order. */
  let takingUp: Promise<void> | undefined
  let resumed: Promise<void> = Promise.resolve()
  const takeIn = (): Promise<void> => {
    resumed = acceptor.resume().catch((error: unknown) => {
      areaLog(log, 'journal').error('what an earlier run left in the journal cannot be read', {
        error: messageOf(error),
      })
    })
    return Promise.race([resumed, pause(BEHIND, stopping.signal)])
  }
  const emitFrom =
    (source: Source, given: EmitOptions = {}): Emit =>
    (raw, options) => {
      const emit = () => acceptor.emit(source, raw, { ...given, ...options })
      return takingUp ? takingUp.then(emit, emit) : emit()
    }

  const inputIo = (given: InputInput): InputIo => {
    const { input: use, ...origin } = 'input' in given ? given : { input: given }
    const source = acceptor.source(use.id, use.plugin, readOrigin(use.id, origin))
    return {
      ...io(use.id),
      emit: emitFrom(source),
      signal: stopping.signal,
      count: (what, reason, lost) => acceptor.count(use.id, what, reason, lost),
      measure: (what, value, labels) => what === 'lag' && noteLag({ input: use.id, ...labels }, value),
    }
  }
  const supervisor = createSupervisor(
    inputs.map((input) => ({ use: inputOf(input), io: inputIo(input), lead: leadOf(input, sharing) })),
    { log: areaLog(log, 'input', tracing.activeIds), counters, signal: stopping.signal },
  )
  const app = new Hono()
  for (const mount of supervisor.mounts) app.route('/', mount.app)

  const host: Source = acceptor.source('host', { replayable: false })
  const health = createHealth(() => ({
    stopping: stopping.signal,
    inputs: supervisor.status(),
    lastEvent: acceptor.lastEvent,
    outputs: outputs(),
    journal: journal.health(),
    generation: generations.current,
    lastReload,
    guardBreaker: memory.isOpen('enforce') ? 'open' : 'closed',
    running: responder.running,
    unsettled: acceptor.unsettled(),
    resources: resources.health(),
    audit: options.audit,
    clean: redact?.text,
  }))
  countGauges(counters, {
    responder,
    outputs,
    acceptor,
    journal,
    memory,
    health,
    generation: () => generations.current,
  })

  /** An output that no configuration names any more: what it has not delivered in time is kept or given up. */
  const retire = async (output: Delivery): Promise<void> => {
    await output.close(AbortSignal.any([AbortSignal.timeout(RETIRE), interrupt.signal]))
    await leftovers.takeUp(output.id)
  }

  const swapTo = (next: GatewayOptions): readonly Change[] => {
    const changes = compareOptions({ ...options, ...generations.current.options }, next)
    if (changes.some(({ needsRestart }) => !needsRestart)) {
      generations.swap(createGeneration(next, generationHost, generations.current))
      if (started) undoing.follow()
    }
    return changes
  }

  const noteReload = (outcome: 'succeeded' | 'failed', why: string): void => {
    counters.add('yarak_reloads_total', { outcome })
    const what = `generation ${generations.current.number}`
    audit.append({ kind: 'config', who: 'reload', what, why, verdict: outcome })
    lastReload = { at: new Date().toISOString(), outcome, ...(outcome === 'failed' && { error: why }) }
  }

  const reload: Gateway['reload'] = async (next) => {
    try {
      const changes = swapTo(typeof next === 'function' ? next() : next)
      noteReload('succeeded', changes.map(textOfChange).join(', ') || 'nothing')
      return changes
    } catch (error) {
      noteReload('failed', messageOf(error))
      throw error
    }
  }

  const replay = async (letter: DeadLetter): Promise<{ outcome: string }> => {
    if (letter.kind === 'event') {
      await acceptor.emit(host, letter.body, {}, true)
      return { outcome: 'accepted' }
    }
    const output = outputs().find(({ id }) => id === letter.from)
    if (!output) throw new YarakError('config', `no output ${letter.from} is configured`)
    return { outcome: await output.again(letter) }
  }

  const start = async (): Promise<void> => {
    const leftover = leftovers.takeUp()
    takingUp = leftover.then(takeIn, () => {}).finally(() => (takingUp = undefined))
    await leftover
    supervisor.start()
    void resources.watch(stopping.signal, LOOK)
    sharing?.start(stopping.signal)
    void watchJournal(journal, LOOK, stopping.signal)
    if (options.exportMetrics !== false && !stopping.signal.aborted) endBridge = bridgeMetrics(counters, VERSION)
    started = true
    undoing.follow()
  }

  let started = false
  let endBridge = (): void => {}
  let lastReload: Parts['lastReload']
  let stopped: Promise<void> | undefined
  const stop = async (deadline: number): Promise<void> => {
    stopping.abort(new YarakError('closing', 'the gateway is stopping'))
    const timer = setTimeout(() => interrupt.abort(new YarakError('interrupted', 'the deadline passed')), deadline)
    const gaveUp = new Promise<void>((resolve) => interrupt.signal.addEventListener('abort', () => resolve()))
    await Promise.race([
      Promise.all([supervisor.ended(), undoing.ended(), acceptor.settled(), sharing?.ended()]),
      gaveUp,
    ])
    await Promise.all(outputs().map((delivery) => delivery.close(interrupt.signal)))
    await Promise.race([Promise.all([acceptor.settled(), ...retiring]), gaveUp])
    clearTimeout(timer)
    await resumed
    await sharing?.letGo()
    await resources
      .close()
      .catch((error: unknown) =>
        areaLog(log, 'delivery').warn('a resource could not be closed', { error: messageOf(error) }),
      )
    await http.close()
    await journal.flush()
    endBridge()
    subscribers.close()
  }

  return {
    app,
    mounts: supervisor.mounts,
    ops: mountOps(health, counters, compat),
    get mode() {
      return generations.current.mode
    },
    emit: emitFrom(host, { authenticated: 'host' }),
    start: () => tracing.apart(start),
    reload: (next) => tracing.apart(() => reload(next)),
    replay,
    undo: undoing.undo,
    undoable: undoing.undoable,
    ended: async () => {
      await Promise.all([supervisor.ended(), resumed])
    },
    stop: ({ deadline = 10_000 } = {}) => (stopped ??= stop(deadline)),
    events: () => subscribers.subscribe(),
    health,
    counters,
  }
}

const withRedact = <T>(wrap: (one: T, redact: Redact) => T, one: T, redact: Redact | undefined): T =>
  redact ? wrap(one, redact) : one

const openCompat = ({ metrics }: GatewayOptions, log: Log): CompatMetrics | undefined => {
  const { compat } = metricsSettings.parse(metrics ?? {})
  if (!compat) return undefined
  const onOverflow = (metric: string): void =>
    areaLog(log, 'config').warn('a counter has too many series: values that are free are counted as other', { metric })
  return createCompatMetrics({ ...compatMetricsSettings.parse(compat === true ? {} : compat), onOverflow })
}

/** Milliseconds between two looks at the resources in use, and at a journal whose disk failed. */
const LOOK = 15_000

/** Milliseconds that new events wait at most for those of an earlier run to be in work. */
const BEHIND = 5_000

/** Milliseconds that an output gets to deliver what it has when a reload removes it. */
const RETIRE = 60_000

const getOrMake = <T>(map: Map<string, T>, key: string, make: () => T): T => {
  const found = map.get(key) ?? make()
  map.set(key, found)
  return found
}
