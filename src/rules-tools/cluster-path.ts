/** Paths of the Kubernetes API, as a simulated cluster reads them. */

/** What a path is about; without a name: all of them. */
export interface Located {
  /** The plural, e.g. `pods`; undefined: which kinds there are. */
  readonly plural: string | undefined
  readonly namespace?: string
  readonly name?: string
}

/**
 * @example locatedAt('/api/v1/namespaces/shop/pods/web-1/eviction') // { plural: 'pods', namespace: 'shop', name: 'web-1' }
 */
export const locatedAt = (path: string): Located => {
  const parts = path.split('/').filter(Boolean).map(decodeURIComponent)
  const inner = parts.slice(parts[0] === 'apis' ? 3 : 2)
  const [first, second, third, fourth] = inner
  if (first === 'namespaces' && second !== undefined && third !== undefined) {
    return { plural: third, namespace: second, ...(fourth !== undefined && { name: fourth }) }
  }
  return { plural: first, ...(second !== undefined && { name: second }) }
}
