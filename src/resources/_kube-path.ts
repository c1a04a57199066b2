/** What a request to a Kubernetes API server is about, read from its path. Pure. */

/** The parts of a path of the Kubernetes API. */
export interface ApiPath {
  /** The path with namespace and name as `{namespace}` and `{name}`: few values, fit for a span's name. */
  readonly template: string
  /** `''` for the core group. */
  readonly group: string
  /** Plural, e.g. `pods`; undefined for discovery and health paths. */
  readonly resource?: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
}

const OF_NAMESPACE_ITSELF = new Set(['status', 'finalize'])

/**
 * Reads a path of the API, below the server's own base path.
 * @see https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
 * @example parseApiPath('/api/v1/namespaces/shop/pods/web-1').template // '/api/v1/namespaces/{namespace}/pods/{name}'
 */
export const parseApiPath = (path: string): ApiPath => {
  const segments = path.split('/').filter(Boolean).map(decoded)
  const isCore = segments[0] === 'api'
  if (!isCore && segments[0] !== 'apis') return { template: segments.length === 1 ? path : '/{path}', group: '' }
  const depth = isCore ? 2 : 3
  const group = isCore ? '' : (segments[1] ?? '')
  const root = `/${segments.slice(0, depth).join('/')}`
  const { namespace, rest } = scoped(segments.slice(depth))
  const [resource, name, subresource, ...tail] = rest
  if (resource === undefined) return { template: root, group }
  const template = [
    root,
    ...(namespace === undefined ? [] : ['namespaces/{namespace}']),
    resource,
    ...(name === undefined ? [] : ['{name}']),
    ...(subresource === undefined ? [] : [subresource]),
    ...(tail.length > 0 ? ['{path}'] : []),
  ].join('/')
  return {
    template,
    group,
    resource,
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
  }
}

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** `namespaces/x` alone is the namespace; with more behind it, it is where that lives. */
const scoped = (rest: readonly string[]): { namespace?: string; rest: readonly string[] } => {
  const [first, namespace, third] = rest
  if (first !== 'namespaces' || namespace === undefined || third === undefined) return { rest }
  return OF_NAMESPACE_ITSELF.has(third) && rest.length === 3 ? { rest } : { namespace, rest: rest.slice(2) }
}

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch' }

/** The verb that RBAC knows the request by. */
export const verbOf = (method: string, path: ApiPath): string => {
  if (method === 'GET') return path.name === undefined ? 'list' : 'get'
  if (method === 'DELETE') return path.name === undefined ? 'deletecollection' : 'delete'
  return VERBS[method] ?? method.toLowerCase()
}

/** The request in words: `delete pods "web-1" in namespace "shop"`. */
export const describeRequest = (method: string, path: ApiPath): string => {
  const { resource, subresource, name, namespace, template } = path
  if (resource === undefined) return `${method} ${template}`
  return [
    verbOf(method, path),
    subresource === undefined ? resource : `${resource}/${subresource}`,
    ...(name === undefined ? [] : [JSON.stringify(name)]),
    ...(namespace === undefined ? [] : [`in namespace ${JSON.stringify(namespace)}`]),
  ].join(' ')
}
