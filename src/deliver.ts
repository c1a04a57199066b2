/** Wraps an output: filter, digest, queue, gate, retries, dead letter. An output declares how to send, and nothing of this. */
import { createAttempts } from './attempts.ts'
import { backoff, orCut, pause } from './backoff.ts'
import type { CompatMetrics } from './compat-metrics.ts'
import type { Counters } from './counters.ts'
import { partOf, sortFailed } from './delivery-failed.ts'
import type { DeliverySettings } from './delivery-settings.ts'
import { createDigests } from './digest.ts'
import { asYarakError, messageOf, YarakError } from './errors.ts'
import type { HttpConnection } from './http-settings.ts'
import type { DeadLetter, Journal } from './journal/index.ts'
import type { Scope } from './names.ts'
import { createFilter } from './output-filter.ts'
import { type BreakerState, createGate } from './output-gate.ts'
import { traceFields } from './log-area.ts'
import { createQueue } from './output-queue.ts'
import type { Io, Log, Notice, Output, Sender, Use } from './plugin.ts'
import { redactNotice } from './present.ts'
import { createRedact } from './redact.ts'
import { createSender } from './sender.ts'
import { createShelf, endKept, type Item } from './shelf.ts'
import { noticeText, readNotice } from './stored.ts'
import { targetOf } from './target.ts'
import type { Span, Tracing } from './telemetry.ts'

/** What a delivery needs of the engine. */
export interface DeliveryHost {
  readonly tracing: Tracing
  readonly counters: Counters
  readonly compat?: CompatMetrics | undefined
  readonly log: Log
  readonly journal: Journal
  /** Fires when the gateway begins to stop: batches that are not full wait no longer. */
  readonly stopping?: AbortSignal
  io(id: string, span?: Span, connection?: HttpConnection): Io
}

/** How a notice ended; `kept`: it waits in the journal, over any crash, and nobody needs to wait for it. */
export type Delivered = 'delivered' | 'filtered' | 'dead_lettered' | 'kept'

/** An output with its queue. */
export interface Delivery {
  readonly id: string
  /** Whether it is to be told of the event. */
  wants(scope: Scope): boolean
  /**
   * Resolves when the notice is delivered, left out, given up or durable; never rejects.
   * @param asked a rule names this output: no filter leaves the notice out
   */
  offer(notice: Notice, scope: Scope, parent: Span | undefined, asked?: boolean): Promise<Delivered>
  /** Delivers a dead letter again. Resolves when that is decided. */
  again(letter: DeadLetter): Promise<Delivered>
  /** Takes up what an earlier run left in the journal. */
  restore(notices: number): void
  /** Keeps a file; undefined: the output keeps none. */
  readonly store: NonNullable<Sender['store']> | undefined
  /** Notices that wait or are being delivered, in memory and in the journal. */
  readonly queued: number
  /** When the oldest of them was offered first; milliseconds since the epoch. Undefined when there is none. */
  readonly oldest: number | undefined
  /** Why the last delivery failed; undefined when it did not. */
  readonly lastError: string | undefined
  readonly breaker: BreakerState
  /** Delivers what is queued until the signal fires, keeps or gives up the rest, closes the output. */
  close(giveUp: AbortSignal): Promise<void>
}

const RETRY_FOR = { durable: 3_600_000, memory: 600_000 } as const

export const createDelivery = (use: Use<Output>, settings: DeliverySettings, host: DeliveryHost): Delivery => {
  const { id, plugin } = use
  const labels = { output: id }
  const wants = createFilter(settings)
  const redact = settings.redact && createRedact(settings.redact)
  const lost = (reason: string): void => host.counters.add('yarak_notices_dead_lettered_total', { ...labels, reason })
  const shelf = createShelf(id, { ...host, lost })
  const queue = createQueue()
  const ordered = isOrdered(plugin, settings)
  const gate = createGate({ breaker: settings.breaker, rate: settings.rate ?? plugin.rate })
  const { count, linger } = batchOf(use, settings)
  const digests = settings.digest && createDigests(settings.digest, (notice) => tellDigest(notice))
  /** What is safe in the journal waits there from now on. */
  const draining = new AbortController()
  const closing = new AbortController()
  const attempts = createAttempts(settings.timeout)
  const sender = createSender(use, settings, host)
  closing.signal.addEventListener('abort', () => attempts.abort(closing.signal.reason as Error), { once: true })
  let offered = 0
  let running = 0
  let last = new YarakError('unavailable', `${id} is down`)
  let lastError: string | undefined
  /** It failed, and all that waits is in the journal: what comes goes there too, in its order. */
  let keeping = false
  let isHeeding = false
  let lingering: NodeJS.Timeout | undefined
  let idle = (): void => {}

  const end = (item: Item, how: 'delivered' | 'dead_lettered', error?: YarakError): void => {
    if (error) item.span.fail(error)
    item.span.set({ 'yarak.outcome': how })
    item.span.end()
    host.compat?.told(plugin.type, how === 'delivered', item.notice.report)
    if (how === 'delivered') host.counters.add('yarak_notices_delivered_total', labels)
    else bury(item, error)
    shelf.drop(item)
    queue.release([item])
    item.end(how)
  }

  const bury = (item: Item, error: YarakError | undefined): void => {
    const reason = error?.reason ?? 'error'
    const message = messageOf(error ?? reason)
    const { notice, asked, attempts } = item
    lost(reason)
    const ids = { event: notice.event.id, response: notice.report?.id, ...traceFields(item.span) }
    host.log.error('notice given up', { output: id, reason, error: message, ...ids })
    const body = noticeText(notice, asked)
    host.journal.bury({ at: Date.now(), kind: 'notice', from: id, reason, message, body, attempts })
  }

  /** One try; what is left to try again comes back with the error. */
  const tryOnce = async (items: readonly Item[]): Promise<{ left: readonly Item[]; error?: YarakError }> => {
    const attempt = attempts.begin()
    const { signal } = attempt
    const attempted = sending(items)
    for (const item of items) item.attempts++
    try {
      const send = async (): Promise<void> =>
        (await sender.open()).send(
          items.map(({ notice }) => notice),
          signal,
        )
      await attempted.span.run(() => orCut(send(), signal))
      attempted.as('delivered')
      gate.succeeded()
      for (const item of items) end(item, 'delivered')
      lastError = undefined
      keeping = false
      return { left: [] }
    } catch (thrown) {
      const error = attempt.timedOut
        ? new YarakError('timed_out', `no answer within ${settings.timeout} ms`, partOf(thrown))
        : asYarakError(thrown)
      attempted.as('failed', error)
      if (error.permanent) gate.succeeded()
      else gate.failed(error)
      lastError = messageOf(error)
      return { left: sortFailed(items, error, end), error }
    } finally {
      attempt.end()
    }
  }

  /** A try under way, and the span that it is below: the notice's own; of several, one that is linked with all of them. */
  const sending = (items: readonly Item[]) => {
    const [first, ...others] = items as readonly [Item, ...Item[]]
    const own =
      others.length === 0 || host.tracing.idle
        ? undefined
        : host.tracing.start(`send ${id}`, {
            parent: first.span,
            links: others.map((item) => item.span),
            attributes: { 'yarak.output': id, 'messaging.batch.message_count': items.length },
          })
    if (own) for (const item of others) item.span.link(own)
    const span = own ?? first.span
    const begun = performance.now()
    return {
      span,
      as(outcome: 'delivered' | 'failed', error?: YarakError): void {
        const seconds = (performance.now() - begun) / 1_000
        host.counters.observe('yarak_delivery_duration_seconds', seconds, { output: id, outcome }, span)
        if (error) own?.fail(error)
        own?.end()
      },
    }
  }

  const deliver = async (batch: readonly Item[]): Promise<void> => {
    const stop = (): AbortSignal => (shelf.durable ? draining.signal : closing.signal)
    let left = batch
    for (let attempt = 1; left.length > 0;) {
      if (!(await gate.enter(stop()))) {
        if (stop().aborted) return leave(left, last)
        left = giveUpOverdue(left, 0, last)
        continue
      }
      const tried = await tryOnce(left)
      left = tried.left
      if (!tried.error || left.length === 0) return
      last = tried.error
      const wait = last.retryAfter || backoff(attempt++)
      left = giveUpOverdue(left, wait, last)
      if (left.length === 0) return
      // nobody waits for an output that is down; an open gate is all the pause there is
      const rest = gate.state === 'closed' ? pause(wait, stop()) : undefined
      keeping = true
      await Promise.all([shelf.keep(queue.all()), rest])
      if (stop().aborted) return leave(left, last)
      for (const item of left)
        item.span.event('retry', { 'yarak.attempt': item.attempts, 'yarak.reason': messageOf(last) })
      host.counters.add('yarak_notices_retried_total', labels)
    }
  }

  const giveUpOverdue = (items: readonly Item[], wait: number, error: YarakError): readonly Item[] => {
    const retryFor = settings.retryFor ?? RETRY_FOR[shelf.durable ? 'durable' : 'memory']
    const overdue = items.filter((item) => Date.now() - item.since + wait > retryFor)
    for (const item of overdue) end(item, 'dead_lettered', error)
    return items.filter((item) => !overdue.includes(item))
  }

  /** The gateway stops: what can be kept for the next start is, the rest is given up. */
  const leave = async (items: readonly Item[], error: YarakError): Promise<void> => {
    await shelf.keep(items)
    for (const item of items) {
      if (item.kept) endKept(item)
      else end(item, 'dead_lettered', error)
    }
  }

  /** Only what is in use: of a reload that fails nothing is left behind. */
  const heedStop = (): void => {
    if (isHeeding || linger === 0) return
    isHeeding = true
    host.stopping?.addEventListener('abort', pump, { once: true, signal: closing.signal })
  }

  const pump = (): void => {
    heedStop()
    if (shelf.backlog > 0 && queue.length < settings.queue / 2) void refill()
    while (running < settings.concurrency && queue.length > 0 && !closing.signal.aborted && !waitsForMore()) {
      const batch = queue.take(count)
      if (batch.length === 0) return
      running++
      void deliver(batch).finally(() => {
        queue.release(batch)
        running--
        pump()
        if (running === 0) idle()
      })
    }
  }

  /** A batch that is not full waits a little, but never at the end. */
  const waitsForMore = (): boolean => {
    if (linger === 0 || queue.length >= count || draining.signal.aborted || host.stopping?.aborted) return false
    const left = (queue.oldest ?? 0) + linger - Date.now()
    if (left <= 0) return false
    lingering ??= setTimeout(() => {
      lingering = undefined
      pump()
    }, left)
    return true
  }

  const refill = async (): Promise<void> => {
    if (draining.signal.aborted) return
    const before = offered
    await shelf.take(Math.ceil(settings.queue / 2), ({ notice, at, asked }) => {
      const item = newItem(redacted(notice), asked, host.tracing.remote(notice.traceparent, notice.cluster))
      queue.push(Object.assign(item, { since: at, kept: true }))
    })
    if (offered > before) pump()
  }

  const newItem = (notice: Notice, asked: boolean, parent: Span | undefined, ended?: Item['end']): Item => {
    const kind = plugin.kind ?? 'internal'
    const span = host.tracing.start(`notify ${id}`, { parent, kind, attributes: { 'yarak.output': id } })
    const own: Notice = span.traceparent ? { ...notice, traceparent: span.traceparent } : notice
    const end = ended ?? ((): void => {})
    const key = ordered ? keyOf(notice) : undefined
    return { notice: own, number: offered++, key, asked, span, since: Date.now(), attempts: 0, kept: false, end }
  }

  const enqueue = (notice: Notice, asked: boolean, parent: Span | undefined): Promise<Delivered> =>
    new Promise((resolve) => {
      const item = newItem(notice, asked, parent, resolve)
      const overtakes = shelf.durable && shelf.backlog > 0
      if (!closing.signal.aborted && !overtakes && queue.length < settings.queue) {
        queue.push(item)
        if (keeping) void shelf.keep([item])
        return pump()
      }
      if (shelf.durable) return void putBack(item)
      giveUpNew(item)
    })

  /** What waits before it in memory goes to the journal before it, so that it comes back before it. */
  const putBack = async (item: Item): Promise<void> => {
    if (shelf.backlog === 0) void shelf.keep(queue.all())
    if (!(await shelf.put(item))) giveUpNew(item)
    pump()
  }

  const giveUpNew = (item: Item): void => {
    const reason = closing.signal.aborted ? 'closing' : 'queue-full'
    end(item, 'dead_lettered', new YarakError('overloaded', `the queue of ${id} is full`, { reason }))
  }

  /** Alerts of one kind that were told a short while ago are held back; over a crash the journal has them. */
  const fold = (notice: Notice): Promise<Delivered> | undefined => {
    const folded = digests?.fold(notice)
    if (!folded) return undefined
    host.counters.add('yarak_notices_folded_total', labels)
    return shelf.hold(folded.standsIn).then((isHeld): Delivered => {
      if (isHeld && folded.instead) shelf.letGo(folded.instead)
      return 'kept'
    })
  }

  const tellDigest = (notice: Notice): void => {
    host.counters.add('yarak_notices_offered_total', labels)
    void enqueue(notice, false, host.tracing.remote(notice.traceparent, notice.cluster))
  }

  const redacted = (notice: Notice): Notice => (redact ? redactNotice(notice, redact) : notice)

  return {
    id,
    wants: (scope) => wants({ id: scope.event.id, event: scope.event }, scope),
    store: plugin.stores
      ? async (file, chunks, signal) => {
          const { store } = await sender.open()
          if (!store) throw new YarakError('failed', `${id} keeps no files`, { permanent: true })
          return store(file, chunks, signal)
        }
      : undefined,
    get queued() {
      return queue.length + queue.out + shelf.backlog
    },
    get oldest() {
      return queue.eldest
    },
    get breaker() {
      return gate.state
    },
    get lastError() {
      return lastError
    },
    async offer(notice, scope, parent, asked = false) {
      if (!asked && !wants(notice, scope)) {
        host.counters.add('yarak_notices_offered_total', labels)
        host.counters.add('yarak_notices_filtered_total', labels)
        return 'filtered'
      }
      const waits = shelf.holding(notice.id)
      if (waits) return waits.then(() => 'kept')
      const own = redacted(notice)
      const held = notice.report || asked ? undefined : fold(own)
      if (held) return held
      host.counters.add('yarak_notices_offered_total', labels)
      return enqueue(own, asked, parent)
    },
    async again(letter) {
      const { notice, asked } = readNotice(letter.body)
      const waits = shelf.holding(notice.id)
      if (waits) return waits.then(() => 'kept')
      host.counters.add('yarak_notices_offered_total', labels)
      return enqueue(redacted(notice), asked, host.tracing.remote(notice.traceparent, notice.cluster))
    },
    restore(notices) {
      shelf.restore(notices)
      pump()
    },
    async close(giveUp) {
      const stopped = new YarakError('closing', 'the gateway stopped', { reason: 'closing' })
      draining.abort(stopped)
      clearTimeout(lingering)
      for (const notice of digests?.close() ?? []) tellDigest(notice)
      pump()
      if (running > 0) {
        const drained = new Promise<void>((resolve) => (idle = resolve))
        if (giveUp.aborted) closing.abort(stopped)
        giveUp.addEventListener('abort', () => closing.abort(stopped), { once: true, signal: closing.signal })
        await drained
      }
      closing.abort(stopped)
      await leave(queue.drain(), stopped)
      await sender.close()
    },
  }
}

/** What is about one target arrives in order. */
const isOrdered = (plugin: Output, { order }: DeliverySettings): boolean =>
  order === undefined ? plugin.ordered === true : order === 'target'

const keyOf = ({ event, cluster = '' }: Notice): string | undefined => {
  const { key } = targetOf(event)
  return key && `${cluster} ${key}`
}

const batchOf = ({ plugin, config }: Use<Output>, settings: DeliverySettings) => {
  const { batch = 1, linger = 0 } = plugin.batching?.(config) ?? plugin
  return {
    count: Math.min(batch, settings.batch?.count ?? batch),
    linger: batch === 1 ? 0 : (settings.batch?.wait ?? linger),
  }
}
