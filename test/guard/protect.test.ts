import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createGuard, guardSettings } from '../../src/guard.ts'
import type { Subject } from '../../src/plugin.ts'
import { checkSettings } from '../../src/settings.ts'
import { ASKED, namespaceNamed, node, pod, settingsOf } from './_kit.ts'

const refusalOf = (settings: object, subject: Subject, more: object = {}) =>
  createGuard(settingsOf(settings)).judge({ ...ASKED, change: 'reversible', subject, ...more })

const reasonOf = async (...args: Parameters<typeof refusalOf>): Promise<string | undefined> =>
  (await refusalOf(...args))?.reason

const STATIC = { owners: [{ kind: 'Node', name: 'node-1' }] }

describe('what is protected when nothing is set', () => {
  it.each<[string, Subject, string | undefined]>([
    ['a pod of a deployment', pod(), undefined],
    ['a pod of its own', pod({ owners: [] }), undefined],
    ['a static pod', pod(STATIC), 'protected-owner'],
    ['a pod that says so', pod({ labels: { 'yarak.dev/protected': 'true' } }), 'protected-label'],
    [
      'a namespace that says so',
      { ...namespaceNamed('x'), labels: { 'yarak.dev/protected': 'true' } },
      'protected-label',
    ],
    ['a pod that says no', pod({ labels: { 'yarak.dev/protected': 'false' } }), undefined],
    ['a worker', node(), undefined],
    ['a control plane', node({ labels: { 'node-role.kubernetes.io/control-plane': '' } }), 'protected-node'],
    ['one of older days', node({ labels: { 'node-role.kubernetes.io/master': '' } }), 'protected-node'],
    ['a pod on a control plane', pod({ node: 'master-1' }), undefined],
    ['a system pod', pod({ namespace: 'kube-system' }), 'protected-namespace'],
    ['a system namespace', namespaceNamed('kube-public'), 'protected-namespace'],
    ['another namespace', namespaceNamed('shop'), undefined],
  ])('%s', async (_what, subject, reason) => {
    expect(await reasonOf({}, subject)).toBe(reason)
  })
})

describe('owners', () => {
  it.each<[string, string, Subject, boolean]>([
    ['the controller', 'ReplicaSet/web-*', pod(), true],
    ['what stands above the controller', 'Deployment/web', pod(), true],
    ['the thing itself', 'Deployment/web', pod({ kind: 'Deployment', name: 'web', owners: [] }), true],
    ['all of a kind', 'DaemonSet/*', pod({ owners: [{ kind: 'DaemonSet', name: 'agent' }] }), true],
    ['another of the kind', 'Deployment/kube-dns', pod(), false],
    ['a name that begins alike', 'Deployment/we', pod(), false],
    ['another case', 'deployment/web', pod(), false],
    ['a node, which owns itself not', 'Node/*', node(), false],
  ])('%s: %s', async (_what, owner, subject, isProtected) => {
    const reason = await reasonOf({ protectedOwners: [owner] }, subject)
    expect(reason).toBe(isProtected ? 'protected-owner' : undefined)
  })

  it('are told by name', async () => {
    expect(await refusalOf({ protectedOwners: ['Deployment/*'] }, pod())).toEqual({
      reason: 'protected-owner',
      message: 'Deployment/web is protected',
    })
  })
})

describe('labels', () => {
  it.each([
    ['app', { app: 'web' }, true],
    ['app', { app: '' }, true],
    ['app', { other: 'web' }, false],
    ['app=web', { app: 'web' }, true],
    ['app=', { app: '' }, true],
    ['app=web', { app: 'webs' }, false],
    ['constructor', {}, false],
    ['toString=x', {}, false],
  ])('%s on %j', async (selector, labels, isProtected) => {
    const reason = await reasonOf({ protectedLabels: [selector] }, pod({ labels: labels }))
    expect(reason).toBe(isProtected ? 'protected-label' : undefined)
  })
})

describe('nodes', () => {
  it.each([
    ['node-1', {}, true],
    ['node-*', {}, true],
    ['other', {}, false],
    ['pool=infra', { pool: 'infra' }, true],
    ['pool=infra', { pool: 'shop' }, false],
    ['example.com/infra', { 'example.com/infra': '' }, true],
    ['pool', { pool: 'infra' }, false],
  ])('%s with the labels %j', async (entry, labels, isProtected) => {
    const reason = await reasonOf({ protectedNodes: [entry] }, node({ labels: labels }))
    expect(reason).toBe(isProtected ? 'protected-node' : undefined)
  })
})

describe('Yarak itself', () => {
  it.each<[string, object, Subject, string | undefined]>([
    ['its namespace', { ownNamespace: 'yarak' }, pod({ namespace: 'yarak' }), 'self'],
    ['the namespace as a whole', { ownNamespace: 'yarak' }, namespaceNamed('yarak'), 'self'],
    ['another', { ownNamespace: 'yarak' }, pod(), undefined],
    ['its pod', { ownPod: 'yarak-0' }, pod({ name: 'yarak-0' }), 'self'],
    ['another pod', { ownPod: 'yarak-0' }, pod(), undefined],
    [
      'what only has the name of its pod',
      { ownPod: 'yarak-0' },
      { ...pod({ name: 'yarak-0' }), kind: 'Service' },
      undefined,
    ],
  ])('%s', async (_what, settings, subject, reason) => {
    expect(await reasonOf(settings, subject)).toBe(reason)
  })
})

describe('what cannot be judged', () => {
  const { labels: _labels, ...unlabelled } = pod()
  const { owners: _owners, ...unowned } = pod()
  const { labels: _none, ...bare } = node()

  it.each<[string, Subject, string]>([
    ['a thing whose labels are not known', unlabelled, 'protected-label'],
    ['a pod whose owners are not known', unowned, 'protected-owner'],
    ['a node whose labels are not known', bare, 'protected-label'],
  ])('is refused: %s', async (_what, subject, reason) => {
    expect(await refusalOf({}, subject)).toMatchObject({ reason, message: expect.stringContaining('cannot be told') })
  })

  it('is taken as claimed where nothing is changed', async () => {
    expect(await reasonOf({}, unlabelled, { mode: 'observe' })).toBeUndefined()
    expect(await reasonOf({}, unowned, { mode: 'observe' })).toBeUndefined()
  })

  it('is refused where the owners are known in part and what is set looks further up', async () => {
    const part = pod({ incomplete: 'replicasets cannot be read' })
    expect(await reasonOf({}, part)).toBeUndefined()
    expect(await reasonOf({ protectedOwners: ['Deployment/other'] }, part)).toBe('protected-owner')
    expect(await reasonOf({ minHealthyReplicas: 1 }, part, { change: 'destructive' })).toBe('min-healthy-replicas')
    expect(await reasonOf({ minHealthyReplicas: 1 }, part)).toBeUndefined()
  })

  it('matters only to what is set', async () => {
    const nothing = { protectedLabels: [], protectedOwners: [], protectedNodes: [] }
    for (const subject of [unlabelled, unowned, bare]) expect(await reasonOf(nothing, subject)).toBeUndefined()
    const controlPlane = { ...nothing, protectedNodes: ['example.com/infra'] }
    expect(await reasonOf(controlPlane, bare)).toBe('protected-node')
  })
})

describe('the floor of replicas', () => {
  const reason = (minHealthyReplicas: number | string, desired: number, ready: number, more: object = {}) =>
    reasonOf({ minHealthyReplicas }, pod({ replicas: { desired, ready } }), { change: 'destructive', ...more })

  it.each<[number | string, number, number, string | undefined]>([
    [1, 2, 2, undefined],
    [1, 1, 1, 'min-healthy-replicas'],
    [2, 3, 2, 'min-healthy-replicas'],
    [0, 1, 1, undefined],
    [0, 1, 0, undefined],
    ['50%', 3, 3, undefined],
    ['50%', 3, 2, 'min-healthy-replicas'],
    ['67%', 3, 3, 'min-healthy-replicas'],
    ['100%', 3, 3, 'min-healthy-replicas'],
    ['0%', 1, 1, undefined],
  ])('of %s, with %i desired and %i ready', async (least, desired, ready, expected) => {
    expect(await reason(least, desired, ready)).toBe(expected)
  })

  it('holds for what destroys, where the workload tells', async () => {
    expect(await reason('100%', 3, 3, { change: 'reversible' })).toBeUndefined()
    expect(await reasonOf({ minHealthyReplicas: '100%' }, pod(), { change: 'destructive' })).toBeUndefined()
  })

  it('counts all replicas of a workload that is destroyed as a whole', async () => {
    const deployment = pod({ kind: 'Deployment', name: 'web', owners: [], replicas: { desired: 9, ready: 9 } })
    expect(await refusalOf({ minHealthyReplicas: 1 }, deployment, { change: 'destructive' })).toEqual({
      reason: 'min-healthy-replicas',
      message: 'it would leave 0 of 9 replicas ready, and 1 are to be',
    })
  })

  it('is never below the share', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(100), fc.nat(50), fc.nat(50), async (share, desired, ready) => {
        const allowed = (await reason(`${share}%`, desired, ready)) === undefined
        // compared without a division
        expect(allowed).toBe(Math.max(0, ready - 1) * 100 >= share * desired)
      }),
      { numRuns: 200 },
    )
  })
})

describe('the settings', () => {
  it.each([
    [{ protectedOwners: ['kube-dns'] }, 'a kind and a name'],
    [{ protectedOwners: ['a/b/c'] }, 'a kind and a name'],
    [{ protectedLabels: ['=x'] }, 'a label such as'],
    [{ minHealthyReplicas: '101%' }, 'a share such as 50%'],
    [{ minHealthyReplicas: -1 }, 'minHealthyReplicas'],
    [{ budgets: [{ scope: 'pods', limit: 1, window: '1m' }] }, 'one of pod, workload, namespace, node, cluster'],
    [{ budgets: [{ scope: 'pod', window: '1m' }] }, 'limit is required'],
    [{ breaker: { limit: 0 } }, 'breaker.limit'],
    [{ replicas: 0 }, 'replicas'],
  ])('%j is wrong', (settings, message) => {
    expect(checkSettings(guardSettings, settings)[0]?.message).toContain(message)
  })
})
