/** One request and its answer, over a dispatcher of undici: its lower interface costs half of `request()`. */
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The first 1 MiB, as text. */
  readonly body: string
}

const MAX_BODY = 1024 * 1024

/**
 * @throws the reason of the signal, at once when it fires, also while there is no connection yet; what undici says
 * @example const { status, body } = await exchange(pool, { origin, path: '/', method: 'GET' }, signal)
 */
export const exchange = (
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal: AbortSignal | undefined,
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) {
      if (options.body instanceof Readable) options.body.destroy()
      return reject(signal.reason as Error)
    }
    const handler = new Exchange(resolve, reject, signal)
    try {
      dispatcher.dispatch(options, handler)
    } catch (error) {
      handler.onResponseError(undefined, error as Error)
    }
  })

class Exchange implements Dispatcher.DispatchHandler {
  readonly #resolve: (answer: Answer) => void
  readonly #reject: (error: unknown) => void
  readonly #signal: AbortSignal | undefined
  #controller: Dispatcher.DispatchController | undefined
  #status = 0
  #headers: Answer['headers'] = {}
  #chunks: Buffer[] = []
  #size = 0

  constructor(resolve: (answer: Answer) => void, reject: (error: unknown) => void, signal: AbortSignal | undefined) {
    this.#resolve = resolve
    this.#reject = reject
    this.#signal = signal
    signal?.addEventListener('abort', this.#abort, { once: true })
  }

  readonly #abort = (): void => {
    const reason = this.#signal?.reason as Error
    this.#reject(reason)
    this.#controller?.abort(reason)
  }

  #end(): void {
    this.#signal?.removeEventListener('abort', this.#abort)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#signal?.aborted) controller.abort(this.#signal.reason as Error)
  }

  /** 1xx come before the answer itself. */
  onResponseStart(_controller: unknown, status: number, headers: Answer['headers']): void {
    if (status < 200) return
    this.#status = status
    this.#headers = headers
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (this.#size < MAX_BODY) this.#chunks.push(chunk.subarray(0, MAX_BODY - this.#size))
    this.#size += chunk.length
  }

  onResponseEnd(): void {
    this.#end()
    const body = this.#chunks.length === 0 ? '' : Buffer.concat(this.#chunks).toString('utf8')
    this.#resolve({ status: this.#status, headers: this.#headers, body })
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#end()
    this.#reject(error)
  }
}
