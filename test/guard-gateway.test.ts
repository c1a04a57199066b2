import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createGateway, type GatewayOptions } from '../src/index.ts'
import type { Log, Subject } from '../src/plugin.ts'
import { fileState, memoryState } from '../src/state.ts'
import { about, probe } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const folders: string[] = []
afterEach(() => folders.splice(0).forEach((dir) => rmSync(dir, { recursive: true, force: true })))

const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-guard-'))
  folders.push(dir)
  return dir
}

const target = async ({ pod = '' }): Promise<Subject> => ({
  ...{ kind: 'Pod', key: `pod/shop/${pod}`, namespace: 'shop', name: pod, uid: pod },
  ...{ labels: {}, owners: [{ kind: 'ReplicaSet', name: 'web' }] },
})

const BUDGET = { budgets: [{ scope: 'workload' as const, limit: 2, window: '1h' }] }

/** A gateway that destroys each pod of which it hears. */
const destroyer = (options: GatewayOptions = {}) => {
  const gone: string[] = []
  const kill = probe((_params, { subject }) => void gone.push(subject?.name ?? ''), { changes: 'destructive', target })
  const given: GatewayOptions = {
    mode: 'enforce',
    guards: BUDGET,
    rules: [{ name: 'all', steps: [kill({})] }],
    ...options,
  }
  const gateway = createGateway(given)
  const hear = async (...pods: string[]) => {
    const ends: (string | undefined)[] = []
    for (const pod of pods) {
      const [report] = await (await gateway.emit(about(pod))).done
      ends.push(report?.steps[0]?.error?.reason ?? report?.outcome)
    }
    return ends
  }
  return { gateway, given, gone, hear }
}

describe('budgets of a gateway', () => {
  it('end the destruction, and tell in the report and in the trace', async () => {
    const { gateway, gone, hear } = destroyer()
    expect(await hear('a', 'b', 'c')).toEqual(['succeeded', 'succeeded', 'budget'])
    expect(gone).toEqual(['a', 'b'])
    const verdicts = spans.all().flatMap(({ name, events }) => (name === 'action test:probe' ? events : []))
    expect(verdicts).toMatchObject([
      { name: 'guard', attributes: { 'yarak.verdict': 'allowed', 'yarak.subject': 'pod/shop/a' } },
      { name: 'guard', attributes: { 'yarak.verdict': 'allowed', 'yarak.subject': 'pod/shop/b' } },
      { name: 'guard', attributes: { 'yarak.verdict': 'refused', 'yarak.reason': 'budget' } },
    ])
    const metrics = await (await gateway.ops.request('/metrics')).text()
    expect(metrics).toContain('yarak_guard_refusals_total{reason="budget"} 1\n')
    await gateway.stop()
  })

  it('are not begun anew by a reload', async () => {
    const { gateway, given, hear } = destroyer()
    await hear('a', 'b')
    await gateway.reload({ ...given, guards: { ...BUDGET, maxEventAge: '1m' } })
    expect(await hear('c')).toEqual(['budget'])
    await gateway.reload({
      ...given,
      guards: { budgets: [{ ...BUDGET.budgets[0], scope: 'workload', limit: 3, window: '1h' }] },
    })
    expect(await hear('d', 'e')).toEqual(['succeeded', 'budget'])
    await gateway.stop()
  })

  it('are not begun anew by a crash', async () => {
    const dir = folder()
    const state = () => fileState(dir, () => {})
    // nobody stops the first
    expect(await destroyer({ state: state() }).hear('a', 'b')).toEqual(['succeeded', 'succeeded'])
    expect(await destroyer({ state: state() }).hear('c')).toEqual(['budget'])
  })

  it('are not used by observe mode, which shows what would be refused', async () => {
    const state = memoryState()
    expect(await destroyer({ state, mode: 'observe' }).hear('a', 'b', 'c')).toEqual([
      'succeeded',
      'succeeded',
      'budget',
    ])
    expect(await destroyer({ state }).hear('a')).toEqual(['succeeded'])
  })

  it('count a step that is tried again once', async () => {
    let tries = 0
    const flaky = probe(
      () => {
        if (++tries < 3) throw new Error('not yet')
      },
      { changes: 'destructive', target },
    )
    const rules = [{ name: 'all', steps: [{ action: flaky({}), retries: 5 }] }]
    const { hear } = destroyer({ rules, guards: { budgets: [{ scope: 'cluster', limit: 1, window: '1h' }] } })
    expect(await hear('a', 'b')).toEqual(['succeeded', 'budget'])
  })

  it('count each thing that a step asks for beside its target', async () => {
    const sweep = probe(
      async (_params, step) => {
        for (const pod of ['x', 'y', 'z']) await step.judge(await target({ pod }))
      },
      { changes: 'destructive', target },
    )
    const guards = { budgets: [{ scope: 'pod' as const, limit: 1, window: '1h' }] }
    const { hear } = destroyer({ rules: [{ name: 'all', steps: [sweep({})] }], guards })
    expect(await hear('a', 'b')).toEqual(['succeeded', 'budget'])
  })
})

describe('the breaker of a gateway', () => {
  it('stops every change, is told by health, metrics and log, and notices go on', async () => {
    const errors: string[] = []
    const log: Log = { debug() {}, info() {}, warn() {}, error: (message) => void errors.push(message) }
    const { gateway, hear } = destroyer({ log, guards: { breaker: { limit: 2 } } })
    expect(gateway.health().breaker).toBe('closed')
    expect(await hear('a', 'b', 'c', 'd')).toEqual(['succeeded', 'succeeded', 'breaker', 'breaker'])
    expect(gateway.health()).toMatchObject({ ready: true, breaker: 'open' })
    expect(errors).toHaveLength(1)
    const metrics = await (await gateway.ops.request('/metrics')).text()
    expect(metrics).toContain('yarak_guard_breaker_open{mode="enforce"} 1\n')
    expect(metrics).toContain('yarak_guard_breaker_open{mode="observe"} 0\n')
    await gateway.stop()
  })
})
