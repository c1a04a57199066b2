import { expect, it } from 'vitest'
import { mergePermissions, permissionText } from '../../src/rules-tools/permissions.ts'

it('merges verbs of the same resources, and keeps apart what names single ones', () => {
  const merged = mergePermissions([
    { apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['get'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['delete', 'get'] },
    { apiGroups: ['apps'], resources: ['pods'], verbs: ['list'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['patch'], resourceNames: ['x'] },
  ])
  expect(merged).toEqual([
    { apiGroups: [''], resources: ['pods'], verbs: ['delete', 'get'] },
    { apiGroups: [''], resources: ['nodes'], verbs: ['get'] },
    { apiGroups: ['apps'], resources: ['pods'], verbs: ['list'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['patch'], resourceNames: ['x'] },
  ])
  expect(merged.map(permissionText).slice(0, 3)).toEqual(['delete,get pods', 'get nodes', 'list apps/pods'])
})
