/** A request to the API server that no generated client makes: of a kind known only at run time, or one that streams. */
import type { Configuration, RequestContext } from '@kubernetes/client-node'
import { toJson } from '../plugin.ts'

export interface RawRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below the server's address, by {@link apiPath}. */
  readonly path: string
  /** What is undefined is left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  /** Further headers; what is undefined is left out. */
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Of the body. Default `application/json`. */
  readonly contentType?: string
  /** Sent as JSON, with every digit of large integers. */
  readonly body?: unknown
}

/**
 * A path of the API: each segment percent-encoded, what is undefined left out.
 * @example apiPath('v1', 'namespaces', 'shop', 'pods', 'web-1', 'log') // '/api/v1/namespaces/shop/pods/web-1/log'
 * @example apiPath('apps/v1', 'deployments') // '/apis/apps/v1/deployments'
 */
export const apiPath = (apiVersion: string, ...segments: readonly (string | undefined)[]): string => {
  const root = apiVersion.includes('/') ? 'apis' : 'api'
  const all = [root, ...apiVersion.split('/'), ...segments.filter((one) => one !== undefined)]
  return `/${all.map(encodeURIComponent).join('/')}`
}

export const toContext = ({ baseServer }: Configuration, request: RawRequest): RequestContext => {
  const context = baseServer.makeRequestContext(request.path, request.method)
  context.setHeaderParam('Accept', 'application/json, */*')
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (value !== undefined) context.setQueryParam(name, String(value))
  }
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    if (value !== undefined) context.setHeaderParam(name, value)
  }
  if (request.body !== undefined) {
    context.setHeaderParam('Content-Type', request.contentType ?? 'application/json')
    context.setBody(toJson(request.body))
  }
  return context
}
