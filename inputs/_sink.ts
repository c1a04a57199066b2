/** Hands lines to the gateway, one after another, for the inputs that read lines. */
import { setTimeout as sleep } from 'node:timers/promises'
import { YarakError, duration, messageOf, size, z, type EmitOptions, type InputIo } from '../src/plugin.ts'
import { isBlank } from './_lines.ts'
import type { Settled } from './_settled.ts'
import { unwrap as unwrapText, type UnwrapMode } from './_unwrap.ts'

/** The settings that every input of lines has. */
export const lineSettings = {
  maxLine: size()
    .default(1024 ** 2)
    .describe('The longest line taken, in bytes; the beginning of a longer one becomes a dead letter.'),
  maxInFlight: z
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe('Lines of one source that may be in work at the same time; beyond it, reading waits.'),
  unwrap: z
    .enum(['auto', 'log', 'message', 'data', 'none'])
    .default('auto')
    .describe(
      'Where in a line Falco’s alert is: the member in which a log shipper has put it, as text or as an object. `auto` ' +
        'finds it; `none` takes each line as an alert. What else Falco logs is skipped and counted.',
    ),
  stopTimeout: duration().prefault('5s').describe('How long a stop waits for the lines in work.'),
}

/** One line to hand over. */
export interface Handed<T> {
  /** Undefined: it is over the limit. */
  readonly bytes: Buffer | undefined
  /** How a line over the limit begins. */
  readonly head?: Buffer | undefined
  /** It comes from a log that holds more than alerts. */
  readonly contained?: boolean
  /** What counts as settled once this line is. */
  readonly place: T
  /** Where in the source: an offset, a line number. */
  readonly at: number
  readonly options: EmitOptions
}

/** Wait after `overloaded`, in milliseconds, when the gateway names none. */
const OVERLOADED = 500
/** Refused lines that are logged one by one; after them every thousandth. */
const LOGGED = 10

/** A promise only when it has to wait: most of what a line costs would be promises. */
export type Sink<T> = (line: Handed<T>) => Promise<boolean> | true

export interface SinkOptions {
  /** Lines that may be unsettled. */
  readonly maxInFlight: number
  readonly unwrap: UnwrapMode
}

/** For people: `path:offset`. */
type Where = (at: number) => string

/**
 * A function that hands over one line and resolves when it is accepted, or was no alert, or was refused. It waits while
 * `maxInFlight` lines are unsettled, and while the gateway is overloaded. False: the gateway stops, and the line was not
 * taken.
 */
export const createSink = <T>(
  io: InputIo,
  settled: Settled<T>,
  { maxInFlight, unwrap }: SinkOptions,
  where: Where,
): Sink<T> => {
  let refused = 0

  const refuse = (code: string, why: string, { place, at }: Handed<T>): void => {
    settled.add(place)()
    if (++refused > LOGGED && refused % 1_000 !== 0) return
    io.log.warn('a line was refused', { at: where(at), code, error: why, refused })
  }

  const refuseLong = (line: Handed<T>): void => {
    const message = 'the line is over the limit of maxLine'
    const { position } = line.options
    io.count('rejected', 'too_large', { message, body: line.head ?? '', position: position ?? where(line.at) })
    refuse('too_large', message, line)
  }

  /** What to do about a line that was not taken. */
  const failed = async (error: unknown, line: Handed<T>): Promise<'done' | 'again' | 'stopped'> => {
    if (io.signal.aborted) return 'stopped'
    if (!(error instanceof YarakError)) throw error
    if (error.code === 'closing') return 'stopped'
    if (error.code === 'overloaded') {
      await pause(error.retryAfter ?? OVERLOADED, io.signal)
      return io.signal.aborted ? 'stopped' : 'again'
    }
    if (!REFUSED.has(error.code)) throw error
    refuse(error.code, messageOf(error), line)
    return 'done'
  }

  const offer = async (raw: Buffer | string, line: Handed<T>): Promise<boolean> => {
    if (settled.pending >= maxInFlight) await untilAborted(settled.below(maxInFlight), io.signal)
    if (io.signal.aborted) return false
    for (;;) {
      try {
        const receipt = await io.emit(raw, line.options)
        void receipt.done.then(settled.add(line.place))
        return true
      } catch (error) {
        const next = await failed(error, line)
        if (next !== 'again') return next === 'done'
      }
    }
  }

  return (line) => {
    const { bytes, place, contained = false } = line
    const raw = bytes && alertIn(bytes, contained, unwrap)
    if (raw !== undefined) return offer(raw, line)
    if (!bytes) refuseLong(line)
    else {
      if (!isBlank(bytes)) io.count('skipped', 'not-an-alert')
      settled.add(place)()
    }
    return true
  }
}

const REFUSED: ReadonlySet<string> = new Set(['invalid', 'too_large', 'unauthorized'])

/** The alert that a line is or holds; undefined when it is blank or something else that Falco says. */
const alertIn = (bytes: Buffer, contained: boolean, mode: UnwrapMode): Buffer | string | undefined => {
  if (isBlank(bytes)) return undefined
  if (mode === 'none' || (!contained && bytes[0] !== BRACE && !FALCO_SAYS.test(bytes.toString('latin1', 0, 40))))
    return bytes
  const found = unwrapText(bytes.toString(), mode)
  return 'text' in found ? found.text : undefined
}

const BRACE = 0x7b

/** How Falco starts a line of its own log: `2026-01-31T12:00:00+0000: ` or `Sat Jan 31 12:00:00 2026: `. */
const FALCO_SAYS = /^(?:\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d{4})|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}): /

/** Resolves after so many milliseconds, or at once when the signal fires. */
export const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  sleep(milliseconds, undefined, { signal }).catch(() => {})

/** Resolves with `done`, or when the signal fires and `grace` milliseconds have passed. */
export const untilAborted = async (done: Promise<void>, signal: AbortSignal, grace = 0): Promise<void> => {
  const over = new AbortController()
  const stopped = async (): Promise<void> => {
    await once(signal, over.signal)
    if (grace > 0) await pause(grace, over.signal)
  }
  await Promise.race([done, stopped()])
  over.abort()
}

/** Resolves when either signal fires. */
const once = (signal: AbortSignal, over: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const both = AbortSignal.any([signal, over])
    if (both.aborted) resolve()
    else both.addEventListener('abort', () => resolve(), { once: true })
  })
