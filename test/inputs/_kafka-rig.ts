/** The Kafka input between a fake cluster and a fake gateway. */
import { vi } from 'vitest'
import { createKafkaInput } from '../../inputs/kafka.ts'
import type { Emit, EmitOptions, InputIo, Lost, Report } from '../../src/plugin.ts'
import { createFakeKafka, type FakeKafka } from './_fake-driver.ts'

interface Seen {
  readonly text: string
  readonly options: EmitOptions
  settle(): void
}

/** The input on a fake cluster and a fake gateway that notes what it is given. */
export const rig = (
  options: {
    fake?: FakeKafka
    settings?: object
    emit?: (text: string) => void | Promise<void>
    /** What an earlier run left. */
    state?: Map<string, unknown>
  } = {},
) => {
  const fake = options.fake ?? createFakeKafka({ alerts: 1 })
  const input = createKafkaInput(fake.driver)
  const stop = new AbortController()
  const seen: Seen[] = []
  const counts: string[] = []
  const lost: Lost[] = []
  const lags = new Map<string, number>()
  const state = options.state ?? new Map<string, unknown>()
  const logs: { level: string; message: string; fields: Record<string, unknown> }[] = []
  const log =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      void logs.push({ level, message, fields })
  const emit: Emit = async (raw, how = {}) => {
    const text = Buffer.from(raw as Uint8Array).toString()
    await options.emit?.(text)
    const { promise, resolve } = Promise.withResolvers<readonly Report[]>()
    seen.push({ text, options: how, settle: () => resolve([]) })
    return { id: how.position ?? '', done: promise }
  }
  const io = {
    emit,
    signal: stop.signal,
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    state: { get: async (key) => state.get(key), set: async (key, value) => void state.set(key, value) },
    call: (_span, work) => work({ headers: {}, set: () => {} }),
    measure: (_what, value, { topic, partition }) => void lags.set(`${topic}/${partition}`, value),
    count(what, reason, letter) {
      counts.push(`${what}:${reason}`)
      if (letter) lost.push(letter)
    },
  } satisfies Partial<InputIo> as unknown as InputIo
  const settings = input.config.parse({
    brokers: ['broker:9092'],
    topics: ['alerts'],
    from: 'earliest',
    commitInterval: '5ms',
    drain: '50ms',
    ...options.settings,
  })
  const running = input.run?.(settings, io) ?? Promise.resolve()
  running.catch(() => {})
  open.push(async () => {
    stop.abort()
    await running.catch(() => {})
  })
  return { fake, seen, counts, lost, lags, state, logs, running, stop, texts: () => seen.map(({ text }) => text) }
}

const open: (() => Promise<void>)[] = []
/** Stops the inputs of a test: to be given to `afterEach`. */
export const stopAll = async (): Promise<void> => {
  for (const close of open.splice(0)) await close()
}

export const soon = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 2 })

/** Long enough for the timers of these tests to have run; used only to see that nothing more happens. */
export const aWhile = () => new Promise((wake) => setTimeout(wake, 40))
