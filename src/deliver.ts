/** Wraps an output: filter, queue, retries, dead letter. An output declares how to send, and nothing of this. */
import { z } from 'zod'
import { backoff, orAborted, pause } from './backoff.ts'
import type { Counters } from './counters.ts'
import { asYarakError, messageOf, YarakError } from './errors.ts'
import { parsePriority, PRIORITIES, severity } from './event.ts'
import type { Scope } from './names.ts'
import type { DeadLetter, Journal } from './journal/index.ts'
import type { Io, Log, Notice, Output, Sender, Use } from './plugin.ts'
import { compileSelection } from './rules/matcher.ts'
import { conditionSetting } from './rules/parsed.ts'
import { matchSettings } from './rules/rule.ts'
import { duration } from './settings.ts'
import { createShelf, endKept, type Item } from './shelf.ts'
import { noticeText, readNotice } from './stored.ts'
import type { Span, Tracing } from './telemetry.ts'

/** The settings that every output has, beside its own. */
export const deliverySettings = z.strictObject({
  tell: z
    .enum(['events', 'responses', 'both', 'none'])
    .default('events')
    .describe('What it is told of; none: it only keeps files. A rule with this output in `notify` adds its reports.'),
  minimumPriority: z
    .string()
    .refine((text) => text === '' || parsePriority(text) !== undefined, `must be one of ${PRIORITIES.join(', ')}`)
    .default('')
    .describe('Events below are not told.'),
  match: matchSettings.optional().describe('Only events that match are told.'),
  condition: conditionSetting()
    .optional()
    .describe("Only events for which this condition in Falco's language holds are told."),
  timeout: duration().prefault('10s').describe('Deadline of one delivery.'),
  retryFor: duration()
    .optional()
    .describe('How long a delivery is tried before it is a dead letter. Default 1h; without a journal on disk 10m.'),
  concurrency: z.int().min(1).max(256).default(8).describe('Deliveries at the same time.'),
  queue: z
    .int()
    .min(1)
    .default(1_000)
    .describe('Notices that wait in memory; beyond it they wait in the journal, without one they are dead letters.'),
})

export type DeliverySettings = z.output<typeof deliverySettings>

/** What a delivery needs of the engine. */
export interface DeliveryHost {
  readonly tracing: Tracing
  readonly counters: Counters
  readonly log: Log
  readonly journal: Journal
  io(id: string, span?: Span): Io
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
  /** Why the last delivery failed; undefined when it did not. */
  readonly lastError: string | undefined
  /** Delivers what is queued until the signal fires, keeps or gives up the rest, closes the output. */
  close(giveUp: AbortSignal): Promise<void>
}

const RETRY_FOR = { durable: 3_600_000, memory: 600_000 } as const

export const createDelivery = (use: Use<Output>, settings: DeliverySettings, host: DeliveryHost): Delivery => {
  const { id, plugin } = use
  const labels = { output: id }
  const wants = createFilter(settings)
  const shelf = createShelf(id, host)
  const queue: Item[] = []
  /** What is safe in the journal waits there from now on. */
  const draining = new AbortController()
  const closing = new AbortController()
  let sender: Promise<Sender> | undefined
  let running = 0
  let lastError: string | undefined
  let idle = (): void => {}

  const open = (): Promise<Sender> => {
    sender ??= Promise.resolve(plugin.open(use.config, host.io(id))).catch((error: unknown) => {
      sender = undefined
      throw error
    })
    return sender
  }

  const end = (item: Item, how: 'delivered' | 'dead_lettered', error?: YarakError): void => {
    if (error) item.span.fail(error)
    item.span.set({ 'yarak.outcome': how })
    item.span.end()
    if (how === 'delivered') host.counters.add('yarak_notices_delivered_total', labels)
    else bury(item, error)
    shelf.drop(item)
    item.end(how)
  }

  const bury = (item: Item, error: YarakError | undefined): void => {
    const reason = error?.reason ?? 'error'
    const message = messageOf(error ?? reason)
    const { notice, asked, attempts } = item
    host.counters.add('yarak_notices_dead_lettered_total', { ...labels, reason })
    host.log.error('notice given up', { output: id, reason, error: message, event: notice.event.id })
    const body = noticeText(notice, asked)
    host.journal.bury({ at: Date.now(), kind: 'notice', from: id, reason, message, body, attempts })
  }

  /** One try; what is left to try again comes back with the error. */
  const tryOnce = async (items: readonly Item[]): Promise<{ left: readonly Item[]; error?: YarakError }> => {
    const timeout = AbortSignal.timeout(settings.timeout)
    const signal = AbortSignal.any([timeout, closing.signal])
    for (const item of items) item.attempts++
    try {
      const first = items[0] as Item
      const send = async (): Promise<void> =>
        (await open()).send(
          items.map(({ notice }) => notice),
          signal,
        )
      await first.span.run(() => orAborted(send(), signal))
      for (const item of items) end(item, 'delivered')
      lastError = undefined
      return { left: [] }
    } catch (thrown) {
      const error = timeout.aborted
        ? new YarakError('timed_out', `no answer within ${settings.timeout} ms`)
        : asYarakError(thrown)
      lastError = messageOf(error)
      return { left: sortFailed(items, error, end), error }
    }
  }

  const deliver = async (batch: readonly Item[]): Promise<void> => {
    let left = batch
    for (let attempt = 1; left.length > 0; attempt++) {
      const tried = await tryOnce(left)
      left = tried.left
      const { error } = tried
      if (!error || left.length === 0) return
      const wait = error.retryAfter ?? backoff(attempt)
      left = giveUpOverdue(left, wait, error)
      if (left.length === 0) return
      const stop = shelf.durable ? draining.signal : closing.signal
      // nobody waits for an output that is down
      await Promise.all([shelf.keep([...left, ...queue]), pause(wait, stop)])
      if (stop.aborted) return leave(left, error)
      for (const item of left) item.span.event('retry', { 'yarak.attempt': attempt, 'yarak.reason': messageOf(error) })
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

  const pump = (): void => {
    if (shelf.backlog > 0 && queue.length < settings.queue / 2) void refill()
    while (running < settings.concurrency && queue.length > 0 && !closing.signal.aborted) {
      running++
      void deliver(queue.splice(0, plugin.batch ?? 1)).finally(() => {
        running--
        pump()
        if (running === 0) idle()
      })
    }
  }

  const refill = async (): Promise<void> => {
    if (draining.signal.aborted) return
    const taken = await shelf.take(Math.ceil(settings.queue / 2))
    for (const { notice, at, asked } of taken) {
      const item = newItem(notice, asked, host.tracing.remote(notice.traceparent, notice.cluster))
      queue.push(Object.assign(item, { since: at, kept: true }))
    }
    if (taken.length > 0) pump()
  }

  const newItem = (notice: Notice, asked: boolean, parent: Span | undefined, ended?: Item['end']): Item => {
    const kind = plugin.kind ?? 'internal'
    const span = host.tracing.start(`notify ${id}`, { parent, kind, attributes: { 'yarak.output': id } })
    const own: Notice = span.traceparent ? { ...notice, traceparent: span.traceparent } : notice
    return { notice: own, asked, span, since: Date.now(), attempts: 0, kept: false, end: ended ?? (() => {}) }
  }

  const enqueue = (notice: Notice, asked: boolean, parent: Span | undefined): Promise<Delivered> =>
    new Promise((resolve) => {
      const item = newItem(notice, asked, parent, resolve)
      const full = queue.length >= settings.queue || shelf.backlog > 0
      if (!full && !closing.signal.aborted) {
        queue.push(item)
        if (lastError !== undefined) void shelf.keep([item])
        return pump()
      }
      if (shelf.durable) return void shelf.put(item)
      const reason = closing.signal.aborted ? 'closing' : 'queue-full'
      end(item, 'dead_lettered', new YarakError('overloaded', `the queue of ${id} is full`, { reason }))
    })

  return {
    id,
    wants: (scope) => wants({ id: scope.event.id, event: scope.event }, scope),
    store: plugin.stores
      ? async (file, chunks, signal) => {
          const { store } = await open()
          if (!store) throw new YarakError('failed', `${id} keeps no files`, { permanent: true })
          return store(file, chunks, signal)
        }
      : undefined,
    get queued() {
      return queue.length + running + shelf.backlog
    },
    get lastError() {
      return lastError
    },
    offer(notice, scope, parent, asked = false) {
      host.counters.add('yarak_notices_offered_total', labels)
      if (asked || wants(notice, scope)) return enqueue(notice, asked, parent)
      host.counters.add('yarak_notices_filtered_total', labels)
      return Promise.resolve('filtered')
    },
    again(letter) {
      const { notice, asked } = readNotice(letter.body)
      host.counters.add('yarak_notices_offered_total', labels)
      return enqueue(notice, asked, host.tracing.remote(notice.traceparent, notice.cluster))
    },
    restore(notices) {
      host.counters.add('yarak_notices_restored_total', labels, notices)
      shelf.restore(notices)
      pump()
    },
    async close(giveUp) {
      const stopped = new YarakError('closing', 'the gateway stopped', { reason: 'closing' })
      draining.abort(stopped)
      if (running > 0) {
        const drained = new Promise<void>((resolve) => (idle = resolve))
        if (giveUp.aborted) closing.abort(stopped)
        giveUp.addEventListener('abort', () => closing.abort(stopped), { once: true })
        await drained
      }
      closing.abort(stopped)
      await leave(queue.splice(0), stopped)
      if (sender)
        await sender
          .then((open) => open.close?.())
          .catch((error: unknown) => {
            host.log.warn('closing an output failed', { output: id, error: messageOf(error) })
          })
    },
  }
}

/** Ends the items that were delivered or never can be; gives back those to try again. */
const sortFailed = (items: readonly Item[], error: YarakError, end: End): readonly Item[] => {
  if (!error.failed) {
    if (error.permanent) for (const item of items) end(item, 'dead_lettered', error)
    return error.permanent ? [] : items
  }
  const failed = new Map(error.failed.map((one) => [one.index, one]))
  return items.filter((item, index) => {
    const one = failed.get(index)
    if (!one) end(item, 'delivered')
    else if (one.permanent) end(item, 'dead_lettered', new YarakError('failed', one.reason, { reason: 'rejected' }))
    return one !== undefined && !one.permanent
  })
}

type End = (item: Item, how: 'delivered' | 'dead_lettered', error?: YarakError) => void

type Wants = (notice: Notice, scope: Scope) => boolean

/** @throws YarakError `config` when the filter itself is wrong */
const createFilter = (settings: DeliverySettings): Wants => {
  const lowest = parsePriority(settings.minimumPriority)
  const floor = lowest ? severity(lowest) : -1
  const selected = compileSelection(settings)
  return (notice, scope) => {
    const kind = notice.report ? 'responses' : 'events'
    const told = settings.tell === 'both' || settings.tell === kind
    return told && severity(notice.event.priority) >= floor && selected(scope)
  }
}
