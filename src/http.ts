/** One outbound HTTP request: a pool per destination, traced, with the status turned into an error that says what to do. */
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Dispatcher } from 'undici'
import { messageOf, YarakError } from './errors.ts'
import { toJson } from './event.ts'
import { exchange } from './http-exchange.ts'
import { openPool, proxyFor, type Route } from './http-connection.ts'
import type { HttpConnection, TlsOptions } from './http-settings.ts'
import type { CallContext, ClientSpan } from './plugin.ts'

export interface HttpRequest {
  /** Default `POST`. */
  readonly method?: string
  readonly url: string
  /** The path with its variable and secret parts as `{name}`, for the span. Default: no path is told. */
  readonly template?: string
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** An object is sent as JSON, with every digit of large integers. */
  readonly body?: string | Uint8Array | Readable | object
  /** Compresses a text or JSON body, with `Content-Encoding`. Default: as the settings of the output say. */
  readonly compression?: 'gzip' | 'none'
  /** Milliseconds for the whole exchange. Default: 10 s when there is no signal, else as long as that allows. */
  readonly timeout?: number
  readonly tls?: TlsOptions
  /** Statuses that are an answer and not an error. Default: 200 to 299. */
  readonly expect?: readonly number[]
}

export interface HttpResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The first 1 MiB of the body. */
  readonly body: string
}

/**
 * Sends one request.
 * @throws YarakError `failed` for a status that is not expected: permanent for 4xx but 408, 425 and 429, with `Retry-After`;
 * `timed_out`; `unavailable` when there is no connection
 */
export type Http = (request: HttpRequest, signal?: AbortSignal) => Promise<HttpResponse>

export interface HttpClient {
  /**
   * Binds the client to the caller's span.
   * @param connection what holds for all of its requests; what a request says itself goes before, but for the headers
   */
  bind(
    call: <T>(span: ClientSpan, fn: (call: CallContext) => Promise<T>) => Promise<T>,
    connection?: HttpConnection,
  ): Http
  close(): Promise<void>
}

const MAX_POOLS = 256
const TIMEOUT = 10_000

export interface HttpClientOptions {
  /** Replaces the pools, e.g. by undici's MockAgent in a test. */
  readonly dispatcher?: Dispatcher | undefined
  /** Where proxies are named. Default none. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

export const createHttpClient = ({ dispatcher, env = {} }: HttpClientOptions = {}): HttpClient => {
  const pools = new Map<string, Dispatcher>()
  const poolFor: PoolFor = (url, given) => {
    if (dispatcher) return dispatcher
    const proxy = given.proxy ?? proxyFor(url, env)
    const route: Route = { ...given, proxy }
    const isPlain = !given.tls && !given.denyPrivate && proxy === undefined
    const key = isPlain ? url.origin : `${url.origin} ${JSON.stringify(route)}`
    const found = pools.get(key)
    if (found) return found
    const pool = openPool(url.origin, route)
    pools.set(key, pool)
    if (pools.size > MAX_POOLS) retireOldest(pools)
    return pool
  }
  return {
    bind:
      (call, connection = {}) =>
      (request, signal) =>
        send(withConnection(request, connection), signal, { poolFor, call, route: connection }),
    async close() {
      await Promise.allSettled([...pools.values()].map((pool) => pool.destroy()))
      pools.clear()
    },
  }
}

const retireOldest = (pools: Map<string, Dispatcher>): void => {
  const [key, pool] = pools.entries().next().value ?? []
  if (key === undefined) return
  pools.delete(key)
  void pool?.close()
}

/** The request with what holds for all of its output; of a header in two spellings the later one goes out. */
const withConnection = (request: HttpRequest, { headers, compression, tls }: HttpConnection): HttpRequest =>
  headers || compression || tls
    ? {
        ...request,
        tls: request.tls ?? tls,
        headers: { ...request.headers, ...headers },
        compression: request.compression ?? compression,
      }
    : request

type Call = <T>(span: ClientSpan, fn: (call: CallContext) => Promise<T>) => Promise<T>
type PoolFor = (url: URL, route: Route) => Dispatcher

interface Way {
  readonly poolFor: PoolFor
  readonly call: Call
  readonly route: Route
}

const send = async (request: HttpRequest, signal: AbortSignal | undefined, { poolFor, call, route }: Way) => {
  const url = parseUrl(request.url)
  const method = request.method ?? 'POST'
  const limit = request.timeout ?? (signal ? undefined : TIMEOUT)
  const timeout = limit === undefined ? undefined : AbortSignal.timeout(limit)
  const attributes = {
    'http.request.method': method,
    'server.address': url.hostname,
    ...(url.port && { 'server.port': Number(url.port) }),
    ...(request.template && { 'url.template': request.template }),
  }
  return call({ name: request.template ? `${method} ${request.template}` : method, attributes }, async (context) => {
    try {
      const packed = request.compression === 'gzip' ? await packedBody(request) : { body: plainBody(request.body) }
      const answer = await exchange(
        poolFor(url, { ...route, tls: request.tls }),
        {
          ...{ origin: url.origin, path: url.pathname + url.search, method, body: packed.body },
          headers: { ...basicAuth(url), ...headersOf(request), ...packed.headers, ...context.headers },
        },
        signal && timeout ? AbortSignal.any([signal, timeout]) : (signal ?? timeout),
      )
      context.set('http.response.status_code', answer.status)
      if (!isExpected(answer.status, request.expect)) throw statusError(request, url, answer)
      return answer
    } catch (error) {
      throw explained(error, `${method} ${url.origin}`, timeout, signal)
    }
  })
}

const parseUrl = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new YarakError('failed', 'the URL is not an http or https address', { permanent: true, reason: 'bad-url' })
}

const isPlainObject = (body: HttpRequest['body']): boolean =>
  typeof body === 'object' && !(body instanceof Uint8Array) && !(body instanceof Readable)

const compress = promisify(gzip)

interface Packed {
  readonly body: string | Uint8Array | Readable | null
  readonly headers?: Readonly<Record<string, string>>
}

const plainBody = (body: HttpRequest['body']): Packed['body'] =>
  body === undefined ? null : isPlainObject(body) ? toJson(body) : (body as string | Uint8Array | Readable)

/** A stream goes out as it is. */
const packedBody = async (request: HttpRequest): Promise<Packed> => {
  const body = plainBody(request.body)
  if (body === null || body instanceof Readable || body.length === 0) return { body }
  return { body: await compress(body), headers: { 'content-encoding': 'gzip' } }
}

const headersOf = ({ headers, body }: HttpRequest): Record<string, string> => {
  const all: Record<string, string> = { 'user-agent': 'yarak' }
  if (isPlainObject(body)) all['content-type'] = 'application/json; charset=utf-8'
  for (const [name, value] of Object.entries(headers ?? {})) if (value !== undefined) all[name.toLowerCase()] = value
  return all
}

const isExpected = (status: number, expected: readonly number[] = []): boolean =>
  expected.length > 0 ? expected.includes(status) : status >= 200 && status < 300

const TRY_AGAIN = new Set([408, 425, 429])

/** `user:password@` of an address, as every client sends it (RFC 7617). */
const basicAuth = ({ username, password }: URL): Record<string, string> => {
  if (!username && !password) return {}
  const pair = Buffer.from(`${unescaped(username)}:${unescaped(password)}`)
  return { authorization: `Basic ${pair.toString('base64')}` }
}

const unescaped = (text: string): string =>
  text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString())

const PLAIN_HEADERS = new Set(['accept', 'content-type', 'user-agent'])

/**
 * Servers quote what they refuse, and addresses and headers hold secrets: whatever of them is long enough to be one is
 * masked, but for the path's parts that the template tells.
 */
const masked = (text: string, { url: address, template, headers = {} }: HttpRequest, url: URL): string => {
  const told = new Set(template?.split(/[/?&=]/))
  const values = Object.entries({ ...basicAuth(url), ...headers }).flatMap(([name, value]) =>
    PLAIN_HEADERS.has(name.toLowerCase()) ? [] : value,
  )
  const given = [url.pathname, ...url.search.split(/[?&=]/), ...url.searchParams.values(), url.password]
  const words = [...given, ...values.map((value) => value ?? '')]
    .flatMap((value) => [value, ...value.split(/[/ ]/)])
    .flatMap((value) => [value, unescaped(value)])
  const path = url.pathname + url.search
  const whole = path === '/' || path === template ? [] : [address, url.href, path, url.pathname]
  const secrets = [...whole, ...words.filter((word) => word.length >= 8 && word !== template && !told.has(word))]
  return secrets
    .filter((one) => one.length > 1)
    .sort((one, other) => other.length - one.length)
    .reduce((rest, one) => rest.replaceAll(one, '***'), text)
}

const statusError = (request: HttpRequest, url: URL, { status, headers, body }: HttpResponse): YarakError => {
  const excerpt = masked(body.trim().replaceAll(/\s+/g, ' ').slice(0, 4_096), request, url).slice(0, 200)
  const method = request.method ?? 'POST'
  const retryAfter = parseRetryAfter(headers['retry-after'])
  return new YarakError('failed', `${method} ${url.origin} answered ${status}${excerpt ? `: ${excerpt}` : ''}`, {
    permanent: status < 500 && !TRY_AGAIN.has(status),
    ...(retryAfter !== undefined && { retryAfter }),
    reason: String(status),
  })
}

/** Milliseconds of a `Retry-After` header: seconds, of some servers with decimals, or an HTTP date (RFC 9110, 10.2.3). */
export const parseRetryAfter = (header: string | string[] | undefined): number | undefined => {
  const text = Array.isArray(header) ? header[0] : header
  if (!text) return undefined
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1_000
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}

const explained = (error: unknown, what: string, timeout?: AbortSignal, signal?: AbortSignal): unknown => {
  if (error instanceof YarakError) return error
  if (signal?.aborted) return new YarakError('interrupted', `${what} was cut short`, { cause: signal.reason })
  if (timeout?.aborted) return new YarakError('timed_out', `${what} did not answer in time`, { reason: 'timeout' })
  const { code } = error as { code?: string }
  return new YarakError('unavailable', `${what}: ${messageOf(error)}`, {
    cause: error,
    ...(code && { reason: code.toLowerCase() }),
  })
}
