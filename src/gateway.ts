/** The gateway: wires inputs, rules and outputs, and owns their start and stop. */
import { Hono } from 'hono'
import { createAcceptor, type Source } from './accept.ts'
import { compileChain } from './chain.ts'
import { createCounters } from './counters.ts'
import { createDelivery, deliverySettings, type Delivery } from './deliver.ts'
import { messageOf, YarakError } from './errors.ts'
import { createGuard, guardSettings } from './guard.ts'
import { createHttpClient } from './http.ts'
import { createIo, type IoHost } from './io.ts'
import { createPlaces } from './limit.ts'
import { type GatewayOptions, LIMITS, type OutputInput, SILENT } from './options.ts'
import { type Health, mountOps } from './ops.ts'
import type { Emit, Input, InputIo, Io, Mode, Notice, Use } from './plugin.ts'
import { createResources } from './resources.ts'
import { createResponder, type ReadyRule } from './respond.ts'
import { createMatcher } from './rules/matcher.ts'
import { modeOf } from './rules/rule.ts'
import { checkSettings } from './settings.ts'
import { memoryState } from './state.ts'
import { createSubscribers } from './subscribe.ts'
import { createSupervisor } from './supervise.ts'
import { createTracing, type Span } from './telemetry.ts'
import { createTemplates } from './template.ts'
import { VERSION } from './version.ts'

/** A running, or not yet started, gateway. */
export interface Gateway {
  /** The routes of the inputs: mount it in any Hono app, or serve `app.fetch`. */
  readonly app: Hono
  /** Health and metrics: `/healthz`, `/livez`, `/readyz`, `/metrics`. */
  readonly ops: Hono
  /** Hands an event to the gateway, as an input would. */
  readonly emit: Emit
  /** Starts the inputs that run by themselves. */
  start(): Promise<void>
  /** Resolves when every input has ended by itself, e.g. a file read once. */
  ended(): Promise<void>
  /**
   * Takes no new events, lets what runs finish until the deadline, then cuts it short and closes everything.
   * A second call waits for the first.
   * @param options.deadline milliseconds; default 10,000
   */
  stop(options?: { deadline?: number }): Promise<void>
  /** Every notice from now on. A reader that falls 1,000 behind misses the oldest. */
  events(): AsyncIterable<Notice>
  health(): Health
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
  const { inputs = [], rules = [], outputs = [], mode = 'observe', log = SILENT } = options
  const limits = { ...LIMITS, ...options.limits }
  const tracing = createTracing(VERSION)
  const counters = createCounters()
  const templates = createTemplates()
  const http = createHttpClient(options.dispatcher)
  const subscribers = createSubscribers<Notice>()
  const stopping = new AbortController()
  const interrupt = new AbortController()
  const guard = createGuard(guardSettings.parse(options.guards ?? {}))

  const state = options.state ?? memoryState()
  const ioHost: IoHost = {
    tracing,
    http,
    log,
    env: options.env ?? {},
    dataDir: options.dataDir ?? './.yarak',
    state: (id) => state.of(id),
    resources: () => resources,
  }
  const io = (id: string, span?: Span): Io => createIo(ioHost, id, span)
  const resources = createResources(options.resources ?? [], io)

  unique(
    'input',
    inputs.map(({ id }) => id),
  )
  unique(
    'rule',
    rules.map(({ name }) => name),
  )
  const deliveries = outputs.map((output) => openDelivery(output, { tracing, counters, log, io }))
  unique(
    'output',
    deliveries.map(({ id }) => id),
  )
  const known = new Set(deliveries.map(({ id }) => id))
  const ready = rules.map((rule): ReadyRule => {
    const unknown = rule.notify?.find((id) => !known.has(id))
    if (unknown !== undefined) throw new YarakError('config', `rule ${rule.name}: notify names no output ${unknown}`)
    return { ...rule, chain: compileChain(rule, templates), effective: modeOf(rule, mode) }
  })

  const perAction = new Map<string, ReturnType<typeof createPlaces>>()
  const responder = createResponder({
    tracing,
    guard,
    counters,
    log,
    limits,
    outputs: deliveries,
    interrupt: interrupt.signal,
    io,
    place: (action, signal) =>
      getOrMake(perAction, action, () => createPlaces(limits.perAction)).take(undefined, signal),
    publish: subscribers.publish,
  })
  const acceptor = createAcceptor({
    tracing,
    counters,
    log,
    limits,
    responder,
    matcher: createMatcher(ready),
    cluster: options.cluster,
    closing: stopping.signal,
    interrupt: interrupt.signal,
  })

  const inputIo = (use: Use<Input>): InputIo => {
    const source = acceptor.source(use.id, use.plugin)
    return {
      ...io(use.id),
      emit: (raw, opts) => acceptor.emit(source, raw, opts),
      signal: stopping.signal,
      count: (what, reason) => acceptor.count(use.id, what, reason),
    }
  }
  const supervisor = createSupervisor(
    inputs.map((use) => ({ use, io: inputIo(use) })),
    { log, counters, signal: stopping.signal },
  )
  const app = new Hono()
  for (const routes of supervisor.routes) app.route('/', routes)

  const host: Source = acceptor.source('host', { replayable: false })
  const health = (): Health => ({
    ready: !stopping.signal.aborted && supervisor.status().every(({ state }) => state !== 'failing'),
    mode,
    inputs: supervisor.status(),
    outputs: deliveries.map(({ id, queued, lastError }) => ({ id, queued, ...(lastError && { lastError }) })),
    running: responder.running,
    unsettled: acceptor.unsettled(),
  })
  countGauges(counters, { responder, deliveries, acceptor })

  let stopped: Promise<void> | undefined
  const stop = async (deadline: number): Promise<void> => {
    stopping.abort(new YarakError('closing', 'the gateway is stopping'))
    const timer = setTimeout(() => interrupt.abort(new YarakError('interrupted', 'the deadline passed')), deadline)
    const gaveUp = new Promise<void>((resolve) => interrupt.signal.addEventListener('abort', () => resolve()))
    await Promise.race([Promise.all([supervisor.ended(), acceptor.settled()]), gaveUp])
    await Promise.all(deliveries.map((delivery) => delivery.close(interrupt.signal)))
    await Promise.race([acceptor.settled(), gaveUp])
    clearTimeout(timer)
    await resources.close().catch((error: unknown) => log.warn('closing failed', { error: messageOf(error) }))
    await http.close()
    subscribers.close()
  }

  return {
    app,
    ops: mountOps(health, counters),
    mode,
    emit: (raw, opts) => acceptor.emit(host, raw, opts),
    async start() {
      supervisor.start()
    },
    ended: () => supervisor.ended(),
    stop: ({ deadline = 10_000 } = {}) => (stopped ??= stop(deadline)),
    events: () => subscribers.subscribe(),
    health,
  }
}

const getOrMake = <T>(map: Map<string, T>, key: string, make: () => T): T => {
  const found = map.get(key) ?? make()
  map.set(key, found)
  return found
}

const unique = (what: string, ids: readonly string[]): void => {
  const twice = ids.find((id, i) => ids.indexOf(id) !== i)
  if (twice !== undefined)
    throw new YarakError('config', `two ${what}s are called ${twice}; give one a label or another name`)
}

const openDelivery = (input: OutputInput, host: Parameters<typeof createDelivery>[2]): Delivery => {
  const { output: use, ...settings } = 'output' in input ? input : { output: input }
  const problems = checkSettings(deliverySettings, settings)
  if (problems[0]) throw new YarakError('config', `output ${use.id}: ${problems[0].message}`)
  return createDelivery(use, deliverySettings.parse(settings), host)
}

type Gauged = {
  responder: { running: number; queued: number }
  deliveries: readonly Delivery[]
  acceptor: { unsettled(): number }
}

const countGauges = (
  counters: ReturnType<typeof createCounters>,
  { responder, deliveries, acceptor }: Gauged,
): void => {
  counters.gauge('yarak_events_unsettled', 'Accepted events that are not settled.', () => [[{}, acceptor.unsettled()]])
  counters.gauge('yarak_responses_running', 'Responses that run.', () => [[{}, responder.running]])
  counters.gauge('yarak_responses_queued', 'Responses that wait for their target or a place.', () => [
    [{}, responder.queued],
  ])
  counters.gauge('yarak_notices_queued', 'Notices that wait or are being delivered, by output.', () =>
    deliveries.map(({ id, queued }) => [{ output: id }, queued]),
  )
}
