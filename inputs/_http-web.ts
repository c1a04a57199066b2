/** The HTTP input in Hono: on node:http by way of @hono/node-server, or in whatever runs the app. */
import { IncomingMessage } from 'node:http'
import type { Context } from 'hono'
import { YarakError } from '../src/plugin.ts'
import type { Answer, Ask, Each } from './_http-ask.ts'
import { askOf } from './_http-node.ts'

/** Node's own request is read when there is one that nobody has read: that is faster, and tells who sends. */
export const askOfContext = (c: Context, token?: string): Ask => {
  const { incoming } = (c.env ?? {}) as { incoming?: unknown }
  if (!(incoming instanceof IncomingMessage))
    return { ...shown(token), headers: Object.fromEntries(c.req.raw.headers), socket: undefined, each: eachOf(c) }
  const ask = askOf(incoming, { token })
  return incoming.readableDidRead || 'rawBody' in incoming ? { ...ask, each: eachOf(c) } : ask
}

const shown = (token: string | undefined) => (token === undefined ? {} : { token })

export const respond = ({ status, headers, body }: Answer): Response =>
  new Response(body === '' ? null : body, { status, headers })

const eachOf =
  (c: Context): Each =>
  async (take) => {
    if (c.req.raw.bodyUsed) return take(Buffer.from(await c.req.arrayBuffer()))
    const reader = c.req.raw.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined
    if (!reader) return
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw new YarakError('interrupted', 'the sender went away', { reason: 'aborted', cause })
      })
      if (done) return
      try {
        await take(Buffer.from(value.buffer, value.byteOffset, value.byteLength))
      } catch (error) {
        void reader.cancel().catch(() => {})
        throw error
      }
    }
  }
