import { describe, expect, it } from 'vitest'
import { createGuard, guardSettings, timeless } from '../src/guard.ts'
import type { Change, Subject } from '../src/plugin.ts'
import { checkSettings } from '../src/settings.ts'
import {
  ASKED,
  counting,
  namespaceNamed as namespaced,
  node as nodeWith,
  pod as podWith,
  settingsOf,
} from './guard/_kit.ts'

const pod = (namespace: string): Subject => podWith({ namespace })
const node = nodeWith({ name: 'kube-system' })

const guardOf = (settings: object = {}) => createGuard(settingsOf(settings))

describe('the guard', () => {
  it.each<[string, Change, Subject | undefined, boolean, string | undefined]>([
    ['a change of a pod', 'destructive', pod('shop'), true, undefined],
    ['a change of a node', 'destructive', node, true, undefined],
    ['a change of a protected pod', 'reversible', pod('kube-system'), true, 'protected-namespace'],
    ['a change of another protected pod', 'destructive', pod('kube-public'), true, 'protected-namespace'],
    ['a change of a lease', 'destructive', pod('kube-node-lease'), true, 'protected-namespace'],
    ['a change of a protected namespace', 'reversible', namespaced('kube-system'), true, 'protected-namespace'],
    ['a change of another namespace', 'reversible', namespaced('shop'), true, undefined],
    ['a change of what cannot be found', 'reversible', undefined, true, 'no-target'],
    ['no change of what cannot be found', 'nothing', undefined, true, undefined],
    ['no change of a protected pod', 'nothing', pod('kube-system'), true, undefined],
    ['a change that has no target', 'destructive', undefined, false, undefined],
  ])('judges %s', async (_what, change, subject, needsSubject, reason) => {
    const refusal = await guardOf().judge({ ...ASKED, change, subject, needsSubject })
    expect(refusal?.reason).toBe(reason)
  })

  it('says what it protects', async () => {
    const { judge } = guardOf()
    const of = async (subject: Subject | undefined) => (await judge({ ...ASKED, subject }))?.message
    expect(await of(pod('kube-system'))).toBe('the namespace kube-system is protected')
    expect(await of(undefined)).toBe('the event names no target that can be found')
  })

  it('protects the namespaces that are set, and its own', async () => {
    const { judge } = guardOf({ protectedNamespaces: ['vault'], ownNamespace: 'yarak' })
    const refusals = ['vault', 'yarak', 'kube-system'].map((one) =>
      judge({ ...ASKED, change: 'reversible', subject: pod(one), authenticated: undefined }),
    )
    const reasons = (await Promise.all(refusals)).map((refusal) => refusal?.reason)
    expect(reasons).toEqual(['protected-namespace', 'self', undefined])
  })

  it.each<[Change, boolean, string | undefined]>([
    ['destructive', true, 'unauthenticated-source'],
    ['destructive', false, 'unauthenticated-source'],
    ['reversible', true, undefined],
    ['nothing', true, undefined],
  ])('on the word of a sender who did not prove who it is: %s', async (change, needsSubject, reason) => {
    const question = { ...ASKED, change, subject: pod('shop'), needsSubject, authenticated: undefined }
    expect((await guardOf().judge(question))?.reason).toBe(reason)
  })

  it.each<[string, Change, number, string | undefined]>([
    ['five minutes', 'destructive', 300_000, undefined],
    ['more', 'destructive', 300_001, 'stale'],
    ['more, of what can be taken back', 'reversible', 300_001, undefined],
    ['a minute ahead', 'destructive', -60_000, undefined],
    ['further ahead', 'destructive', -60_001, 'clock'],
    ['an age that nobody can tell', 'destructive', Number.NaN, 'clock'],
  ])('of an event that is old: %s', async (_what, change, age, reason) => {
    expect((await guardOf().judge({ ...ASKED, change, age, subject: pod('shop') }))?.reason).toBe(reason)
  })

  it.each<[Change, boolean, string | undefined]>([
    ['destructive', true, 'unknown-cluster'],
    ['reversible', false, 'unknown-cluster'],
    ['nothing', true, undefined],
  ])('of an event that may be of another cluster: %s', async (change, needsSubject, reason) => {
    const question = { ...ASKED, change, needsSubject, clusterUnknown: true }
    expect((await guardOf().judge(question))?.reason).toBe(reason)
  })

  it('without a memory judges each step as if it were the only one', async () => {
    const { judge } = guardOf({ budgets: [{ scope: 'cluster', limit: 1, window: '1h' }], breaker: { limit: 1 } })
    for (let i = 0; i < 5; i++) expect(await judge(ASKED)).toBeUndefined()
  })

  it('counts what it refuses, by reason', async () => {
    const { ask, counters } = counting()
    await ask({ subject: pod('kube-system') })
    await ask({ subject: undefined })
    await ask({ age: 1e9 })
    await ask()
    const refused = (reason: string) => counters.sum('yarak_guard_refusals_total', { reason })
    expect(['protected-namespace', 'no-target', 'stale', 'budget'].map(refused)).toEqual([1, 1, 1, 0])
  })

  it('can be made to leave time out', async () => {
    const { ask } = counting({})
    const settings = timeless(settingsOf())
    const judge = createGuard(settings, { ...counting(), log: { debug() {}, info() {}, warn() {}, error() {} } }).judge
    for (let i = 0; i < 400; i++) expect(await judge({ ...ASKED, age: 1e12 })).toBeUndefined()
    expect(await ask({ age: 1e12 })).toBe('stale')
  })

  it('knows its settings', () => {
    expect(checkSettings(guardSettings, { protectednamespaces: [] })).toMatchObject([
      { message: 'protectednamespaces is not a known setting' },
    ])
  })
})
