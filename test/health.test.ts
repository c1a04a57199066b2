import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHealth, healthOf, type HealthParts, withTroubles } from '../src/health.ts'

const AT = '2026-11-23T08:00:00.000Z'
const NONE = new AbortController().signal

/** A gateway of which all is well, but for what the test says. */
const parts = (more: Partial<HealthParts> = {}): HealthParts => ({
  stopping: NONE,
  inputs: [{ id: 'http', state: 'serving', since: AT }],
  lastEvent: () => undefined,
  outputs: [{ id: 'slack', queued: 0, breaker: 'closed', lastError: undefined }],
  journal: { mode: 'durable', size: 10, maxSize: 100, full: false },
  generation: { mode: 'enforce', number: 3, loadedAt: AT, options: { rules: [{ name: 'r', steps: [] }] } },
  lastReload: undefined,
  guardBreaker: 'closed',
  running: 1,
  unsettled: 2,
  ...more,
})

const failing = { id: 'kafka', state: 'failing', error: 'the brokers do not answer', since: AT } as const
const journal = parts().journal

describe('health', () => {
  it('of a gateway of which all is well has no reasons', () => {
    expect(healthOf(parts())).toEqual({
      ready: true,
      status: 'ok',
      reasons: [],
      mode: 'enforce',
      generation: 3,
      configuration: { loadedAt: AT, rules: 1 },
      inputs: [{ id: 'http', state: 'serving', since: AT }],
      outputs: [{ id: 'slack', queued: 0, breaker: 'closed' }],
      journal,
      resources: [],
      breaker: 'closed',
      running: 1,
      unsettled: 2,
    })
  })

  it.each<[string, Partial<HealthParts>, object]>([
    ['an input that fails', { inputs: [failing] }, { part: 'input', id: 'kafka', message: failing.error, since: AT }],
    [
      'a journal that is in memory because the disk failed',
      { journal: { ...journal, mode: 'degraded', reason: 'database or disk is full' } },
      { part: 'journal', id: 'journal', message: 'what comes is in memory only: database or disk is full' },
    ],
    [
      'a journal that is full',
      { journal: { ...journal, full: true } },
      { part: 'journal', id: 'journal', message: 'it is full: events that are posted are refused' },
    ],
    ['a stop', { stopping: AbortSignal.abort() }, { part: 'gateway', id: 'gateway', message: 'it is stopping' }],
  ])('is not ready for %s', (_, more, reason) => {
    const health = healthOf(parts(more))
    expect(health).toMatchObject({ ready: false, status: 'failing' })
    expect(health.reasons).toEqual([expect.objectContaining({ severity: 'fails', ...reason })])
  })

  it.each<[string, Partial<HealthParts>, object]>([
    [
      'an output that is down',
      { outputs: [{ id: 'slack', queued: 7, breaker: 'open', lastError: 'the webhook answered 503' }] },
      { part: 'output', id: 'slack', message: 'the webhook answered 503' },
    ],
    [
      'an output that is left alone',
      { outputs: [{ id: 'slack', queued: 7, breaker: 'half-open', lastError: undefined }] },
      { part: 'output', id: 'slack' },
    ],
    [
      'a cluster that does not answer',
      { resources: [{ id: 'kubernetes', type: 'kubernetes', state: 'failing', error: 'no answer', since: AT }] },
      { part: 'cluster', id: 'kubernetes', message: 'no answer', since: AT },
    ],
    [
      'a reload that failed',
      { lastReload: { at: AT, outcome: 'failed', error: 'rules.yaml:3:1: no such action' } },
      { part: 'rules', id: 'rules', message: 'the reload failed: rules.yaml:3:1: no such action', since: AT },
    ],
    ['the breaker of the guards', { guardBreaker: 'open' }, { part: 'guard', id: 'guard' }],
    [
      'an audit record that cannot be written',
      { audit: { lastError: 'ENOSPC' } },
      { part: 'audit', id: 'audit', message: 'ENOSPC' },
    ],
  ])('is degraded, and ready, for %s', (_, more, reason) => {
    const health = healthOf(parts(more))
    expect(health).toMatchObject({ ready: true, status: 'degraded' })
    expect(health.reasons).toEqual([expect.objectContaining({ severity: 'degrades', ...reason })])
  })

  it.each<[string, Partial<HealthParts>]>([
    ['an input that has ended', { inputs: [{ id: 'file', state: 'ended', since: AT }] }],
    ['a journal in memory, as asked for', { journal: { mode: 'memory', size: 0, maxSize: 0, full: false } }],
    ['a journal that was moved aside at the start', { journal: { ...journal, movedAside: '/data/journal.1' } }],
    ['a client that nobody used', { resources: [{ id: 'aws', type: 'aws', state: 'unused' }] }],
    ['a reload that succeeded', { lastReload: { at: AT, outcome: 'succeeded' } }],
    ['an audit record that is written', { audit: { lastError: undefined } }],
  ])('is ok with %s', (_, more) => {
    expect(healthOf(parts(more))).toMatchObject({ ready: true, status: 'ok', reasons: [] })
  })

  it('tells every reason, and is as bad as the worst', () => {
    const outputs = [{ id: 'slack', queued: 0, breaker: 'closed', lastError: '503' } as const]
    const health = healthOf(parts({ inputs: [failing], outputs, guardBreaker: 'open' }))
    expect(health.reasons.map(({ part }) => part)).toEqual(['input', 'output', 'guard'])
    expect(health).toMatchObject({ ready: false, status: 'failing' })
  })

  it('tells the last reload, the rules, and when an input brought something', () => {
    const lastReload = { at: AT, outcome: 'succeeded' } as const
    const health = healthOf(parts({ lastReload, lastEvent: (id) => (id === 'http' ? Date.parse(AT) : undefined) }))
    expect(health.configuration).toEqual({ loadedAt: AT, rules: 1, lastReload })
    expect(health.inputs).toEqual([{ id: 'http', state: 'serving', since: AT, lastEvent: AT }])
  })
})

describe('messages', () => {
  const clean = (text: string) => text.replaceAll('hunter2', '***')

  it('pass what makes errors fit to be shown, wherever they stand', () => {
    const error = 'refused: hunter2'
    const health = healthOf(
      parts({
        clean,
        inputs: [{ ...failing, error }],
        outputs: [{ id: 'slack', queued: 0, breaker: 'closed', lastError: error }],
        journal: { ...journal, mode: 'degraded', reason: error },
        resources: [{ id: 'kubernetes', type: 'kubernetes', state: 'failing', error, since: AT }],
        audit: { lastError: error },
        lastReload: { at: AT, outcome: 'failed', error },
      }),
    )
    expect(health.reasons).toHaveLength(6)
    expect(JSON.stringify(health)).not.toContain('hunter2')
    for (const { message } of health.reasons) expect(message).toContain('refused: ***')
  })

  it('are one short line without control characters, whatever the other side said', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (said) => {
        const [reason] = healthOf(parts({ inputs: [{ ...failing, error: said }] })).reasons
        expect(reason?.message).not.toMatch(/\p{Cc}|\u2028|\u2029/u)
        expect(reason?.message.length).toBeLessThanOrEqual(501)
      }),
    )
  })
})

describe('since', () => {
  const down = (lastError?: string): Partial<HealthParts> => ({
    outputs: [{ id: 'slack', queued: 0, breaker: 'closed', lastError }],
  })

  it('is when it was first seen where the part does not note it, and stays while it lasts', async () => {
    let now = parts()
    const health = createHealth(() => now)
    expect(health().reasons).toEqual([])
    const before = new Date().toISOString()
    now = parts(down('503'))
    const since = health().reasons[0]?.since ?? ''
    expect(since >= before).toBe(true)
    await expect.poll(() => new Date().toISOString() > since).toBe(true)
    now = parts(down('504'))
    expect(health().reasons).toEqual([expect.objectContaining({ message: '504', since })])
    now = parts(down())
    expect(health().reasons).toEqual([])
    now = parts(down('503'))
    expect((health().reasons[0]?.since ?? '') > since).toBe(true)
  })

  it('is of each part by itself', () => {
    const one = withTroubles(
      healthOf(parts()),
      [
        { part: 'listener', id: 'a', severity: 'fails', message: 'x' },
        { part: 'output', id: 'a', severity: 'degrades', message: 'x' },
        { part: 'listener', id: 'b', severity: 'fails', message: 'x', since: '2026-11-23T09:00:00.000Z' },
      ],
      [{ part: 'listener', id: 'a', severity: 'fails', message: 'y', since: AT }],
    )
    expect(one.reasons.map(({ since }) => since)).toEqual([
      AT,
      expect.not.stringMatching(AT),
      '2026-11-23T09:00:00.000Z',
    ])
    expect(one).toMatchObject({ ready: false, status: 'failing' })
  })
})
