/** The one place that every request to a Kubernetes API server goes through: traced, with a deadline, errors explained. */
import { isDeepStrictEqual } from 'node:util'
import type * as clientNode from '@kubernetes/client-node'
import type { HttpLibrary, KubeConfig, RequestContext, ResponseContext } from '@kubernetes/client-node'
import type { Dispatcher } from 'undici'
import { type CallContext, type Io, messageOf, YarakError } from '../plugin.ts'
import { apiError } from './_kube-errors.ts'
import { describeRequest, parseApiPath } from './_kube-path.ts'

/** Who calls: a step, or what a resolver is given. */
export interface Caller {
  readonly call: Io['call']
  /** Cuts calls short. */
  readonly signal?: AbortSignal
}

/** The module, loaded on first use. */
export type ClientNode = typeof clientNode

export interface HttpOptions {
  readonly client: ClientNode
  readonly config: KubeConfig
  readonly caller: Caller
  /** Milliseconds for one request; the library itself waits for ever. */
  readonly timeout: number
}

/** An HTTP library for the generated clients, bound to one caller's span, signal and deadline. */
export const tracedHttp = (options: HttpOptions): HttpLibrary => {
  const { client } = options
  return client.wrapHttpLibrary({
    // The body is read here, so that the span and the deadline cover it.
    send: (request) =>
      exchange(options, request, async ({ httpStatusCode, headers, body }) => {
        return new client.ResponseContext(httpStatusCode, headers, bodyOf(await body.text()))
      }),
  })
}

/**
 * One request whose answer is taken piece by piece, within the span: a log, which may be long and take long. The deadline
 * of the options is for its beginning; after that only the caller's signal ends it.
 */
export const tracedStream = <T>(
  options: HttpOptions,
  request: RequestContext,
  read: (chunks: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> =>
  exchange(options, request, ({ body }, begun) => {
    begun()
    return read((body.stream() as AsyncIterable<Uint8Array> | null) ?? EMPTY)
  })

const EMPTY: AsyncIterable<Uint8Array> = { async *[Symbol.asyncIterator]() {} }

/** `begun` ends the deadline. */
type Read<T> = (answer: ResponseContext, begun: () => void) => Promise<T>

const exchange = <T>(options: HttpOptions, request: RequestContext, read: Read<T>): Promise<T> => {
  const { client, config, caller, timeout } = options
  const url = new URL(request.getUrl())
  const method = request.getHttpMethod()
  const path = parseApiPath(belowBase(url.pathname, config))
  const attributes = {
    'http.request.method': method,
    'url.template': path.template,
    'server.address': url.hostname,
    ...(url.port && { 'server.port': Number(url.port) }),
  }
  return caller.call({ name: `${method} ${path.template}`, attributes }, async (call) => {
    await authenticate(request, config)
    const deadline = deadlineAfter(timeout)
    prepare(request, call, caller.signal ? AbortSignal.any([caller.signal, deadline.signal]) : deadline.signal)
    try {
      const answer = await new client.IsomorphicFetchHttpLibrary().send(request).toPromise()
      const { httpStatusCode: status, headers, body } = answer
      call.set('http.response.status_code', status)
      if (status >= 300) {
        throw apiError({ method, path, status, body: await body.text(), retryAfter: headers['retry-after'] })
      }
      if (path.subresource !== 'proxy' && headers['content-type']?.startsWith('text/html')) {
        // Read, for the connection to be free again.
        await body.text()
        throw notKubernetes(url)
      }
      return await read(answer, deadline.clear)
    } catch (error) {
      throw explained(error, describeRequest(method, path), deadline.signal, caller.signal)
    } finally {
      deadline.clear()
    }
  })
}

const deadlineAfter = (ms: number) => {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), ms)
  return { signal: controller.signal, clear: () => clearTimeout(timer) }
}

/** The path without that of the server's own address, e.g. `/k8s/clusters/c-1` behind a gateway to many clusters. */
const belowBase = (path: string, config: KubeConfig): string => {
  const base = new URL(config.getCurrentCluster()?.server ?? 'http://none').pathname.replace(/\/$/, '')
  return path.startsWith(`${base}/`) ? path.slice(base.length) : path
}

const authenticate = async (request: RequestContext, config: KubeConfig): Promise<void> => {
  try {
    await config.applySecurityAuthentication(request)
  } catch (error) {
    throw new YarakError('unavailable', `the credentials for the cluster cannot be had: ${messageOf(error)}`, {
      reason: 'credentials',
    })
  }
}

const prepare = (request: RequestContext, call: CallContext, signal: AbortSignal): void => {
  request.setHeaderParam('User-Agent', 'yarak')
  for (const [name, value] of Object.entries(call.headers)) request.setHeaderParam(name, value)
  request.setSignal(signal)
}

const bodyOf = (text: string) => ({
  text: () => Promise.resolve(text),
  binary: () => Promise.resolve(Buffer.from(text)),
  stream: () => null,
})

const explained = (error: unknown, what: string, deadline: AbortSignal, signal?: AbortSignal): YarakError => {
  if (error instanceof YarakError) return error
  if (signal?.aborted) return new YarakError('interrupted', `${what} was cut short`, { cause: signal.reason })
  if (deadline.aborted) return new YarakError('timed_out', `${what}: no answer in time`, { reason: 'timeout' })
  const { code } = ((error as Error).cause ?? error) as { code?: string }
  return new YarakError('unavailable', `${what}: the API server does not answer: ${messageOf(error)}`, {
    reason: typeof code === 'string' ? code.toLowerCase() : 'network',
  })
}

const notKubernetes = (url: URL): YarakError =>
  new YarakError('failed', `${url.origin} answers with a web page: it is not a Kubernetes API server`, {
    permanent: true,
    reason: 'not-kubernetes',
  })

type MakeDispatcher = (...options: readonly unknown[]) => Dispatcher | undefined

/**
 * Makes `config` keep one connection pool for as long as its TLS material stays the same: by itself it makes a new pool,
 * and so a new TLS handshake, for each request, and closes none.
 * @returns closes the pool
 */
export const keepPool = (config: KubeConfig): (() => Promise<void>) => {
  const target = config as unknown as { createDispatcher: MakeDispatcher }
  const make = target.createDispatcher.bind(config)
  let kept: { readonly options: unknown; readonly dispatcher: Dispatcher | undefined } | undefined
  target.createDispatcher = (...options) => {
    if (!kept || !isDeepStrictEqual(kept.options, options)) {
      void kept?.dispatcher?.close()
      kept = { options, dispatcher: make(...options) }
    }
    return kept.dispatcher
  }
  return async () => {
    await kept?.dispatcher?.close()
    kept = undefined
  }
}
