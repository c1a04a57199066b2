import { describe, expect, it } from 'vitest'
import { createGateway } from '../src/index.ts'
import { parseExposition, totalOf, valueOf } from './exposition.ts'
import { about, probe, sink } from './kit.ts'

const MANY = 10_000
const BUCKETS = 17

describe('10,000 pods and rules', () => {
  it('leave the series of /metrics bounded, and every sum right', { timeout: 60_000 }, async () => {
    const action = probe(() => 'looked')({})
    const rules = Array.from({ length: MANY }, (_, i) => ({
      name: `rule ${i}`,
      match: { rules: [`alert ${i}`] },
      steps: [action],
    }))
    const gateway = createGateway({ mode: 'enforce', rules, outputs: [sink().use] })
    for (let i = 0; i < MANY; i++) {
      const { done } = await gateway.emit(about(`pod-${i}`, { rule: `alert ${i}` }))
      await (
        await gateway.emit(about(`pod-${i}`, { rule: `drops ${i}`, source: 'internal' }))
      ).done
      await done
    }
    for (const open of [false, true]) {
      const headers = open ? { accept: 'application/openmetrics-text' } : undefined
      const text = await (await gateway.ops.request('/metrics', { headers })).text()
      const families = parseExposition(text, open)
      expect(text).not.toContain('pod-')
      for (const [name, { type, samples }] of families)
        expect([name, samples.length <= (type === 'histogram' ? 201 * (BUCKETS + 2) : 1_001)]).toEqual([name, true])
      const byRule = ['yarak_rules_matched_total', 'yarak_responses_ended_total', 'yarak_falco_internal_total']
      for (const name of byRule) {
        expect([name, totalOf(families, name)]).toEqual([name, MANY])
        expect([name, totalOf(families, name, { rule: 'overflow' })]).toEqual([name, MANY - 1_000])
      }
      const measured = ['yarak_alert_to_action_seconds_count', 'yarak_response_duration_seconds_count']
      for (const name of measured) {
        expect([name, totalOf(families, name)]).toEqual([name, MANY])
        expect([name, totalOf(families, name, { rule: 'overflow' })]).toEqual([name, MANY - 200])
      }
      expect(valueOf(families, 'yarak_rules_matched_total', { rule: 'rule 0' })).toBe(1)
      expect(valueOf(families, 'yarak_events_received_total', { input: 'host' })).toBe(2 * MANY)
    }
    await gateway.stop()
  })
})
