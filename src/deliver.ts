/** Wraps an output: filter, queue, retries, dead letter. An output declares how to send, and nothing of this. */
import { z } from 'zod'
import { backoff, orAborted, pause } from './backoff.ts'
import type { Counters } from './counters.ts'
import { asYarakError, messageOf, YarakError } from './errors.ts'
import { parsePriority, PRIORITIES, severity } from './event.ts'
import type { Scope } from './names.ts'
import type { Io, Log, Notice, Output, Sender, Use } from './plugin.ts'
import { compileSelection } from './rules/matcher.ts'
import { matchSettings } from './rules/rule.ts'
import { duration } from './settings.ts'
import type { Span, Tracing } from './telemetry.ts'

/** The settings that every output has, beside its own. */
export const deliverySettings = z.strictObject({
  tell: z
    .enum(['events', 'responses', 'both'])
    .default('events')
    .describe('What it is told of. A rule with this output in `notify` adds its reports.'),
  minimumPriority: z
    .string()
    .refine((text) => text === '' || parsePriority(text) !== undefined, `must be one of ${PRIORITIES.join(', ')}`)
    .default('')
    .describe('Events below are not told.'),
  match: matchSettings.optional().describe('Only events that match are told.'),
  condition: z.string().optional().describe("Only events for which this condition in Falco's language holds are told."),
  timeout: duration().prefault('10s').describe('Deadline of one delivery.'),
  retryFor: duration().prefault('10m').describe('How long a delivery is tried before it is a dead letter.'),
  concurrency: z.int().min(1).max(256).default(8).describe('Deliveries at the same time.'),
  queue: z.int().min(1).default(1_000).describe('Notices that wait; beyond it they are dead letters.'),
})

export type DeliverySettings = z.output<typeof deliverySettings>

/** What a delivery needs of the engine. */
export interface DeliveryHost {
  readonly tracing: Tracing
  readonly counters: Counters
  readonly log: Log
  io(id: string, span?: Span): Io
}

/** How a notice ended. */
export type Delivered = 'delivered' | 'filtered' | 'dead_lettered'

/** An output with its queue. */
export interface Delivery {
  readonly id: string
  /**
   * Resolves when the notice is delivered, left out or given up; never rejects.
   * @param asked a rule names this output: no filter leaves the notice out
   */
  offer(notice: Notice, scope: Scope, parent: Span | undefined, asked?: boolean): Promise<Delivered>
  readonly queued: number
  /** Why the last delivery failed; undefined when it did not. */
  readonly lastError: string | undefined
  /** Delivers what is queued until the signal fires, gives up the rest, closes the output. */
  close(giveUp: AbortSignal): Promise<void>
}

interface Item {
  readonly notice: Notice
  readonly span: Span
  readonly since: number
  readonly end: (how: Delivered) => void
}

export const createDelivery = (use: Use<Output>, settings: DeliverySettings, host: DeliveryHost): Delivery => {
  const { id, plugin } = use
  const labels = { output: id }
  const wants = createFilter(settings)
  const queue: Item[] = []
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

  const end = (item: Item, how: Delivered, error?: YarakError): void => {
    if (error) item.span.fail(error)
    item.span.set({ 'yarak.outcome': how })
    item.span.end()
    if (how === 'delivered') host.counters.add('yarak_notices_delivered_total', labels)
    else {
      const reason = error?.reason ?? 'error'
      host.counters.add('yarak_notices_dead_lettered_total', { ...labels, reason })
      host.log.error('notice given up', {
        output: id,
        reason,
        error: error && messageOf(error),
        event: item.notice.event.id,
      })
    }
    item.end(how)
  }

  /** One try; what is left to try again comes back with the error. */
  const tryOnce = async (items: readonly Item[]): Promise<{ left: readonly Item[]; error?: YarakError }> => {
    const timeout = AbortSignal.timeout(settings.timeout)
    const signal = AbortSignal.any([timeout, closing.signal])
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
      const overdue = left.filter(
        (item) => closing.signal.aborted || Date.now() - item.since + wait > settings.retryFor,
      )
      for (const item of overdue) end(item, 'dead_lettered', error)
      left = left.filter((item) => !overdue.includes(item))
      for (const item of left) item.span.event('retry', { 'yarak.attempt': attempt, 'yarak.reason': messageOf(error) })
      if (left.length > 0) host.counters.add('yarak_notices_retried_total', labels)
      await pause(left.length > 0 ? wait : 0, closing.signal)
    }
  }

  const pump = (): void => {
    while (running < settings.concurrency && queue.length > 0) {
      running++
      void deliver(queue.splice(0, plugin.batch ?? 1)).finally(() => {
        running--
        if (running === 0 && queue.length === 0) idle()
        pump()
      })
    }
  }

  return {
    id,
    get queued() {
      return queue.length + running
    },
    get lastError() {
      return lastError
    },
    offer(notice, scope, parent, asked = false) {
      host.counters.add('yarak_notices_offered_total', labels)
      if (!wants(notice, scope, asked)) {
        host.counters.add('yarak_notices_filtered_total', labels)
        return Promise.resolve('filtered')
      }
      const span = host.tracing.start(`notify ${id}`, {
        parent,
        kind: plugin.kind ?? 'internal',
        attributes: { 'yarak.output': id },
      })
      const own: Notice = span.traceparent ? { ...notice, traceparent: span.traceparent } : notice
      return new Promise((resolve) => {
        const item: Item = { notice: own, span, since: Date.now(), end: resolve }
        if (queue.length >= settings.queue || closing.signal.aborted) {
          const reason = closing.signal.aborted ? 'closing' : 'queue-full'
          end(item, 'dead_lettered', new YarakError('overloaded', `the queue of ${id} is full`, { reason }))
          return
        }
        queue.push(item)
        pump()
      })
    },
    async close(giveUp) {
      if (running > 0) {
        const drained = new Promise<void>((resolve) => (idle = resolve))
        const stop = (): void => closing.abort(new YarakError('closing', 'the gateway stopped'))
        if (giveUp.aborted) stop()
        giveUp.addEventListener('abort', stop, { once: true })
        await drained
      }
      closing.abort(new YarakError('closing', 'the gateway stopped'))
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
const sortFailed = (
  items: readonly Item[],
  error: YarakError,
  end: (item: Item, how: Delivered, error?: YarakError) => void,
): readonly Item[] => {
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

type Wants = (notice: Notice, scope: Scope, asked: boolean) => boolean

/** @throws YarakError `config` when the filter itself is wrong */
const createFilter = (settings: DeliverySettings): Wants => {
  const lowest = parsePriority(settings.minimumPriority)
  const floor = lowest ? severity(lowest) : -1
  const selected = compileSelection(settings)
  return (notice, scope, asked) => {
    if (asked) return true
    const kind = notice.report ? 'responses' : 'events'
    const told = settings.tell === 'both' || settings.tell === kind
    return told && severity(notice.event.priority) >= floor && selected(scope)
  }
}
