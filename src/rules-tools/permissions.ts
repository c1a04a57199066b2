/** Rules of a Kubernetes Role, merged. */
import type { PolicyRule } from '../plugin.ts'

/** One entry for each group of resources, with all verbs, sorted. */
export const mergePermissions = (rules: readonly PolicyRule[]): PolicyRule[] => {
  const verbs = new Map<string, Set<string>>()
  const singles = rules.flatMap((rule) =>
    rule.apiGroups.flatMap((group) => rule.resources.map((resource) => ({ ...rule, group, resource }))),
  )
  for (const { group, resource, resourceNames = [], verbs: own } of singles) {
    const key = JSON.stringify([group, resource, resourceNames])
    verbs.set(key, new Set([...(verbs.get(key) ?? []), ...own]))
  }
  return [...verbs].map(([key, all]) => {
    const [group, resource, resourceNames] = JSON.parse(key) as [string, string, string[]]
    const names = resourceNames.length > 0 ? { resourceNames } : {}
    return { apiGroups: [group], resources: [resource], verbs: [...all].sort(), ...names }
  })
}

/** @example permissionText({ apiGroups: ['apps'], resources: ['daemonsets'], verbs: ['get'] }) // 'get apps/daemonsets' */
export const permissionText = ({ apiGroups, resources, verbs }: PolicyRule): string => {
  const [group = ''] = apiGroups
  return `${verbs.join(',')} ${group === '' ? '' : `${group}/`}${resources.join(',')}`
}
