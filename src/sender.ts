/** The open output behind a delivery: opened when it is first needed, again after an open that failed, closed once. */
import type { HttpConnection } from './http-settings.ts'
import { messageOf } from './errors.ts'
import { pause } from './backoff.ts'
import type { Io, Log, Output, Sender, Use } from './plugin.ts'

interface SenderHost {
  readonly log: Log
  io(id: string, span?: undefined, connection?: HttpConnection): Io
}

/** @param settings.timeout milliseconds; closing that takes longer holds nobody up */
export const createSender = (
  { id, plugin, config }: Use<Output>,
  { timeout, http }: { readonly timeout: number; readonly http?: HttpConnection | undefined },
  host: SenderHost,
) => {
  let sender: Promise<Sender> | undefined
  const warn = (error: string): void => host.log.warn('closing an output failed', { output: id, error })

  return {
    open(): Promise<Sender> {
      sender ??= Promise.resolve(plugin.open(config, host.io(id, undefined, http))).catch((error: unknown) => {
        sender = undefined
        throw error
      })
      return sender
    },
    async close(): Promise<void> {
      if (!sender) return
      const over = new AbortController()
      void sender
        .then((open) => open.close?.())
        .catch((error: unknown) => warn(messageOf(error)))
        .finally(() => over.abort())
      await pause(timeout, over.signal)
      if (!over.signal.aborted) warn(`it takes longer than ${timeout} ms`)
    },
  }
}
