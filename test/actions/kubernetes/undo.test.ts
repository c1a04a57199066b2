/** Changes of labels, annotations and policies are noted where they are made, and taken back. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { annotation } from '../../../src/actions/kubernetes/annotation.ts'
import { label } from '../../../src/actions/kubernetes/label.ts'
import { networkpolicy } from '../../../src/actions/kubernetes/networkpolicy.ts'
import type { Action } from '../../../src/plugin.ts'
import { type FakeCluster, status } from '../../fake-cluster.ts'
import { perform, type StepOptions } from '../step.ts'
import { notesOf, ofResponse, undoablesOf, undoFirst, undoing, unnoted } from './_notes.ts'
import { aPod, aPodStep, rejection, withCluster } from './world.ts'

const HOUR = 3_600_000

const withPod = async (labels: Record<string, string> = { app: 'web' }): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod({ labels }))
  return cluster
}

const pod = (cluster: FakeCluster) => cluster.get('Pod', 'shop', 'web-1')
const labelsOf = (cluster: FakeCluster) => pod(cluster)?.metadata.labels

const set = async (
  cluster: FakeCluster,
  labels: Record<string, string | null>,
  { ttl, level, ...options }: StepOptions & { ttl?: string; level?: 'node' } = {},
) => perform(label, { labels, ...(ttl && { ttl }), ...(level && { level }) }, await aPodStep(cluster, options))

/** What somebody else does to the pod. */
const elsewhere = (cluster: FakeCluster, labels: Record<string, string>): void => {
  const found = pod(cluster)
  if (found)
    cluster.add('Pod', { ...found, metadata: { ...found.metadata, labels: { ...found.metadata.labels, ...labels } } })
}

describe('the note of a change', () => {
  it('is written in the request that makes it, and tells all that is needed to take it back', async () => {
    const cluster = await withPod({ app: 'web', old: 'x' })
    const before = Date.now()
    await set(cluster, { suspicious: 'true', old: null }, { ttl: '1h' })
    const changes = cluster.requests.filter(({ method }) => method !== 'GET')
    expect(changes.map(({ method }) => method)).toEqual(['PATCH'])
    expect(labelsOf(cluster)).toEqual({ app: 'web', suspicious: 'true', 'yarak.dev/response': 'abc123' })
    const [note, ...more] = notesOf(pod(cluster))
    expect(more).toEqual([])
    expect(note).toEqual({
      action: 'kubernetes:label',
      rule: 'React',
      response: 'abc123',
      step: 'act',
      at: expect.any(String) as string,
      expires: new Date(Date.parse(note?.at ?? '') + HOUR).toISOString(),
      prior: { suspicious: null, old: 'x' },
      made: { suspicious: 'true', old: null },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    })
    expect(Date.parse(note?.at ?? '')).toBeGreaterThanOrEqual(before)
  })

  it('never expires without a ttl', async () => {
    const cluster = await withPod()
    await set(cluster, { a: 'b' })
    expect(notesOf(pod(cluster))[0]).not.toHaveProperty('expires')
  })

  it('is not written in a dry run', async () => {
    const cluster = await withPod()
    await set(cluster, { a: 'b' }, { dryRun: true })
    expect(notesOf(pod(cluster))).toEqual([])
    expect(cluster.requests.at(-1)?.body?.metadata?.annotations).toBeDefined()
  })

  it('of the same labels is renewed: as it was before the first, until the later end', async () => {
    const cluster = await withPod()
    await set(cluster, { a: '1' }, { ttl: '2h', ...ofResponse('first') })
    const [first] = notesOf(pod(cluster))
    await set(cluster, { a: '2' }, { ttl: '1m', ...ofResponse('second') })
    expect(notesOf(pod(cluster))).toMatchObject([
      { response: 'second', expires: first?.expires, prior: { a: null }, made: { a: '2' } },
    ])
    await set(cluster, { a: '3' }, { ttl: '3h' })
    expect(Date.parse(notesOf(pod(cluster))[0]?.expires ?? '')).toBeGreaterThan(Date.parse(first?.expires ?? ''))
    await set(cluster, { a: '3' })
    await set(cluster, { a: '3' }, { ttl: '3h' })
    expect(notesOf(pod(cluster))).toMatchObject([{ prior: { a: null }, made: { a: '3' } }])
    expect(notesOf(pod(cluster))[0]).not.toHaveProperty('expires')
  })

  it('tells what somebody else has set between two changes of ours', async () => {
    const cluster = await withPod()
    await set(cluster, { a: '1' })
    elsewhere(cluster, { a: 'theirs' })
    await set(cluster, { a: '2' })
    expect(notesOf(pod(cluster))).toMatchObject([{ prior: { a: 'theirs' }, made: { a: '2' } }])
    await undoFirst(cluster, label)
    expect(labelsOf(cluster)).toEqual({ app: 'web', a: 'theirs' })
  })

  it('is right also when another writer comes between the reading and the writing', async () => {
    const cluster = await withPod()
    let left = 2
    cluster.override = ({ method }) => {
      if (method === 'PATCH' && left-- > 0) elsewhere(cluster, { a: `theirs-${left}` })
      return undefined
    }
    await set(cluster, { a: 'ours' })
    expect(notesOf(pod(cluster))).toMatchObject([{ prior: { a: 'theirs-0' }, made: { a: 'ours' } }])
    expect(cluster.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(3)
  })

  it('of a response whose id is no label value still marks the object', async () => {
    const cluster = await withPod()
    await set(cluster, { a: 'b' }, ofResponse('no label value!'))
    expect(labelsOf(cluster)?.['yarak.dev/response']).toBe('')
    expect(await undoablesOf(cluster, label)).toMatchObject([{ response: 'no label value!' }])
  })
})

describe('undoing labels', () => {
  it('puts back what was there, in one request of exactly what was read', async () => {
    const cluster = await withPod({ app: 'web', old: 'x' })
    await set(cluster, { suspicious: 'true', old: null, app: 'other' })
    const [change] = await undoablesOf(cluster, label)
    expect(change?.object).toEqual({
      apiVersion: 'v1',
      resource: 'pods',
      kind: 'Pod',
      namespace: 'shop',
      name: 'web-1',
      uid: 'uid-1',
    })
    const summary = change && (await undoing(cluster, label, change))
    expect(summary).toBe('put back on pod shop/web-1: suspicious, old, app')
    expect(labelsOf(cluster)).toEqual({ app: 'web', old: 'x' })
    expect(pod(cluster)?.metadata.annotations).toEqual({})
    expect(cluster.requests.at(-1)?.body?.metadata).toMatchObject({
      uid: 'uid-1',
      resourceVersion: expect.any(String) as string,
    })
    expect(await undoablesOf(cluster, label)).toEqual([])
  })

  it('leaves alone what somebody else has changed meanwhile, and says so', async () => {
    const cluster = await withPod()
    await set(cluster, { a: '1', b: '1' })
    elsewhere(cluster, { a: 'theirs' })
    expect(await undoFirst(cluster, label)).toBe(
      'put back on pod shop/web-1: b; left alone, as they were changed meanwhile: a',
    )
    expect(labelsOf(cluster)).toEqual({ app: 'web', a: 'theirs' })
  })

  it('keeps what another change of ours still holds', async () => {
    const cluster = await withPod()
    await set(cluster, { suspicious: 'true' }, ofResponse('first'))
    await set(cluster, { suspicious: 'true', alert: 'x' }, ofResponse('second'))
    expect(notesOf(pod(cluster))).toHaveLength(2)
    await undoFirst(cluster, label)
    expect(labelsOf(cluster)).toMatchObject({ app: 'web', suspicious: 'true', 'yarak.dev/response': 'second' })
    await undoFirst(cluster, label)
    expect(labelsOf(cluster)).toEqual({ app: 'web' })
  })

  it.each([
    ['gone', (cluster: FakeCluster) => cluster.add('Pod', aPod({ name: 'other' })), 'not-found'],
    ['another of the same name', (cluster: FakeCluster) => cluster.add('Pod', aPod({ uid: 'uid-2' })), 'changed'],
  ])('of a pod that is %s needs nothing', async (what, happen, reason) => {
    const cluster = await withPod()
    await set(cluster, { a: 'b' })
    const [change] = await undoablesOf(cluster, label)
    happen(cluster)
    if (what === 'gone' && change) Object.assign(change, { object: { ...change.object, name: 'web-2' } })
    expect(change && (await rejection(undoing(cluster, label, change)))).toMatchObject({ code: 'gone', reason })
  })

  it('that was undone or renewed meanwhile changes nothing', async () => {
    const cluster = await withPod()
    await set(cluster, { a: 'b' }, ofResponse('first'))
    const [change] = await undoablesOf(cluster, label)
    await set(cluster, { a: 'b' }, ofResponse('second'))
    const renewed = change && (await rejection(undoing(cluster, label, change)))
    expect(renewed).toMatchObject({ code: 'gone', reason: 'not-noted' })
    expect(renewed?.message).toBe('the response second renewed it meanwhile')
    expect(labelsOf(cluster)).toMatchObject({ a: 'b' })
    await undoFirst(cluster, label)
    expect(change && (await rejection(undoing(cluster, label, change)))).toMatchObject({
      message: 'it was undone meanwhile',
    })
  })

  it('meets the fresh object when another writer comes between', async () => {
    const cluster = await withPod()
    await set(cluster, { a: 'b' })
    let left = 2
    cluster.override = ({ method }) => {
      if (method === 'PATCH' && left-- > 0) elsewhere(cluster, { theirs: 'x' })
      return undefined
    }
    await undoFirst(cluster, label)
    expect(labelsOf(cluster)).toEqual({ app: 'web', theirs: 'x' })
  })

  it.each([
    [403, 'Forbidden', { code: 'refused', reason: 'forbidden' }],
    [500, 'InternalError', { code: 'failed', reason: '500' }],
  ])('fails on %i, and the note stays', async (code, reason, expected) => {
    const cluster = await withPod()
    await set(cluster, { a: 'b' })
    cluster.override = ({ method }) => (method === 'PATCH' ? status(code, reason, 'no') : undefined)
    expect(await rejection(undoFirst(cluster, label))).toMatchObject(expected)
    expect(notesOf(pod(cluster))).toHaveLength(1)
  })

  it('whatever is set and in whatever order it is undone, ends as it began', async () => {
    const cluster = await withCluster()
    const key = fc.constantFrom('a', 'b', 'c')
    const value = fc.constantFrom('1', '2', null)
    const change = fc.dictionary(key, value, { minKeys: 1 })
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(key, fc.constantFrom('0', '1')),
        fc.array(fc.oneof({ weight: 3, arbitrary: change }, { weight: 1, arbitrary: fc.nat(2) }), { maxLength: 6 }),
        async (before, steps) => {
          cluster.add('Pod', aPod({ labels: before }))
          for (const one of steps) {
            if (typeof one === 'object') await set(cluster, one, ofResponse(`r${steps.indexOf(one)}`))
            else await undoNth(cluster, one)
          }
          while (await undoNth(cluster, steps.length));
          expect(labelsOf(cluster)).toEqual(before)
        },
      ),
      { numRuns: 40 },
    )
  })
})

/** Takes back the one of that number, counted around; false: there is none. */
const undoNth = async (cluster: FakeCluster, n: number): Promise<boolean> => {
  const all = await undoablesOf(cluster, label)
  const one = all[n % Math.max(1, all.length)]
  if (one) await undoing(cluster, label, one)
  return one !== undefined
}

describe('on a node', () => {
  it('labels are put back, but for those of Kubernetes itself, which a node may not set', async () => {
    const cluster = await withPod()
    cluster.add('Node', { metadata: { name: 'node-1', uid: 'n', labels: { zone: 'a' } } })
    const labels = { zone: 'b', 'node-restriction.kubernetes.io/tier': 'x', 'node.k8s.io/y': 'z' }
    await set(cluster, labels, { level: 'node' })
    const node = () => cluster.get('Node', '', 'node-1')
    expect(notesOf(node())).toMatchObject([{ prior: { zone: 'a' }, made: { zone: 'b' } }])
    await undoFirst(cluster, label)
    expect(node()?.metadata.labels).toEqual({ ...labels, zone: 'a' })
  })

  it('a note that the node has forged sets none of them', async () => {
    const cluster = await withPod()
    const forged = {
      ...{ action: 'kubernetes:label', rule: 'r', response: 'x', step: 's', at: '2026-01-01T00:00:00Z' },
      prior: { 'node-restriction.kubernetes.io/tier': 'secure' },
      made: { 'node-restriction.kubernetes.io/tier': null },
    }
    cluster.add('Node', {
      metadata: {
        ...{ name: 'node-1', uid: 'n', labels: { 'yarak.dev/response': 'x' } },
        annotations: { 'yarak.dev/undo.0123456789ab': JSON.stringify(forged) },
      },
    })
    await undoFirst(cluster, label)
    expect(cluster.get('Node', '', 'node-1')?.metadata).toMatchObject({ labels: {}, annotations: {} })
    expect(cluster.get('Node', '', 'node-1')?.metadata.labels).toEqual({})
  })
})

describe('undoing annotations', () => {
  it('puts back what was there', async () => {
    const cluster = await withCluster()
    const { metadata, ...rest } = aPod()
    cluster.add('Pod', { ...rest, metadata: { ...metadata, annotations: { kept: 'k', a: 'before' } } })
    await perform(annotation, { annotations: { a: 'now', b: 'new\n"x"' }, ttl: '5m' }, await aPodStep(cluster))
    expect(unnoted(pod(cluster)?.metadata.annotations)).toEqual({ kept: 'k', a: 'now', b: 'new\n"x"' })
    await undoFirst(cluster, annotation)
    expect(pod(cluster)?.metadata.annotations).toEqual({ kept: 'k', a: 'before' })
  })

  it('is apart from labels of the same names', async () => {
    const cluster = await withPod()
    await set(cluster, { a: '1' })
    await perform(annotation, { annotations: { a: '2' } }, await aPodStep(cluster))
    const changes = await undoablesOf(cluster, annotation)
    expect(changes.map(({ action }) => action).sort()).toEqual(['kubernetes:annotation', 'kubernetes:label'])
    const own = changes.find(({ action }) => action === annotation.type)
    if (own) await undoing(cluster, annotation, own)
    expect(labelsOf(cluster)).toMatchObject({ a: '1', 'yarak.dev/response': 'abc123' })
    expect(unnoted(pod(cluster)?.metadata.annotations)).toEqual({})
  })
})

describe('undoing a policy', () => {
  const NAME = 'yarak-pod-web-1'
  const policy = (cluster: FakeCluster) => cluster.get('NetworkPolicy', 'shop', NAME)
  const cut = async (cluster: FakeCluster, more: object = {}, options: StepOptions = {}) =>
    perform(networkpolicy, { ttl: '1h', ...more }, await aPodStep(cluster, options))
  const rewrite = (cluster: FakeCluster, change: (spec: Record<string, unknown>) => Record<string, unknown>): void => {
    const found = policy(cluster)
    if (found) cluster.add('NetworkPolicy', { ...found, spec: change({ ...found.spec }) })
  }

  it('deletes it, under its uid and the version that was read', async () => {
    const cluster = await withPod()
    await cut(cluster)
    // as the real server answers: what is empty is left out, and members come in another order
    rewrite(cluster, ({ egress: _, ...spec }) => Object.fromEntries(Object.entries(spec).reverse()))
    const { uid, resourceVersion } = policy(cluster)?.metadata ?? {}
    expect(await undoFirst(cluster, networkpolicy)).toBe(`deleted networkpolicy shop/${NAME}`)
    expect(policy(cluster)).toBeUndefined()
    expect(cluster.requests.at(-1)).toMatchObject({
      method: 'DELETE',
      body: { preconditions: { uid, resourceVersion } },
    })
  })

  it('leaves it, without the note, when somebody has changed it', async () => {
    const cluster = await withPod()
    await cut(cluster)
    rewrite(cluster, (spec) => ({ ...spec, policyTypes: ['Egress', 'Ingress'] }))
    expect(await undoFirst(cluster, networkpolicy)).toBe(
      `left networkpolicy shop/${NAME} alone: it was changed meanwhile`,
    )
    expect(policy(cluster)?.spec).toMatchObject({ policyTypes: ['Egress', 'Ingress'] })
    expect(notesOf(policy(cluster))).toEqual([])
    expect(policy(cluster)?.metadata.labels).not.toHaveProperty('yarak.dev/response')
  })

  it('that was renewed with other settings deletes it', async () => {
    const cluster = await withPod()
    await cut(cluster, {}, ofResponse('first'))
    const [first] = await undoablesOf(cluster, networkpolicy)
    await cut(cluster, { allow_cidr: ['10.0.0.0/8'] }, ofResponse('second'))
    expect(first && (await rejection(undoing(cluster, networkpolicy, first)))).toMatchObject({ reason: 'not-noted' })
    await undoFirst(cluster, networkpolicy)
    expect(policy(cluster)).toBeUndefined()
  })

  it('does not delete one that was there before', async () => {
    const cluster = await withPod()
    const metadata = { name: NAME, namespace: 'shop', managedFields: [{ manager: 'yarak', operation: 'Apply' }] }
    cluster.add('NetworkPolicy', { metadata, spec: { policyTypes: ['Egress'] } })
    await cut(cluster)
    await undoFirst(cluster, networkpolicy)
    expect(policy(cluster)).toBeDefined()
  })

  it('meets the fresh one when another writer comes between', async () => {
    const cluster = await withPod()
    await cut(cluster)
    let left = 1
    cluster.override = ({ method }) => {
      if (method === 'DELETE' && left-- > 0) rewrite(cluster, (spec) => ({ ...spec, policyTypes: ['Ingress'] }))
      return undefined
    }
    expect(await undoFirst(cluster, networkpolicy)).toContain('alone')
    expect(policy(cluster)).toBeDefined()
  })

  it('is made again when another response was first', async () => {
    const cluster = await withPod()
    await cut(cluster)
    let left = 1
    cluster.override = ({ method }) => {
      if (method === 'PATCH' && left-- > 0) rewrite(cluster, (spec) => spec)
      return undefined
    }
    await cut(cluster, { allow_cidr: ['10.0.0.0/8'] })
    expect(policy(cluster)?.spec?.egress).toHaveLength(1)
    await undoFirst(cluster, networkpolicy)
    expect(policy(cluster)).toBeUndefined()
  })
})

describe('the settings', () => {
  it.each([
    label({ labels: { a: 'b' }, ttl: '5m' }),
    annotation({ annotations: { a: 'b' }, ttl: '1d' }),
    networkpolicy({ ttl: '30s' }),
  ])('%# take a ttl, a duration', ({ plugin }) => {
    expect((plugin as Action).undo?.on.length).toBeGreaterThan(0)
    expect(() => label({ labels: { a: 'b' }, ttl: 'soon' })).toThrow('ttl: must be a duration')
  })
})
