/** Names as Kubernetes takes them. A name from an event is checked before it becomes part of a path or a selector. */

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const QUALIFIED = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/

/**
 * A DNS subdomain name (RFC 1123): pods, nodes, policies. `..` is none, which in a path would name the parent.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
 */
export const isName = (text: string): boolean => text.length <= 253 && SUBDOMAIN.test(text)

/** A DNS label (RFC 1123): namespaces. */
export const isNamespace = (text: string): boolean => text.length <= 63 && LABEL.test(text)

/** A label's key: `[prefix/]name`. */
export const isLabelKey = (text: string): boolean => {
  const [name = '', prefix, ...more] = text.split('/').reverse()
  return more.length === 0 && name.length <= 63 && QUALIFIED.test(name) && (prefix === undefined || isName(prefix))
}

/** A label's value: at most 63 of letters, digits, `-`, `_`, `.`; or empty. */
export const isLabelValue = (text: string): boolean => text === '' || (text.length <= 63 && QUALIFIED.test(text))

/** What RBAC takes as a name, and every other kind too: anything that is one segment of a path. */
export const isPathSegment = (text: string): boolean =>
  text.length > 0 && text.length <= 253 && !/^\.{1,2}$|[/%]/.test(text)
