import { createHash, timingSafeEqual } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { defineInput, type EmitOptions, type InputIo, messageOf, secret, size, YarakError, z } from '../src/plugin.ts'
import { splitBody } from './_batch.ts'

const config = z.strictObject({
  path: z.string().startsWith('/').default('/').describe('Where events are posted.'),
  token: secret().optional().describe('Bearer token that a sender must show. Falco itself cannot send one.'),
  maxBody: size()
    .default(10 * 1024 * 1024)
    .describe('Largest body taken.'),
})

type Settings = z.output<typeof config>

/**
 * Takes Falco's alerts by HTTP POST: one JSON object, a JSON array, or newline-delimited JSON.
 *
 * Answers 200 once accepted (with the event's id in `yarak-event-id`), 400 for what is not an event, 401, 413, and 503
 * only when there is no room for a second. A batch answers 200 with `{accepted, rejected: [{index, code, message}]}`,
 * and 400 when none was accepted.
 * @see https://falco.org/docs/concepts/outputs/channels/#http-https-output
 * @example createGateway({ inputs: [http({ token: 's3cret' })] }).app
 */
export const http = defineInput({
  type: 'http',
  summary: "Takes events posted by Falco's http_output, Falcosidekick or any HTTP client.",
  notes:
    "Falco ignores the answer's status and does not send an event again, so a 2xx is given as soon as the event is accepted.",
  config,
  replayable: false,
  routes(settings, io) {
    const app = new Hono()
    app.post(settings.path, async (c) => {
      try {
        authorize(c, settings)
        return await receive(c, settings, io)
      } catch (error) {
        return refuse(c, error, io)
      }
    })
    app.all(settings.path, (c) =>
      c.json({ error: 'method_not_allowed', message: 'send events with POST' }, 405, { allow: 'POST' }),
    )
    return app
  },
})

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

const authorize = (c: Context, { token }: Settings): void => {
  if (token === undefined) return
  const shown = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? ''
  if (!timingSafeEqual(digest(shown), digest(token)))
    throw new YarakError('unauthorized', 'the bearer token is missing or wrong')
}

const receive = async (c: Context, settings: Settings, io: InputIo): Promise<Response> => {
  const body = await readBody(c.req.raw, settings.maxBody)
  const { batch, texts } = splitBody(body, /ndjson|jsonl|json-seq/i.test(c.req.header('content-type') ?? ''))
  const options = emitOptions(c, settings)
  if (!batch) {
    const { id } = await io.emit(texts[0] ?? '', options)
    return c.body(null, 200, { 'yarak-event-id': id })
  }
  return answerBatch(c, await emitAll(texts, options, io))
}

const emitOptions = (c: Context, { path, token }: Settings): EmitOptions => ({
  headers: {
    traceparent: c.req.header('traceparent'),
    tracestate: c.req.header('tracestate'),
    baggage: c.req.header('baggage'),
  },
  signal: c.req.raw.signal,
  ...(token !== undefined && { authenticated: 'bearer' }),
  span: {
    name: `POST ${path}`,
    kind: 'server',
    attributes: { 'http.request.method': 'POST', 'http.route': path, 'http.response.status_code': 200 },
  },
})

interface Rejected {
  readonly index: number
  readonly code: string
  readonly message: string
}

/** How many events of a batch are emitted before others get a turn. */
const TURN = 100

const emitAll = async (texts: readonly string[], options: EmitOptions, io: InputIo) => {
  const rejected: (Rejected & { error: unknown })[] = []
  for (const [index, text] of texts.entries()) {
    if (index > 0 && index % TURN === 0) await new Promise((resolve) => setImmediate(resolve))
    try {
      await io.emit(text, options)
    } catch (error) {
      rejected.push({ index, code: codeOf(error), message: messageOf(error), error })
    }
  }
  return { accepted: texts.length - rejected.length, rejected }
}

const codeOf = (error: unknown): string => (error instanceof YarakError ? error.code : 'failed')

const answerBatch = (c: Context, { accepted, rejected }: Awaited<ReturnType<typeof emitAll>>): Response => {
  const body = { accepted, rejected: rejected.map(({ index, code, message }) => ({ index, code, message })) }
  const overloaded = rejected.find(({ error }) => error instanceof YarakError && error.status === 503)
  if (accepted > 0 || rejected.length === 0) return c.json(body)
  return c.json(body, overloaded ? 503 : 400, overloaded ? { 'retry-after': '1' } : {})
}

const refuse = (c: Context, error: unknown, io: InputIo): Response => {
  const known =
    error instanceof YarakError ? error : new YarakError('failed', 'the event could not be taken', { cause: error })
  if (known.code === 'unauthorized' || known.code === 'too_large') io.count('rejected', known.code)
  if (known.code === 'failed') io.log.error('an event could not be taken', { error: messageOf(error) })
  else io.log.warn('an event was refused', { code: known.code, error: known.message })
  return c.json({ error: known.code, message: known.message }, known.status as 400, {
    ...(known.code === 'unauthorized' && { 'www-authenticate': 'Bearer' }),
    ...(known.status === 503 && { 'retry-after': '1' }),
    ...(known.code === 'too_large' && { connection: 'close' }),
  })
}

const readBody = async (request: Request, limit: number): Promise<string> => {
  const tooLarge = (): YarakError => new YarakError('too_large', `the body is over ${limit} bytes`, { permanent: true })
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge()
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > limit) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length).toString('utf8')
}
