/** Which of some rules the account that we are may not use, as the API server itself tells. */
import type { PolicyRule } from '../plugin.ts'
import { apiPath, type RawRequest } from './_kube-raw.ts'

/** One thing that may be allowed or not. */
interface Right {
  readonly rule: PolicyRule
  readonly attributes: Readonly<Record<string, string>>
}

interface Review {
  readonly status?: { readonly allowed?: boolean }
}

/** How many reviews are asked for at once. */
const AT_ONCE = 8

/** Where is asked. */
interface Places {
  /** For rules of the own namespace. */
  readonly namespace: string
  /** For the others; undefined: all at once. */
  readonly namespaces?: readonly string[] | undefined
}

/**
 * Asks with a SelfSubjectAccessReview for each verb, which every account may make.
 * @returns a rule of one verb for each that is not allowed
 * @see https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
 */
export const missingRules = async (
  send: (request: RawRequest) => Promise<unknown>,
  rules: readonly PolicyRule[],
  places: Places,
): Promise<readonly PolicyRule[]> => {
  const rights = rules.flatMap((rule) => rightsOf(rule, places))
  const missing: PolicyRule[] = []
  for (let i = 0; i < rights.length; i += AT_ONCE) {
    const some = rights.slice(i, i + AT_ONCE)
    const allowed = await Promise.all(some.map((right) => isAllowed(send, right)))
    missing.push(...some.filter((_, at) => !allowed[at]).map(({ rule }) => rule))
  }
  return missing
}

const rightsOf = (rule: PolicyRule, { namespace: own, namespaces }: Places): Right[] => {
  const places = rule.namespace === 'own' ? [own] : (namespaces ?? [undefined])
  return singles(rule).flatMap(({ group, resource: full, verb, name }) => {
    const [resource = '', subresource] = full.split('/')
    const single = { ...rule, apiGroups: [group], resources: [full], verbs: [verb] }
    const attributes = { group, resource, verb, ...(subresource && { subresource }), ...(name && { name }) }
    return places.map((namespace) => ({
      rule: name ? { ...single, resourceNames: [name] } : single,
      attributes: { ...attributes, ...(namespace && { namespace }) },
    }))
  })
}

const singles = ({ apiGroups, resources, verbs, resourceNames = [''] }: PolicyRule) =>
  apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb) => resourceNames.map((name) => ({ group, resource, verb, name }))),
    ),
  )

const isAllowed = async (send: (request: RawRequest) => Promise<unknown>, { attributes }: Right): Promise<boolean> => {
  const kind = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview' }
  const path = apiPath(kind.apiVersion, 'selfsubjectaccessreviews')
  const body = { ...kind, spec: { resourceAttributes: attributes } }
  const { status } = (await send({ method: 'POST', path, body })) as Review
  return status?.allowed === true
}
