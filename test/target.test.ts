import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { targetOf } from '../src/target.ts'
import { anEvent, oddEvents } from '../src/testing.ts'

const about = (fields: Record<string, unknown>, hostname: string | null = 'node-1') =>
  targetOf(anEvent({ output_fields: fields, hostname }))

const POD = { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1' }
const ID = '4f8e0c1d2b3a9c8d7e6f5a4b3c2d1e0f'

describe('the target of an event', () => {
  it('is a pod with all that the fields tell of it', () => {
    expect(about({ ...POD, 'k8s.pod.uid': 'u-1', 'container.id': ID })).toEqual({
      key: 'pod/shop/web-1',
      namespace: 'shop',
      pod: 'web-1',
      podUid: 'u-1',
      container: '4f8e0c1d2b3a',
      node: 'node-1',
    })
  })

  it.each([
    ['the pod', { ...POD, 'container.id': ID }, 'pod/shop/web-1'],
    ['a pod by the metadata of the plugin', { 'k8smeta.ns.name': 'a', 'k8smeta.pod.name': 'b' }, 'pod/a/b'],
    [
      'the container, when the pod has no name',
      { 'k8s.ns.name': 'shop', 'container.id': ID },
      'container/4f8e0c1d2b3a',
    ],
    ['the container, when the pod has no namespace', { 'k8s.pod.name': 'w', 'container.id': 'ab' }, 'container/ab'],
    ['the container by its full id', { 'container.full_id': ID }, 'container/4f8e0c1d2b3a'],
    ['the node, for a process of the node', { 'container.id': 'host' }, 'node/node-1'],
    ['nothing', { 'proc.name': 'bash' }, undefined],
    ['nothing, when only the uid is known', { 'k8s.pod.uid': 'u-1' }, undefined],
    ['nothing, when only the host is known', {}, undefined],
  ])('serialises by %s', (_what, fields, key) => {
    expect(about(fields).key).toBe(key)
  })

  it.each([
    ['k8s.pod.uid', 'podUid'],
    ['k8smeta.pod.uid', 'podUid'],
    ['k8s.pod.id', 'podUid'],
    ['k8s.pod.name', 'pod'],
    ['k8smeta.pod.name', 'pod'],
    ['k8s.ns.name', 'namespace'],
    ['k8smeta.ns.name', 'namespace'],
    ['container.id', 'container'],
    ['container.full_id', 'container'],
    ['k8s.node.name', 'node'],
    ['k8smeta.node.name', 'node'],
  ])('reads %s', (field, member) => {
    const { key: _, ...known } = about({ [field]: 'a-name' }, null)
    expect(known).toEqual({ [member]: 'a-name' })
    for (const absent of ['', '<NA>', 'N/A', 'null', null, 7, ['x'], {}]) {
      expect(about({ [field]: absent }, null)).toEqual({ key: undefined })
    }
  })

  it.each([
    ['podUid', ['k8s.pod.uid', 'k8smeta.pod.uid', 'k8s.pod.id']],
    ['pod', ['k8s.pod.name', 'k8smeta.pod.name']],
    ['namespace', ['k8s.ns.name', 'k8smeta.ns.name']],
    ['container', ['container.id', 'container.full_id']],
    ['node', ['k8s.node.name', 'k8smeta.node.name']],
  ] as const)('trusts the earlier source of %s more, and skips an absent one', (member, fields) => {
    for (const [i, first] of fields.entries()) {
      const all = Object.fromEntries(fields.map((name, at) => [name, at < i ? '<NA>' : `v${at}`]))
      expect(about(all)[member], first).toBe(`v${i}`)
    }
  })

  it.each(['containerd://', 'cri-o://', 'docker://', ''])('drops the prefix %s of the runtime', (prefix) => {
    expect(about({ 'container.id': prefix + ID }).container).toBe('4f8e0c1d2b3a')
  })

  it('takes the host for no container', () => {
    expect(about({ 'container.id': 'host', ...POD })).toMatchObject({ host: true, key: 'pod/shop/web-1' })
    expect(about({ 'container.id': 'host' })).not.toHaveProperty('container')
    expect(about({ 'container.id': 'host' }, null)).toEqual({ key: undefined, host: true })
    expect(about({ 'container.id': ID })).not.toHaveProperty('host')
  })

  it('prefers the name of the node to the name of the host', () => {
    expect(about({ 'k8s.node.name': 'worker' }).node).toBe('worker')
    expect(about({}).node).toBe('node-1')
  })
})

describe('fields that tell the same thing', () => {
  it.each([
    [{ 'k8s.pod.uid': 'u-1', 'k8smeta.pod.uid': 'u-2' }, 'k8s.pod.uid and k8smeta.pod.uid'],
    [{ ...POD, 'k8smeta.pod.name': 'payments-api-2' }, 'k8s.pod.name and k8smeta.pod.name'],
    [{ 'k8s.pod.name': 'payments-api-1', 'k8smeta.pod.name': 'payments-api-2' }, 'k8s.pod.name and k8smeta.pod.name'],
    [{ ...POD, 'k8smeta.ns.name': 'other' }, 'k8s.ns.name and k8smeta.ns.name'],
    [{ 'container.id': ID, 'container.full_id': `f${ID}` }, 'container.id and container.full_id'],
  ])('and do not agree are named: %j', (fields, disagreement) => {
    expect(about(fields).disagreement).toBe(disagreement)
  })

  it.each([
    [{ ...POD, 'k8smeta.ns.name': 'shop', 'k8smeta.pod.name': 'web-1' }],
    [{ 'container.id': ID.slice(0, 12), 'container.full_id': `containerd://${ID}` }],
    [{ 'k8s.pod.uid': 'u-1', 'k8smeta.pod.uid': '<NA>' }],
    [{ 'k8s.pod.uid': 'u-1', 'k8s.pod.id': 'sandbox' }],
  ])('agree: %j', (fields) => {
    expect(about(fields)).not.toHaveProperty('disagreement')
  })
})

describe('the target of an event of the audit log', () => {
  const audit = { 'ka.target.namespace': 'shop', 'ka.target.name': 'web-1' }

  it.each([
    ['a pod', { ...audit, 'ka.target.resource': 'pods' }, 'pod/shop/web-1'],
    [
      'a subresource of a pod',
      { ...audit, 'ka.target.resource': 'pods', 'ka.target.subresource': 'exec' },
      'pod/shop/web-1',
    ],
    ['a pod by its own name', { ...audit, 'ka.target.resource': 'pods', 'ka.target.pod.name': 'w' }, 'pod/shop/w'],
    [
      'a pod that has just been given its name',
      { 'ka.target.namespace': 'shop', 'ka.target.resource': 'pods', 'ka.target.name': null, 'ka.resp.name': 'web-2' },
      'pod/shop/web-2',
    ],
    [
      'the fields of the pod first',
      { ...audit, ...POD, 'k8s.pod.name': 'w', 'ka.target.resource': 'pods' },
      'pod/shop/w',
    ],
    ['another resource', { ...audit, 'ka.target.resource': 'configmaps' }, 'configmaps/shop/web-1'],
    [
      'a node, as an event of a process of it',
      { 'ka.target.name': 'worker', 'ka.target.resource': 'nodes' },
      'node/worker',
    ],
    [
      'a resource of the cluster',
      { 'ka.target.name': 'web', 'ka.target.resource': 'clusterroles' },
      'clusterroles/web',
    ],
    ['a resource without a name', { 'ka.target.resource': 'configmaps' }, undefined],
    ['no resource', audit, undefined],
  ])('%s', (_what, fields, key) => {
    expect(about(fields).key).toBe(key)
  })

  it.each([
    ['/api/v1/namespaces/shop/configmaps/web-1?timeout=1s', 'core'],
    ['/apis/apps/v1/namespaces/shop/deployments', 'apps'],
    ['/apis/rbac.authorization.k8s.io/v1/clusterroles/x', 'rbac.authorization.k8s.io'],
    ['/healthz', undefined],
    ['/apis', undefined],
    ['<NA>', undefined],
    [undefined, undefined],
  ])('is of the API group that the path %s tells', (uri, group) => {
    const fields = { ...audit, 'ka.target.resource': 'things', ...(uri && { 'ka.uri': uri }) }
    const { key: _, node: _node, ...known } = about(fields)
    expect(known).toEqual({ resource: 'things', name: 'web-1', namespace: 'shop', ...(group && { group }) })
  })
})

describe('the target of any event', () => {
  it.each(oddEvents())('can be read: $name', ({ event }) => {
    expect(Object.isFrozen(targetOf(event))).toBe(true)
  })

  it('holds texts only, and none that is absent', () => {
    const names = fc.constantFrom('k8s.ns.name', 'k8s.pod.name', 'k8s.pod.uid', 'container.id', 'ka.target.resource')
    const values = fc.oneof(fc.string(), fc.constantFrom('<NA>', 'host', 'pods', null, 0), fc.array(fc.string()))
    fc.assert(
      fc.property(fc.dictionary(names, values), (fields) => {
        const { key, host, ...rest } = about(fields)
        expect(Object.values(rest).every((one) => typeof one === 'string' && one !== '' && one !== '<NA>')).toBe(true)
        expect(host === undefined || host).toBe(true)
        expect(key === undefined || /^(pod\/.+\/.+|container\/.+|node\/.+)$/s.test(key)).toBe(true)
      }),
    )
  })
})
