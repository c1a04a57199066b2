/** Hands lines to the gateway, one after another, for the inputs that read lines. */
import { setTimeout as sleep } from 'node:timers/promises'
import { YarakError, duration, messageOf, size, z, type EmitOptions, type InputIo } from '../src/plugin.ts'
import { isBlank } from './_lines.ts'
import type { Settled } from './_settled.ts'

/** The settings that every input of lines has. */
export const lineSettings = {
  maxLine: size()
    .default(1024 ** 2)
    .describe('The longest line taken, in bytes; a longer one is skipped and counted.'),
  maxInFlight: z
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe('Lines of one source that may be in work at the same time; beyond it, reading waits.'),
  stopTimeout: duration().prefault('5s').describe('How long a stop waits for the lines in work.'),
}

/** One line to hand over. */
export interface Handed<T> {
  readonly bytes: Buffer
  /** What counts as settled once this line is. */
  readonly place: T
  /** For people: `path:offset`. */
  readonly where: string
  readonly options?: EmitOptions
}

/** Wait after `overloaded`, in milliseconds, when the gateway names none. */
const OVERLOADED = 500
/** Refused lines that are logged one by one; after them every thousandth. */
const LOGGED = 10

export type Sink<T> = (line: Handed<T>) => Promise<boolean>

/**
 * A function that hands over one line and resolves when it is accepted, or was blank, or was refused. It
 * waits while `limit` lines are unsettled, and while the gateway is overloaded. False: the gateway stops, and the line
 * was not taken.
 */
export const createSink = <T>(io: InputIo, settled: Settled<T>, limit: number): Sink<T> => {
  let refused = 0

  const refuse = (error: YarakError, { place, where }: Handed<T>): void => {
    settled.add(place)()
    if (++refused > LOGGED && refused % 1_000 !== 0) return
    io.log.warn(`a line was refused: ${messageOf(error)}`, { at: where, code: error.code, refused })
  }

  /** True: taken or refused. A number: try again after so many milliseconds. False: the gateway stops. */
  const offer = async (line: Handed<T>): Promise<boolean | number> => {
    try {
      const receipt = await io.emit(line.bytes, { ...line.options, signal: io.signal })
      void receipt.done.then(settled.add(line.place))
      return true
    } catch (error) {
      if (io.signal.aborted) return false
      if (!(error instanceof YarakError)) throw error
      if (error.code === 'overloaded') return error.retryAfter ?? OVERLOADED
      if (error.code === 'closing') return false
      if (!REFUSED.has(error.code)) throw error
      refuse(error, line)
      return true
    }
  }

  return async (line) => {
    if (isBlank(line.bytes)) {
      settled.add(line.place)()
      return true
    }
    if (settled.pending >= limit) await untilAborted(settled.below(limit), io.signal)
    while (!io.signal.aborted) {
      const taken = await offer(line)
      if (typeof taken === 'boolean') return taken
      await pause(taken, io.signal)
    }
    return false
  }
}

const REFUSED: ReadonlySet<string> = new Set(['invalid', 'too_large', 'unauthorized'])

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
