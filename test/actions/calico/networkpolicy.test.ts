import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rulesFor, selectorText } from '../../../src/actions/calico/_calico.ts'
import { calicoNetworkpolicy } from '../../../src/actions/calico/networkpolicy.ts'
import type { Action } from '../../../src/plugin.ts'
import type { FakeCluster, KubeObject } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { undoFirst } from '../kubernetes/undoing.ts'
import { aPod, aPodStep, aWorkload, POD_FIELDS, rejection, withCluster } from '../kubernetes/world.ts'

const NAME = 'yarak-statefulset-web'
const ADDRESS = { 'fd.rip': '203.0.113.7' }

type Params = Parameters<typeof perform<typeof calicoNetworkpolicy.config>>[1]

interface Options extends StepOptions {
  readonly params?: Params
}

const run = async (cluster: FakeCluster, fields: object = ADDRESS, { params = {}, ...options }: Options = {}) =>
  perform(calicoNetworkpolicy, params, await aPodStep(cluster, { fields: { ...POD_FIELDS, ...fields }, ...options }))

const withWorkload = async (): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod({ owner: ['StatefulSet', 'web'] }))
  cluster.add('StatefulSet', aWorkload('web'))
  return cluster
}

const policy = (cluster: FakeCluster) => cluster.get('CalicoPolicy', 'shop', NAME)
const egressOf = (cluster: FakeCluster) => policy(cluster)?.spec?.egress

describe('calico:networkpolicy', () => {
  it('denies the workload the remote address, and nothing else', async () => {
    const cluster = await withWorkload()
    expect(await run(cluster)).toEqual({
      summary: 'denied 203.0.113.7/32 to StatefulSet shop/web by a networkpolicy of Calico',
      objects: { pod: 'web-1', namespace: 'shop', networkpolicy: NAME, denied: '203.0.113.7/32' },
    })
    expect(policy(cluster)).toMatchObject({
      apiVersion: 'projectcalico.org/v3',
      kind: 'NetworkPolicy',
      metadata: { labels: { 'app.kubernetes.io/managed-by': 'yarak', 'yarak.dev/response': 'abc123' } },
    })
    expect(policy(cluster)?.spec).toEqual({
      tier: 'default',
      order: 0,
      selector: "app == 'web'",
      types: ['Egress'],
      egress: [{ action: 'Deny', destination: { nets: ['203.0.113.7/32'] } }, { action: 'Allow' }],
    })
  })

  it('allows only what is said besides', async () => {
    const cluster = await withWorkload()
    const params = { allow_cidr: ['10.0.0.0/8', 'fd00::/8'], allow_namespaces: ['kube-system', 'db'], order: 10.5 }
    await run(cluster, ADDRESS, { params })
    expect(policy(cluster)?.spec).toMatchObject({ order: 10.5 })
    expect(egressOf(cluster)).toEqual([
      { action: 'Deny', destination: { nets: ['203.0.113.7/32'] } },
      { action: 'Allow', destination: { nets: ['10.0.0.0/8'] } },
      { action: 'Allow', destination: { nets: ['fd00::/8'] } },
      {
        action: 'Allow',
        destination: { namespaceSelector: "kubernetes.io/metadata.name in { 'kube-system', 'db' }" },
      },
    ])
  })

  it.each<[object, string]>([
    [{ 'fd.rip': '2001:DB8:0:0:0:0:0:1' }, '2001:db8::1/128'],
    [{ 'fd.rip': '::ffff:203.0.113.7' }, '203.0.113.7/32'],
    [{ 'fd.sip': '203.0.113.8' }, '203.0.113.8/32'],
    [{ 'fd.rip': '<NA>', 'fd.sip': '203.0.113.8' }, '203.0.113.8/32'],
    [{ 'fd.rip': '203.0.113.7', 'fd.sip': '10.0.0.1' }, '203.0.113.7/32'],
  ])('takes from %j the range %s', async (fields, net) => {
    const cluster = await withWorkload()
    expect((await run(cluster, fields)).objects?.denied).toBe(net)
  })

  it.each([
    {},
    { 'fd.rip': '' },
    { 'fd.rip': 'evil.example' },
    { 'fd.rip': 'fe80::1%eth0' },
    { 'fd.rip': '1.2.3.4/0' },
    { 'fd.rip': 7 },
  ])('is refused with %j: there is no address to deny', async (fields) => {
    const cluster = await withWorkload()
    expect(await rejection(run(cluster, fields))).toMatchObject({ code: 'refused', reason: 'no-remote-ip' })
    expect(policy(cluster)).toBeUndefined()
  })

  it('keeps what was denied before, each once, the newest last', async () => {
    const cluster = await withWorkload()
    for (const ip of ['203.0.113.7', '2001:db8::1', '203.0.113.8', '203.0.113.7']) await run(cluster, { 'fd.rip': ip })
    expect(egressOf(cluster)).toEqual([
      { action: 'Deny', destination: { nets: ['203.0.113.8/32', '203.0.113.7/32'] } },
      { action: 'Deny', destination: { nets: ['2001:db8::1/128'] } },
      { action: 'Allow' },
    ])
  })

  it('loses no address of another response that writes at the same time', async () => {
    const cluster = await withWorkload()
    const ips = ['203.0.113.1', '203.0.113.2', '203.0.113.3']
    await Promise.all(ips.map((ip) => run(cluster, { 'fd.rip': ip })))
    const nets = (egressOf(cluster) as { destination?: { nets: string[] } }[])[0]?.destination?.nets
    expect(nets?.sort()).toEqual(ips.map((ip) => `${ip}/32`))
  })

  it('denies at most 1000 addresses, the newest', async () => {
    const cluster = await withWorkload()
    await run(cluster)
    const made = policy(cluster) as KubeObject
    const nets = Array.from({ length: 1000 }, (_, i) => `10.0.${Math.floor(i / 250)}.${i % 250}/32`)
    cluster.add('CalicoPolicy', { ...made, spec: { egress: [{ action: 'Deny', destination: { nets } }] } })
    await run(cluster)
    const after = (egressOf(cluster) as { destination: { nets: string[] } }[])[0]?.destination.nets
    expect([after?.length, after?.[0], after?.at(-1)]).toEqual([1000, nets[1], '203.0.113.7/32'])
  })

  it('overwrites nothing that somebody else has made under the name', async () => {
    const cluster = await withWorkload()
    cluster.add('CalicoPolicy', { metadata: { name: NAME, namespace: 'shop' }, spec: { order: 1 } })
    expect(await rejection(run(cluster))).toMatchObject({ code: 'failed', reason: 'conflict', permanent: true })
    expect(policy(cluster)?.spec).toEqual({ order: 1 })
  })

  it('changes nothing in a dry run', async () => {
    const cluster = await withWorkload()
    expect((await run(cluster, ADDRESS, { dryRun: true })).summary).toMatch(/^would deny 203/)
    expect(cluster.requests.at(-1)).toMatchObject({ method: 'POST', query: { dryRun: 'All' } })
    expect(policy(cluster)).toBeUndefined()
  })

  it('says so where Calico is not served', async () => {
    const cluster = await withWorkload()
    cluster.override = ({ path }) => (path.includes('calico') ? { status: 404, body: 'page not found' } : undefined)
    expect(await rejection(run(cluster))).toMatchObject({ code: 'failed', reason: 'no-such-api', permanent: true })
  })

  it('is undone by deleting the policy, unless somebody has changed it', async () => {
    const cluster = await withWorkload()
    const noted = { kind: 'CalicoPolicy', name: NAME } as const
    await run(cluster, ADDRESS, { params: { ttl: '10m' } })
    const made = policy(cluster) as KubeObject
    await undoFirst(cluster, calicoNetworkpolicy, noted)
    expect(policy(cluster)).toBeUndefined()
    cluster.add('CalicoPolicy', { ...made, spec: { ...made.spec, order: 5 } })
    expect((await undoFirst(cluster, calicoNetworkpolicy as Action, noted)).summary).toMatch(/was changed/)
    expect(policy(cluster)?.spec).toMatchObject({ order: 5 })
  })
})

describe('the selectors of Calico', () => {
  it('have an order and all operators', () => {
    const matchExpressions = [
      { key: 'tier', operator: 'In', values: ['a', 'b'] },
      { key: 'env', operator: 'NotIn', values: ['prod'] },
      { key: 'x.example/y', operator: 'Exists' },
      { key: 'z', operator: 'DoesNotExist' },
    ]
    expect(selectorText({ matchLabels: { zone: '1', app: 'web' }, matchExpressions })).toBe(
      "!has(z) && app == 'web' && env not in { 'prod' } && has(x.example/y) && tier in { 'a', 'b' } && zone == '1'",
    )
  })

  it('are the same whatever the order of the labels', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.stringMatching(/^[a-z]{0,5}$/)), (labels) => {
        const turned = Object.fromEntries(Object.entries(labels).reverse())
        const of = (matchLabels: Record<string, string>) => selectorText({ matchLabels, matchExpressions: [] })
        expect(of(labels)).toBe(of(turned))
      }),
    )
  })

  it('keep the versions of IP apart, which Calico asks for', () => {
    const net = fc.oneof(
      fc.ipV4().map((ip) => `${ip}/32`),
      fc.ipV6().map((ip) => `${ip}/128`),
    )
    fc.assert(
      fc.property(fc.array(net), (nets) => {
        const rules = rulesFor('Deny', nets)
        for (const { destination } of rules) {
          expect(new Set(destination.nets.map((one) => one.includes(':'))).size).toBe(1)
        }
        expect(rules.flatMap(({ destination }) => destination.nets).sort()).toEqual([...nets].sort())
      }),
    )
  })
})
