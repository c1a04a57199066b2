import { describe, expect, it } from 'vitest'
import { createGuard, guardSettings } from '../src/guard.ts'
import type { Change, Subject } from '../src/plugin.ts'
import { checkSettings } from '../src/settings.ts'

const pod = (namespace: string): Subject => ({ kind: 'Pod', key: `pod/${namespace}/web-1`, namespace, name: 'web-1' })
const namespaced = (name: string): Subject => ({ kind: 'Namespace', key: `namespace/${name}`, name })
const node: Subject = { kind: 'Node', key: 'node/n', name: 'kube-system' }

const guardOf = (settings: object = {}) => createGuard(guardSettings.parse(settings))

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
  ])('judges %s', (_what, change, subject, needsSubject, reason) => {
    expect(guardOf().judge({ change, subject, needsSubject, authenticated: 'bearer' })?.reason).toBe(reason)
  })

  it('says what it protects', () => {
    const { judge } = guardOf()
    const of = (subject: Subject | undefined) =>
      judge({ change: 'destructive', subject, needsSubject: true, authenticated: 'bearer' })?.message
    expect(of(pod('kube-system'))).toBe('the namespace kube-system is protected')
    expect(of(undefined)).toBe('the event names no target that can be found')
  })

  it('protects the namespaces that are set, and its own', () => {
    const { judge } = guardOf({ protectedNamespaces: ['vault'], ownNamespace: 'yarak' })
    const reasons = ['vault', 'yarak', 'kube-system'].map(
      (one) => judge({ change: 'reversible', subject: pod(one), needsSubject: true, authenticated: undefined })?.reason,
    )
    expect(reasons).toEqual(['protected-namespace', 'protected-namespace', undefined])
  })

  it.each<[Change, boolean, string | undefined]>([
    ['destructive', true, 'unauthenticated-source'],
    ['destructive', false, 'unauthenticated-source'],
    ['reversible', true, undefined],
    ['nothing', true, undefined],
  ])('on the word of a sender who did not prove who it is: %s', (change, needsSubject, reason) => {
    const { judge } = guardOf()
    expect(judge({ change, subject: pod('shop'), needsSubject, authenticated: undefined })?.reason).toBe(reason)
  })

  it('knows its settings', () => {
    expect(checkSettings(guardSettings, { protectednamespaces: [] })).toMatchObject([
      { message: 'protectednamespaces is not a known setting' },
    ])
  })
})
