/** The HTTP input on node:http. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { YarakError } from '../src/plugin.ts'
import type { Answer, Ask, Each } from './_http-ask.ts'
import { eachIn } from './_http-body.ts'

interface Known {
  /** Tells a sender that waits for it to send the body. */
  readonly response?: ServerResponse
  readonly token?: string | undefined
  /** The body, when it is read already. */
  readonly body?: Buffer | undefined
}

export const askOf = (request: IncomingMessage, { response, token, body }: Known = {}): Ask => ({
  headers: request.headers,
  socket: request.socket,
  each: body ? eachIn(body) : eachOf(request, response),
  ...(token !== undefined && { token }),
})

/** What comes after a failure is read and thrown away: the connection can be used again. */
const eachOf =
  (request: IncomingMessage, response: ServerResponse | undefined): Each =>
  (take) =>
    new Promise((resolve, reject) => {
      let failed = false
      const fail = (error: Error): void => {
        failed = true
        request.resume()
        reject(error)
      }
      const onGone = (): void => fail(new YarakError('interrupted', 'the sender went away', { reason: 'aborted' }))
      const onData = (chunk: Buffer): void => {
        if (failed) return
        try {
          const wait = take(chunk)
          if (!wait) return
          request.pause()
          wait.then(() => request.resume(), fail)
        } catch (error) {
          fail(error as Error)
        }
      }
      if (request.destroyed) return onGone()
      if (response) sendContinue(request, response)
      request.on('data', onData).on('end', resolve).on('error', onGone)
    })

/** Node does it by itself, unless the host listens for `checkContinue` so that a refusal comes before the body. */
const sendContinue = ({ headers }: IncomingMessage, response: ServerResponse): void => {
  const isSent = (response as { _sent100?: boolean })._sent100 === true
  if (!isSent && headers.expect?.toLowerCase() === '100-continue') response.writeContinue()
}

/** How long what is still being sent is read and thrown away, in milliseconds. */
const LINGER = 1_000

/** Closing at once would make the sender's system throw away the answer along with what is on its way. */
export const send = (request: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void => {
  if (response.destroyed) return
  response.writeHead(status, headers)
  if (headers.connection !== 'close' || request.complete) return void response.end(body)
  response.write(body)
  request.resume()
  void once(request, 'end', { signal: AbortSignal.timeout(LINGER) })
    .catch(() => {})
    .then(() => response.end())
}
