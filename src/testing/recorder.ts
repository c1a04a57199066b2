/** A stand-in for the network: keeps every request and answers as told. */
import { Dispatcher } from 'undici'

/** A request as it would have gone out. */
export interface RecordedRequest {
  readonly method: string
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What the other side says. An object as the body is sent as JSON. */
export interface Answer {
  /** Default 200. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | object
}

/** `hang`: no answer ever; an Error: the connection fails with it. */
export type Reaction = Answer | Error | 'hang'

/** One reaction for all, or a function of the request, which may wait. */
export type Answers = Reaction | ((request: RecordedRequest) => Reaction | Promise<Reaction>)

/**
 * An undici dispatcher that opens no connection.
 * @example createHttpClient({ dispatcher: new Recorder({ status: 503 }) })
 */
export class Recorder extends Dispatcher {
  readonly requests: RecordedRequest[] = []
  readonly #answers: Answers

  constructor(answers: Answers = {}) {
    super()
    this.#answers = answers
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const exchange = new Exchange(handler)
    handler.onRequestStart?.(exchange, {})
    if (!exchange.aborted) void this.#react(options, exchange)
    return true
  }

  async #react(options: Dispatcher.DispatchOptions, exchange: Exchange): Promise<void> {
    try {
      const request = await recorded(options)
      this.requests.push(request)
      const reaction = typeof this.#answers === 'function' ? await this.#answers(request) : this.#answers
      if (reaction instanceof Error) exchange.abort(reaction)
      else if (reaction !== 'hang') exchange.answer(reaction)
    } catch (error) {
      exchange.abort(error as Error)
    }
  }

  override async close(): Promise<void> {}
  override async destroy(): Promise<void> {}
}

class Exchange implements Dispatcher.DispatchController {
  aborted = false
  paused = false
  reason: Error | null = null
  readonly #handler: Dispatcher.DispatchHandler

  constructor(handler: Dispatcher.DispatchHandler) {
    this.#handler = handler
  }

  abort(reason: Error): void {
    if (this.aborted) return
    this.aborted = true
    this.reason = reason
    this.#handler.onResponseError?.(this, reason)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  answer({ status = 200, headers = {}, body = '' }: Answer): void {
    if (this.aborted) return
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
    const type = typeof body === 'string' ? {} : { 'content-type': 'application/json' }
    this.#handler.onResponseStart?.(this, status, { ...type, ...Object.fromEntries(lower) }, '')
    if (text) this.#handler.onResponseData?.(this, Buffer.from(text))
    this.#handler.onResponseEnd?.(this, {})
  }
}

const recorded = async (options: Dispatcher.DispatchOptions): Promise<RecordedRequest> => ({
  method: options.method,
  url: `${String(options.origin ?? '')}${options.path}`,
  headers: Object.fromEntries(
    Object.entries((options.headers ?? {}) as Record<string, unknown>).map(([name, value]) => [
      name.toLowerCase(),
      String(value),
    ]),
  ),
  body: await textOf(options.body),
})

const textOf = async (body: unknown): Promise<string> => {
  if (body === null || body === undefined) return ''
  if (typeof body === 'string') return body
  if (body instanceof Uint8Array) return Buffer.from(body).toString()
  const chunks: Uint8Array[] = []
  for await (const chunk of body as AsyncIterable<Uint8Array | string>) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}
