import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  MAX_BYTES,
  namespaceOf,
  type PolicyReport,
  type PolicyResult,
  pruned,
  resultOf,
  timestampOf,
} from '../../outputs/_policy-report.ts'
import { policyreport } from '../../outputs/policyreport.ts'
import { type Notice, type Outcome, PRIORITIES } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { type FakeReports, fakeReports } from './_fake-reports.ts'

const NEVER = new AbortController().signal
const NAMESPACED = '/apis/wgpolicyk8s.io/v1alpha2/namespaces'
const CLUSTER = '/apis/wgpolicyk8s.io/v1alpha2/clusterpolicyreports/falco-cluster-policy-report'

const pathIn = (namespace: string): string => `${NAMESPACED}/${namespace}/policyreports/falco-policy-report`

const inNamespace = (namespace: string, members: object = {}): Notice =>
  aNotice({ event: anEvent({ output_fields: { 'k8s.ns.name': namespace, 'k8s.pod.name': 'web-1' }, ...members }) })

const openedIn = (fake: FakeReports, settings: object = {}) => {
  const sender = policyreport.open(policyreport.config.parse(settings), fake.io)
  return async (...notices: readonly Notice[]) => (await sender).send(notices, NEVER)
}

const kept = (fake: FakeReports, path: string): PolicyReport =>
  (fake.objects.get(path) ?? expect.fail(`nothing at ${path}`)) as unknown as PolicyReport

const rulesIn = (fake: FakeReports, path: string): string[] => (kept(fake, path).results ?? []).map(({ rule }) => rule)

describe('what Falcosidekick wrote for the same event', () => {
  interface Theirs extends PolicyResult {
    readonly timestamp: { readonly seconds: number; readonly nanos: number }
  }

  const exchanges = falcosidekickSent('policyreport').exchanges

  it('is a result of the same report', () => {
    const reports = exchanges.flatMap(({ notice, requests: [written] }) =>
      written ? [[written.path, namespaceOf(notice)] as const] : [],
    )
    for (const [path, namespace] of reports)
      expect(path).toBe(
        namespace ? `PolicyReport/${namespace}/falco-policy-report` : 'ClusterPolicyReport/falco-cluster-policy-report',
      )
  })

  it('leaves out the audit events of the plugin, which we keep', () => {
    expect(exchanges.filter(({ requests }) => requests.length === 0).map(({ name }) => name)).toEqual([
      'an audit event',
    ])
  })

  it.each(exchanges.flatMap(({ name, notice, requests: [written] }) => (written ? [{ name, notice, written }] : [])))(
    'is what we write: $name',
    ({ notice, written }) => {
      const { properties, timestamp, message, ...theirs } = JSON.parse(written.body) as Theirs
      const { properties: own, timestamp: at, message: text, ...ours } = resultOf(notice, namespaceOf(notice))
      expect(ours).toEqual(theirs)
      // it has the second of the minute there
      expect(at).toEqual({ seconds: Math.floor(Date.parse(notice.event.time) / 1_000), nanos: timestamp.nanos })
      // it cuts what is long elsewhere
      if (!message.includes('[...]')) expect(text).toBe(message)
      for (const [key, value] of Object.entries(properties)) {
        if (value === '<nil>') expect(own).not.toHaveProperty([key])
        else if (!/^map\[|^\[|\[\.\.\.\]$/.test(value)) expect(own[key]).toBe(value)
      }
      expect(Object.keys(properties)).toEqual(expect.arrayContaining(Object.keys(own)))
    },
  )
})

describe('a result', () => {
  /** As `newResult` of Falcosidekick's policyreport.go makes it, but for the seconds, which are those since 1970. */
  it('of an event is what Falcosidekick writes', () => {
    expect(resultOf(inNamespace('shop', { priority: 'Error' }), 'shop')).toEqual({
      source: 'Falco',
      policy: 'syscall',
      rule: 'Terminal shell in container',
      category: 'SI - System and Information Integrity',
      message: anEvent().output,
      result: 'fail',
      severity: 'high',
      timestamp: { seconds: 1_769_860_800, nanos: 123_456_789 },
      properties: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1' },
      resources: [{ apiVersion: 'v1', kind: 'Pod', name: 'web-1', namespace: 'shop' }],
    })
  })

  it.each([
    ['Emergency', 'fail', 'critical'],
    ['Alert', 'fail', 'critical'],
    ['Critical', 'fail', 'critical'],
    ['Error', 'fail', 'high'],
    ['Warning', 'warn', 'medium'],
    ['Notice', 'skip', 'low'],
    ['Informational', 'skip', 'info'],
    ['Debug', 'skip', 'info'],
  ] as const)('of %s is %s and %s', (priority, result, severity) => {
    expect(PRIORITIES).toContain(priority)
    expect(resultOf(aNotice({ event: anEvent({ priority }) }), undefined)).toMatchObject({ result, severity })
  })

  it.each<[Outcome, string]>([
    ['succeeded', 'pass'],
    ['gone', 'pass'],
    ['skipped', 'skip'],
    ['refused', 'warn'],
    ['failed', 'error'],
    ['timed_out', 'error'],
    ['unknown', 'error'],
    ['interrupted', 'error'],
  ])('of a response that %s is %s', (outcome, result) => {
    const report = aReport({ outcome })
    expect(resultOf(aNotice({ report, traceUrl: 'https://jaeger.example.com/4b' }), 'default')).toMatchObject({
      source: 'Yarak',
      policy: 'response',
      rule: report.rule,
      category: 'IR - Incident Response',
      message: 'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
      result,
      severity: 'low',
      timestamp: { seconds: 1_769_860_800, nanos: 200_000_000 },
      properties: { response: report.id, outcome, trace: 'https://jaeger.example.com/4b', duration: '42 ms' },
      resources: [{ kind: 'Pod', name: 'web-1' }],
    })
  })

  it.each([
    [
      { 'ka.target.resource': 'deployments', 'ka.target.name': 'web' },
      [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }],
    ],
    [{ 'ka.target.resource': 'secrets', 'ka.resp.name': 's' }, [{ apiVersion: 'v1', kind: 'Secret', name: 's' }]],
    [{ 'ka.target.resource': 'unheardof', 'ka.target.name': 'x' }, undefined],
    [{ 'ka.target.resource': 'constructor', 'ka.target.name': 'x' }, undefined],
    [{ 'ka.target.name': 'x' }, undefined],
    [{ 'k8s.pod.name': null }, undefined],
    [{ 'k8s.pod.name': 7 }, undefined],
  ])('about %j names %j', (output_fields, resources) => {
    expect(resultOf(aNotice({ event: anEvent({ output_fields }) }), undefined).resources).toEqual(resources)
  })

  it('has every field that is not null, as text, and how many alerts it stands for', () => {
    const output_fields = { text: 'a', number: 1_769_860_800_123_456_789n, yes: true, none: null, list: [1, 'b'] }
    const digest = { count: 3, first: '2026-01-31T12:00:00Z', last: '2026-01-31T12:01:00Z' }
    expect(resultOf(aNotice({ event: anEvent({ output_fields }), digest }), undefined).properties).toEqual({
      text: 'a',
      number: '1769860800123456789',
      yes: 'true',
      list: '[1,"b"]',
      alerts: '3 from 2026-01-31T12:00:00Z to 2026-01-31T12:01:00Z',
    })
  })

  it('is cut', () => {
    const output_fields = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, 'x'.repeat(1_000)]))
    const { message, properties } = resultOf(
      aNotice({ event: anEvent({ output: 'y'.repeat(9_000), output_fields }) }),
      undefined,
    )
    expect(message).toHaveLength(2_048)
    expect(Object.keys(properties)).toHaveLength(64)
    expect(properties.f0).toHaveLength(512)
    expect(properties.f0).toMatch(/… \[cut\]$/)
  })

  it.each([
    ['1970-01-01T00:00:01Z', 1, 0],
    ['2026-01-31T12:00:59.5Z', 1_769_860_859, 500_000_000],
    ['2026-01-31T14:00:00.000000001+02:00', 1_769_860_800, 1],
    ['2026-01-31T12:00:00.123456789123Z', 1_769_860_800, 123_456_789],
    ['1969-12-31T23:59:59.25Z', -1, 250_000_000],
  ])('at %s is at %i s and %i ns', (time, seconds, nanos) => {
    expect(timestampOf(time)).toEqual({ seconds, nanos })
  })
})

describe('pruning', () => {
  const result = (rule: string, severity: PolicyResult['severity'], message = ''): PolicyResult => ({
    ...resultOf(aNotice({ event: anEvent({ rule }) }), undefined),
    severity,
    message,
  })
  const rules = (results: readonly PolicyResult[]) => results.map(({ rule }) => rule).join('')
  const all = [
    result('a', 'critical'),
    result('b', 'info'),
    result('c', 'high'),
    result('d', 'info'),
    result('e', 'low'),
  ]

  it.each([
    [5, false, 'abcde'],
    [3, false, 'cde'],
    [1, false, 'e'],
    [4, true, 'acde'],
    [3, true, 'ace'],
    [1, true, 'a'],
  ])('to %i, by priority %s, leaves %s', (maxEvents, pruneByPriority, left) => {
    expect(rules(pruned(all, { maxEvents, pruneByPriority }))).toBe(left)
  })

  it('leaves no more than etcd takes, in order, and the newest', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 60 })
    fc.assert(
      fc.property(sizes, fc.boolean(), (lengths, pruneByPriority) => {
        const given = lengths.map((length, i) => ({
          ...result(`r${i}`, i % 2 ? 'low' : 'high'),
          message: 'ö'.repeat(length),
        }))
        const left = pruned(given, { maxEvents: 1_000, pruneByPriority })
        expect(Buffer.byteLength(JSON.stringify(left))).toBeLessThanOrEqual(MAX_BYTES + 2)
        const places = left.map((one) => given.indexOf(one as (typeof given)[number]))
        expect(places).toEqual(places.toSorted((one, other) => one - other))
        if (!pruneByPriority && given.length > 0) expect(left.at(-1)).toBe(given.at(-1))
      }),
      { numRuns: 25 },
    )
  })
})

describe('reports', () => {
  it('are one for each namespace and one for the rest, each written once for many notices', async () => {
    const fake = fakeReports('shop', 'bank')
    const nowhere = aNotice({ event: anEvent({ output_fields: {} }) })
    await openedIn(fake)(inNamespace('shop'), nowhere, inNamespace('bank'), inNamespace('shop'))
    expect(fake.requests.map(({ method }) => method)).toEqual(['GET', 'POST', 'GET', 'POST', 'GET', 'POST'])
    expect(kept(fake, pathIn('shop'))).toMatchObject({
      apiVersion: 'wgpolicyk8s.io/v1alpha2',
      kind: 'PolicyReport',
      metadata: { labels: { 'app.kubernetes.io/managed-by': 'yarak' } },
      results: [{}, {}],
      summary: { pass: 0, fail: 0, warn: 0, error: 0, skip: 2 },
    })
    expect(kept(fake, CLUSTER)).toMatchObject({ kind: 'ClusterPolicyReport', results: [{}] })
    await openedIn(fake)(inNamespace('shop'))
    expect(fake.requests.at(-1)).toMatchObject({ method: 'PUT', path: pathIn('shop') })
    expect(kept(fake, pathIn('shop')).results).toHaveLength(3)
  })

  it('keep what is in them that is not ours', async () => {
    const fake = fakeReports('shop')
    const theirs = { policy: 'p', rule: 'theirs', result: 'pass', scored: true }
    const metadata = { name: 'falco-policy-report', labels: { team: 'a' }, resourceVersion: '7' }
    fake.objects.set(pathIn('shop'), { metadata, scope: { kind: 'Namespace' }, results: [theirs] })
    await openedIn(fake)(inNamespace('shop'))
    expect(kept(fake, pathIn('shop'))).toMatchObject({
      metadata: { labels: { team: 'a' } },
      scope: { kind: 'Namespace' },
      results: [theirs, {}],
      summary: { pass: 1, skip: 1 },
    })
  })

  it('that somebody else writes meanwhile are read and written again', async () => {
    const fake = fakeReports('shop')
    const tell = openedIn(fake)
    await tell(inNamespace('shop', { rule: 'first' }))
    let others = 3
    fake.before = ({ method }) => {
      const there = fake.objects.get(pathIn('shop'))
      if (method !== 'PUT' || !there || others-- <= 0) return undefined
      const results = [...(there.results as object[]), { rule: `other ${others}`, policy: 'p', result: 'warn' }]
      fake.objects.set(pathIn('shop'), {
        ...there,
        results,
        metadata: { ...there.metadata, resourceVersion: `o${others}` },
      })
      return undefined
    }
    await tell(inNamespace('shop', { rule: 'second' }))
    expect(rulesIn(fake, pathIn('shop'))).toEqual(['first', 'other 2', 'other 1', 'other 0', 'second'])
  })

  it('that somebody else makes meanwhile are added to', async () => {
    const fake = fakeReports('shop')
    fake.before = ({ method }) => {
      if (method === 'POST' && fake.objects.size === 0) {
        fake.objects.set(pathIn('shop'), {
          metadata: { name: 'falco-policy-report', resourceVersion: '1' },
          results: [{ rule: 'other', policy: 'p', result: 'pass' }],
        })
      }
      return undefined
    }
    await openedIn(fake)(inNamespace('shop', { rule: 'mine' }))
    expect(rulesIn(fake, pathIn('shop'))).toEqual(['other', 'mine'])
  })

  it('that are always written by others are given up for now', async () => {
    const fake = fakeReports('shop')
    fake.before = ({ method }) => (method === 'POST' ? 409 : undefined)
    await expect(openedIn(fake)(inNamespace('shop'))).rejects.toMatchObject({ permanent: false, reason: 'conflict' })
    expect(fake.requests.filter(({ method }) => method === 'POST')).toHaveLength(9)
  })

  it.each([
    ['no-such', {}, 'yarak'],
    ['no-such', { falcoNamespace: 'falco' }, 'falco'],
    ['../../x', {}, 'yarak'],
    ['UPPER', {}, 'yarak'],
    ['x'.repeat(64), {}, 'yarak'],
  ])('of the namespace %s, which is not there, are those of another', async (namespace, settings, other) => {
    const fake = fakeReports('yarak', 'falco')
    await openedIn(fake, settings)(inNamespace(namespace))
    expect(kept(fake, pathIn(other)).results).toMatchObject([{ resources: [{ name: 'web-1', namespace: other }] }])
  })

  it('of a namespace on its way out are those of another, also when the event names no object', async () => {
    const fake = fakeReports('yarak', 'dying')
    fake.before = ({ method, path }) => (method === 'POST' && path.includes('/dying/') ? 403 : undefined)
    await openedIn(fake)(aNotice({ event: anEvent({ output_fields: { 'k8s.ns.name': 'dying' } }) }))
    expect(kept(fake, pathIn('yarak')).results).toHaveLength(1)
  })

  it('that fail take no other along, and it is told which', async () => {
    const fake = fakeReports('shop', 'bank')
    fake.before = ({ path }) => (path.includes('/bank/') ? 503 : undefined)
    const all = [inNamespace('shop'), inNamespace('bank'), inNamespace('shop'), inNamespace('bank')]
    await expect(openedIn(fake)(...all)).rejects.toMatchObject({
      permanent: false,
      failed: [
        { index: 1, permanent: false, reason: '503' },
        { index: 3, permanent: false, reason: '503' },
      ],
    })
    expect(kept(fake, pathIn('shop')).results).toHaveLength(2)
  })

  it('are written one at a time, and left at once when there is no time', async () => {
    const fake = fakeReports('shop')
    const tell = openedIn(fake)
    await Promise.all(Array.from({ length: 5 }, (_, i) => tell(inNamespace('shop', { rule: `r${i}` }))))
    expect(rulesIn(fake, pathIn('shop'))).toEqual(['r0', 'r1', 'r2', 'r3', 'r4'])
    expect(fake.requests).toHaveLength(10)
    const sender = await policyreport.open(policyreport.config.parse({}), fake.io)
    await expect(sender.send([inNamespace('shop')], AbortSignal.abort())).rejects.toMatchObject({ code: 'interrupted' })
    expect(fake.requests).toHaveLength(10)
  })

  it('are bounded as the settings say', async () => {
    const fake = fakeReports('shop')
    const tell = openedIn(fake, { maxEvents: 2, pruneByPriority: true })
    await tell(inNamespace('shop', { rule: 'grave', priority: 'Critical' }))
    await tell(inNamespace('shop', { rule: 'light' }), inNamespace('shop', { rule: 'last', priority: 'Warning' }))
    expect(rulesIn(fake, pathIn('shop'))).toEqual(['grave', 'last'])
  })
})

it.each([
  [{ maxEvents: 0 }, /maxEvents/],
  [{ falcoNamespace: '../x' }, /falcoNamespace: must be a name of Kubernetes/],
  [{ kubeconfig: '~/.kube/config' }, /kubeconfig is not a known setting/],
])('refuses %j', (settings, message) => {
  expect(() => policyreport(settings as never)).toThrow(message)
})
