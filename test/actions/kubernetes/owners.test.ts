/** What is known of the workloads above a pod. */
import { describe, expect, it } from 'vitest'
import { createGuard, type Question, readGuards } from '../../../src/guard.ts'
import { podSubject } from '../../../src/actions/kubernetes/resolve.ts'
import { type FakeCluster, type Kind, type KubeObject, status } from '../../fake-cluster.ts'
import { withWorkload } from './workload.ts'
import { aPod, aPodStep, aWorkload, rejection, withCluster } from './world.ts'

const resolve = async (cluster: FakeCluster) => {
  const { step } = await aPodStep(cluster)
  return podSubject(step.target, step, step.event)
}

const ownersOf = async (cluster: FakeCluster) =>
  (await resolve(cluster))?.owners?.map(({ kind, name }) => `${kind} ${name}`)

const owned = (kind: string, name: string, uid: string) => ({
  ownerReferences: [{ apiVersion: 'x/v1', kind, name, uid, controller: true }],
})

const withOwner = async (kind: Kind, object: KubeObject): Promise<FakeCluster> => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod({ owner: [kind, object.metadata.name] }))
  cluster.add(kind, object)
  return cluster
}

const QUESTION: Question = {
  action: 'kubernetes:terminate',
  rule: 'r',
  change: 'destructive',
  mode: 'enforce',
  subject: undefined,
  needsSubject: true,
  authenticated: 'test',
  age: 0,
}

const FORBIDDEN = status(403, 'Forbidden', 'User "y" cannot get resource "replicasets" in API group "apps"')

describe('the owners of a pod', () => {
  it('are its ReplicaSet and the Deployment above it, whose replicas count', async () => {
    const cluster = await withWorkload('Deployment')
    cluster.add('Deployment', {
      ...aWorkload('web', { desired: 4, ready: 2 }),
      metadata: { name: 'web', namespace: 'shop', uid: 'uid-web' },
    })
    expect(await resolve(cluster)).toMatchObject({
      owners: [
        { kind: 'ReplicaSet', name: 'web-abc', uid: 'uid-set' },
        { kind: 'Deployment', name: 'web', uid: 'uid-web' },
      ],
      replicas: { desired: 4, ready: 2 },
    })
  })

  it('are its Job and the CronJob above it, which is not read', async () => {
    const cluster = await withOwner('Job', {
      metadata: { name: 'nightly-1', namespace: 'shop', uid: 'o', ...owned('CronJob', 'nightly', 'c') },
    })
    expect(await ownersOf(cluster)).toEqual(['Job nightly-1', 'CronJob nightly'])
    expect((await resolve(cluster))?.replicas).toBeUndefined()
    expect(cluster.requests.some(({ path }) => path.includes('cronjobs'))).toBe(false)
  })

  it.each(['StatefulSet', 'ReplicaSet'] as const)('are a %s of its own, with its replicas', async (kind) => {
    const cluster = await withOwner(kind, aWorkload('db', { desired: 3, ready: 1 }))
    expect(await resolve(cluster)).toMatchObject({ owners: [{ kind, name: 'db' }], replicas: { desired: 3, ready: 1 } })
  })

  it('are a DaemonSet, whose pods are no replicas, and what made it', async () => {
    const cluster = await withOwner('DaemonSet', {
      metadata: { name: 'agent', namespace: 'shop', uid: 'o', ...owned('Agent', 'a', 'x') },
    })
    expect(await ownersOf(cluster)).toEqual(['DaemonSet agent', 'Agent a'])
    expect((await resolve(cluster))?.replicas).toBeUndefined()
  })

  it('of a kind that is not known are not looked up', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: ['CloneSet', 'web'] }))
    expect(await ownersOf(cluster)).toEqual(['CloneSet web'])
    expect(cluster.requests).toHaveLength(1)
  })

  it('end where one is gone, or another has taken its name', async () => {
    const cluster = await withCluster()
    cluster.add('Pod', aPod({ owner: ['ReplicaSet', 'web-abc'] }))
    expect(await resolve(cluster)).toMatchObject({ owners: [{ name: 'web-abc' }] })
    const metadata = { name: 'web-abc', namespace: 'shop', uid: 'another', ...owned('Deployment', 'evil', 'e') }
    cluster.add('ReplicaSet', { metadata, spec: { replicas: 9 } })
    const subject = await resolve(cluster)
    expect(subject?.owners).toEqual([{ kind: 'ReplicaSet', name: 'web-abc', uid: 'o' }])
    expect([subject?.replicas, subject?.incomplete]).toEqual([undefined, undefined])
  })

  it('that own each other come to an end', async () => {
    const cluster = await withOwner('ReplicaSet', {
      metadata: { name: 'web', namespace: 'shop', uid: 'o', ...owned('ReplicaSet', 'web', 'o') },
    })
    expect(await ownersOf(cluster)).toHaveLength(5)
    expect(cluster.requests).toHaveLength(2)
  })
})

describe('owners that may not be read', () => {
  it('fail nothing: they are then what the pod says, and it is said that they may be more', async () => {
    const cluster = await withWorkload('Deployment')
    cluster.override = ({ path }) => (path.includes('/replicasets/') ? FORBIDDEN : undefined)
    const subject = await resolve(cluster)
    expect(subject).toMatchObject({ owners: [{ kind: 'ReplicaSet', name: 'web-abc' }] })
    expect(subject).not.toHaveProperty('replicas')
    expect(subject?.incomplete).toMatch(
      /cannot get replicasets "web-abc".*"resources":\["replicasets"\],"verbs":\["get"\]/,
    )
  })

  it('keep what is known below', async () => {
    const cluster = await withWorkload('Deployment')
    cluster.override = ({ path }) => (path.includes('/deployments/') ? FORBIDDEN : undefined)
    const subject = await resolve(cluster)
    expect(subject?.owners?.map(({ kind }) => kind)).toEqual(['ReplicaSet', 'Deployment'])
    expect(subject).toMatchObject({
      replicas: { desired: 3, ready: 0 },
      incomplete: expect.stringContaining('deployments') as string,
    })
  })

  it('are for the guard to ask for: it refuses what they could protect, and nothing else', async () => {
    const cluster = await withWorkload('Deployment')
    cluster.override = ({ path }) => (path.includes('/replicasets/') ? FORBIDDEN : undefined)
    const subject = await resolve(cluster)
    const verdict = async (settings: Parameters<typeof readGuards>[0]) =>
      (await createGuard(readGuards(settings)).judge({ ...QUESTION, subject }))?.reason
    expect(await verdict({})).toBeUndefined()
    expect(await verdict({ protectedOwners: ['Deployment/web'] })).toBe('protected-owner')
    expect(await verdict({ protectedOwners: ['Deployment/other'] })).toBe('protected-owner')
    expect(await verdict({ minHealthyReplicas: 1 })).toBe('min-healthy-replicas')
    cluster.override = undefined
    const whole = await resolve(cluster)
    const judge = createGuard(readGuards({ protectedOwners: ['Deployment/other'] })).judge({
      ...QUESTION,
      subject: whole,
    })
    expect(await judge).toBeUndefined()
  })

  it.each([429, 500, 503])('for now, by a %i, may be tried again', async (code) => {
    const cluster = await withWorkload('Deployment')
    cluster.override = ({ path }) => (path.includes('/replicasets/') ? status(code, 'Later', 'not now') : undefined)
    expect((await rejection(resolve(cluster))).permanent).toBe(false)
  })
})
