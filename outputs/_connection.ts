/** One client of a server: opened by the first send that needs it, let go after a failure, opened again by the next. */
import { setTimeout } from 'node:timers/promises'
import { messageOf, YarakError } from '../src/plugin.ts'

export interface ConnectionOptions<T> {
  /** What it is and where, for errors, e.g. `NATS at nats:4222`. No secret. */
  readonly name: string
  /**
   * Connects and signs in, in bounded time.
   * @param lost to be called when the client has closed by itself
   */
  open(lost: () => void): Promise<T>
  close(client: T): unknown
  /** What an error of the client library means; undefined: that the server cannot be reached. */
  meaning?(error: unknown): YarakError | undefined
}

/** Milliseconds for a server to take leave of us; one that is gone never does. */
const PATIENCE = 1_000

export interface Connection<T> {
  /**
   * Runs `fn` with the open client. Whatever it throws, unless the server refused something (`failed`), ends the client.
   * @throws YarakError `unavailable`, `interrupted` as soon as the signal fires, or what the error means
   */
  use<R>(fn: (client: T) => Promise<R>, signal: AbortSignal): Promise<R>
  close(): Promise<void>
}

/**
 * @example
 * const link = connection({ name: 'Redis at redis:6379', open: (lost) => connect(settings, lost), close: (one) => one.quit() })
 * await link.use((client) => client.rpush('falco', json), signal)
 */
export const connection = <T>({ name, open, close, meaning }: ConnectionOptions<T>): Connection<T> => {
  let current: Promise<T> | undefined
  const start = (): Promise<T> => {
    const opening: Promise<T> = Promise.resolve().then(() => open(() => void end(opening)))
    opening.catch(() => void end(opening))
    return opening
  }
  const end = async (which: Promise<T>): Promise<void> => {
    if (current === which) current = undefined
    const closed = which.then(close).catch(() => {})
    await Promise.race([closed, setTimeout(PATIENCE, undefined, { ref: false })])
  }
  return {
    async use(fn, signal) {
      let mine: Promise<T> | undefined
      const work = async () => {
        const client = await (mine = current ??= start())
        signal.throwIfAborted()
        return fn(client)
      }
      try {
        return await unlessAborted(signal, name, work)
      } catch (error) {
        const told = explained(error, name, meaning)
        if (mine && told.code !== 'failed') void end(mine)
        throw told
      }
    },
    async close() {
      if (current) await end(current)
    },
  }
}

const explained = (error: unknown, name: string, meaning: ConnectionOptions<unknown>['meaning']): YarakError => {
  if (error instanceof YarakError) return error
  const { code } = error as { code?: unknown }
  const options = { cause: error, ...(typeof code === 'string' && { reason: code.toLowerCase() }) }
  return meaning?.(error) ?? new YarakError('unavailable', `${name}: ${messageOf(error)}`, options)
}

/**
 * What `work` gives, or an error as soon as the signal fires: what was sent by then may still arrive.
 * @throws YarakError `interrupted`, without having begun when the signal has fired before
 */
export const unlessAborted = async <T>(signal: AbortSignal, what: string, work: () => Promise<T>): Promise<T> => {
  const aborted = Promise.withResolvers<never>()
  const stop = () => aborted.reject(new YarakError('interrupted', `${what}: cut short`, { cause: signal.reason }))
  signal.addEventListener('abort', stop)
  try {
    if (signal.aborted) stop()
    return await Promise.race(signal.aborted ? [aborted.promise] : [work(), aborted.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
