/** Rules -> the Roles that grant them, and who gets them: objects that the API server takes as they are. Pure. */
import type { PolicyRule } from '../plugin.ts'

export interface RoleOptions {
  /** Of the roles, their bindings, and the service account. */
  readonly name: string
  /** Where the service account is. */
  readonly namespace: string
}

/** A Role or ClusterRole, or a binding of one. */
export interface RoleObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly rules?: readonly object[]
  readonly roleRef?: object
  readonly subjects?: readonly object[]
}

/** The annotation of a role that grants more than what is done with it. */
export const WARNING = 'yarak.dev/warning'

/**
 * A ClusterRole for what is needed wherever targets are, a Role for what is needed in the own namespace only, each with
 * its binding; what has a warning is in roles of its own, so that it can be left out.
 * @example roleObjects(mergePermissions(rules), { name: 'yarak', namespace: 'yarak' })
 * @see https://kubernetes.io/docs/reference/access-authn-authz/rbac/
 */
export const roleObjects = (rules: readonly PolicyRule[], options: RoleOptions): RoleObject[] => {
  const warnings = [undefined, ...new Set(rules.flatMap(({ warning }) => warning ?? []))]
  return warnings.flatMap((warning, i) => {
    const mine = rules.filter((rule) => rule.warning === warning)
    const name = warning === undefined ? options.name : `${options.name}-extra-${i}`
    const annotations = warning === undefined ? {} : { annotations: { [WARNING]: warning } }
    return [false, true].flatMap((isOwn) => {
      const some = mine.filter(({ namespace }) => (namespace === 'own') === isOwn)
      return some.length > 0 ? boundRole(some, { ...options, name, account: options.name, annotations, isOwn }) : []
    })
  })
}

interface Bound extends RoleOptions {
  readonly account: string
  readonly annotations: { readonly annotations?: Readonly<Record<string, string>> }
  readonly isOwn: boolean
}

const GROUP = 'rbac.authorization.k8s.io'

const boundRole = (
  rules: readonly PolicyRule[],
  { name, namespace, account, annotations, isOwn }: Bound,
): RoleObject[] => {
  const kind = isOwn ? 'Role' : 'ClusterRole'
  const apiVersion = `${GROUP}/v1`
  const metadata = { name, ...(isOwn && { namespace }), ...annotations }
  const subjects = [{ kind: 'ServiceAccount', name: account, namespace }]
  return [
    { apiVersion, kind, metadata, rules: rules.map(({ namespace: _own, warning: _warning, ...rule }) => rule) },
    { apiVersion, kind: `${kind}Binding`, metadata, roleRef: { apiGroup: GROUP, kind, name }, subjects },
  ]
}
