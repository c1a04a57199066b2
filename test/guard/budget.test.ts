import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Question } from '../../src/guard.ts'
import type { Subject } from '../../src/plugin.ts'
import { memoryState } from '../../src/state.ts'
import { budgetOf, counting, namespaceNamed, node, pod } from './_kit.ts'

const START = Date.parse('2026-01-31T12:00:00Z')
const after = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: START }))
afterEach(() => void vi.useRealTimers())

describe('a budget', () => {
  it('lets so many steps through in its window, and tells whose it was', async () => {
    const { ask, guard, counters } = counting(budgetOf({ scope: 'namespace' }))
    expect([await ask(), await ask(), await ask()]).toEqual([undefined, undefined, 'budget'])
    const refusal = await guard.judge({
      ...{ action: 'a', rule: 'r', change: 'reversible', mode: 'enforce', subject: pod(), needsSubject: true },
      ...{ authenticated: undefined, age: 0 },
    })
    expect(refusal?.message).toBe('2 changing steps in 60 s are the budget of the namespace shop')
    expect(counters.sum('yarak_guard_refusals_total', { reason: 'budget' })).toBe(2)
    after(59_999)
    expect(await ask()).toBe('budget')
    after(1)
    expect([await ask(), await ask(), await ask()]).toEqual([undefined, undefined, 'budget'])
  })

  it('of none lets none through', async () => {
    expect(await counting(budgetOf({ limit: 0 })).ask()).toBe('budget')
  })

  it.each<[string, object, Subject, Subject, boolean]>([
    ['two pods', { scope: 'pod' }, pod(), pod({ name: 'web-2' }), false],
    ['a pod that is made again', { scope: 'pod' }, pod(), pod({ uid: 'other' }), false],
    ['two pods of a workload', { scope: 'workload' }, pod(), pod({ name: 'web-2' }), true],
    [
      'a pod after a rollout',
      { scope: 'workload' },
      pod(),
      pod({
        owners: [
          { kind: 'ReplicaSet', name: 'web-77' },
          { kind: 'Deployment', name: 'web' },
        ],
      }),
      true,
    ],
    [
      'a workload and its pod',
      { scope: 'workload' },
      pod({ kind: 'Deployment', name: 'web', owners: [] }),
      pod(),
      true,
    ],
    ['workloads of one name', { scope: 'workload' }, pod(), pod({ namespace: 'other' }), false],
    ['pods of their own', { scope: 'workload' }, pod({ owners: [] }), pod({ owners: [], name: 'web-2' }), false],
    ['two pods of a namespace', { scope: 'namespace' }, pod(), pod({ name: 'db-1', owners: [] }), true],
    ['a namespace and its pod', { scope: 'namespace' }, namespaceNamed('shop'), pod(), true],
    ['two namespaces', { scope: 'namespace' }, pod(), pod({ namespace: 'other' }), false],
    ['a node and its pod', { scope: 'node' }, node(), pod(), true],
    ['pods of two nodes', { scope: 'node' }, pod(), pod({ node: 'node-2' }), false],
    ['anything at all', { scope: 'cluster' }, pod(), node(), true],
  ])('counts %s together or not', async (_what, budget, one, other, together) => {
    const { ask } = counting(budgetOf({ limit: 1, ...budget }))
    expect(await ask({ subject: one })).toBeUndefined()
    expect(await ask({ subject: other })).toBe(together ? 'budget' : undefined)
  })

  it('of a scope that a thing has not does not concern it', async () => {
    const { ask } = counting(budgetOf({ scope: 'namespace', limit: 0 }))
    expect(await ask({ subject: node() })).toBeUndefined()
    expect(await ask({ subject: undefined, needsSubject: false })).toBeUndefined()
  })

  it('of the cluster counts also what is about no thing', async () => {
    const { ask } = counting(budgetOf({ limit: 1 }))
    const nowhere = { subject: undefined, needsSubject: false }
    expect([await ask(nowhere), await ask(nowhere)]).toEqual([undefined, 'budget'])
  })

  it('counts the actions and the changes that it names', async () => {
    const { ask } = counting(budgetOf({ action: 'kubernetes:*', changes: 'destructive', limit: 1 }))
    const kill: Partial<Question> = { action: 'kubernetes:terminate' }
    expect([await ask(kill), await ask(kill)]).toEqual([undefined, 'budget'])
    expect(await ask({ action: 'kubernetes:label', change: 'reversible' })).toBeUndefined()
    expect(await ask({ action: 'aws:lambda' })).toBeUndefined()
    expect(await ask({ ...kill, change: 'nothing' })).toBeUndefined()
  })

  it('is divided by the processes that share it, to at least one', async () => {
    const { ask } = counting(budgetOf({ limit: 5 }, { replicas: 2 }))
    expect([await ask(), await ask(), await ask()]).toEqual([undefined, undefined, 'budget'])
    const many = counting(budgetOf({ limit: 5 }, { replicas: 50 }))
    expect([await many.ask(), await many.ask()]).toEqual([undefined, 'budget'])
    expect(await counting(budgetOf({ limit: 0 }, { replicas: 2 })).ask()).toBe('budget')
  })

  it('is not used by what something else refuses', async () => {
    const { ask } = counting(budgetOf({ limit: 1 }))
    expect(await ask({ subject: pod({ namespace: 'kube-system' }) })).toBe('protected-namespace')
    expect(await ask({ authenticated: undefined })).toBe('unauthenticated-source')
    expect(await ask({ age: 1e9 })).toBe('stale')
    expect(await ask()).toBeUndefined()
  })

  it('counts a step once: tried again, resumed, or on many things', async () => {
    const { ask } = counting({
      ...budgetOf({}),
      budgets: [
        { scope: 'cluster', limit: 1, window: '1m' },
        { scope: 'pod', limit: 1, window: '1m' },
      ],
    })
    const drain: Partial<Question> = { id: 'response drain' }
    const on = (name: string) => ask({ ...drain, subject: pod({ name }) })
    expect([await on('web-1'), await on('web-2'), await on('web-1')]).toEqual([undefined, undefined, undefined])
    expect(await ask({ id: 'another', subject: pod({ name: 'web-3' }) })).toBe('budget')
  })

  it('in observe mode shows what would be refused, and uses nothing up', async () => {
    const { ask } = counting(budgetOf({ limit: 1 }))
    expect([await ask({ mode: 'observe' }), await ask({ mode: 'observe' })]).toEqual([undefined, 'budget'])
    expect([await ask(), await ask()]).toEqual([undefined, 'budget'])
  })

  it.each([
    ['a workload', 5, (i: number) => pod({ name: `web-${i}` })],
    ['a namespace', 20, (i: number) => pod({ name: `w-${i}`, owners: [] })],
    ['the cluster', 50, (i: number) => pod({ name: `w-${i}`, namespace: `n-${i}` })],
  ])('stands for destruction when nothing is set: %s %i times', async (_what, limit, subject) => {
    const { ask } = counting()
    for (let i = 0; i < limit; i++) expect(await ask({ subject: subject(i) })).toBeUndefined()
    expect(await ask({ subject: subject(limit) })).toBe('budget')
    expect(await ask({ subject: subject(limit), change: 'reversible' })).toBeUndefined()
    after(600_000)
    expect(await ask({ subject: subject(limit) })).toBeUndefined()
  })

  it('never lets more through than its limit in any window, also over restarts', async () => {
    const step = fc.record({
      wait: fc.nat(40),
      pod: fc.constantFrom('a', 'b', 'c'),
      id: fc.option(fc.constantFrom('one', 'two'), { nil: undefined }),
      restart: fc.boolean(),
    })
    const budgets = fc.record({
      scope: fc.constantFrom('pod', 'namespace'),
      limit: fc.nat(3),
      window: fc.integer({ min: 1, max: 100 }),
    })
    await fc.assert(
      fc.asyncProperty(budgets, fc.array(step, { maxLength: 30 }), async (budget, steps) => {
        vi.setSystemTime(START)
        const state = memoryState().of('guard')
        const settings = budgetOf({ ...budget, window: `${budget.window}ms` })
        let guard = counting(settings, state)
        const allowed: { at: number; key: string; id: string }[] = []
        for (const [i, { wait, pod: name, id = `step ${i}`, restart }] of steps.entries()) {
          after(wait)
          if (restart) guard = counting(settings, state)
          const key = budget.scope === 'pod' ? name : ''
          const at = Date.now()
          const within = allowed.filter((one) => one.key === key && one.at > at - budget.window && one.id !== id)
          const fits = new Set(within.map((one) => one.id)).size < budget.limit
          const refused = await guard.ask({ id, subject: pod({ name }) })
          expect(refused).toBe(fits ? undefined : 'budget')
          if (fits) allowed.push({ at, key, id })
        }
        for (const { at, key } of allowed) {
          const window = allowed.filter((one) => one.key === key && one.at > at - budget.window && one.at <= at)
          expect(new Set(window.map(({ id }) => id)).size).toBeLessThanOrEqual(budget.limit)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('lets no two steps at the same time take the last place', async () => {
    const { ask } = counting(budgetOf({ limit: 3 }))
    const asked = await Promise.all(Array.from({ length: 20 }, () => ask()))
    expect(asked.filter((reason) => reason === undefined)).toHaveLength(3)
  })
})
