import { describe, expect, it } from 'vitest'
import { createCounters } from '../src/counters.ts'
import { createGateway, YarakError } from '../src/index.ts'
import type { Health } from '../src/health.ts'
import { mountOps } from '../src/ops.ts'
import { alert, gate, probe, sink } from './kit.ts'

const HEALTH: Health = {
  ready: true,
  status: 'ok',
  reasons: [],
  mode: 'observe',
  generation: 1,
  configuration: { loadedAt: '2026-11-23T08:00:00.000Z', rules: 0 },
  inputs: [{ id: 'http', state: 'serving', since: '2026-11-23T08:00:00.000Z' }],
  outputs: [{ id: 'stdout', queued: 0, breaker: 'closed' }],
  journal: { mode: 'memory', size: 0, maxSize: 0, full: false },
  resources: [],
  breaker: 'closed',
  running: 0,
  unsettled: 0,
}

describe('/livez and /healthz', () => {
  it('answer as long as the process does, whatever is failing', async () => {
    const ops = mountOps(() => ({ ...HEALTH, ready: false }), createCounters())
    const [live, health] = [await ops.request('/livez'), await ops.request('/healthz')]
    expect([live.status, await live.text()]).toEqual([200, 'ok'])
    expect([health.status, await health.text()]).toEqual([200, '{"status": "ok"}'])
    expect(health.headers.get('content-type')).toBe('application/json')
  })

  it('take HEAD, as load balancers send it', async () => {
    const ops = mountOps(() => HEALTH, createCounters())
    for (const path of ['/livez', '/healthz', '/readyz', '/metrics']) {
      const answer = await ops.request(path, { method: 'HEAD' })
      expect([path, answer.status, await answer.text()]).toEqual([path, 200, ''])
    }
  })
})

describe('/ping', () => {
  it.each(['GET', 'POST'])('answers %s as Falcosidekick does', async (method) => {
    const answer = await mountOps(() => HEALTH, createCounters()).request('/ping', { method })
    expect([answer.status, await answer.text()]).toEqual([200, 'pong\n'])
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/)
  })

  it('and /healthz to any method as well', async () => {
    const answer = await mountOps(() => HEALTH, createCounters()).request('/healthz', { method: 'POST' })
    expect([answer.status, await answer.text()]).toEqual([200, '{"status": "ok"}'])
  })
})

describe('/readyz', () => {
  it.each([
    [true, 200],
    [false, 503],
  ])('with ready %s answers %i, and all that is known', async (ready, status) => {
    const answer = await mountOps(() => ({ ...HEALTH, ready }), createCounters()).request('/readyz')
    expect(answer.status).toBe(status)
    expect(await answer.json()).toEqual({ ...HEALTH, ready })
  })

  it('tells of a real gateway what runs, what waits and what failed last, and stays ready', async () => {
    const hold = gate()
    const { use } = sink(() => {
      throw new YarakError('failed', 'the webhook answered 503')
    })
    const gateway = createGateway({
      mode: 'enforce',
      outputs: [use],
      rules: [{ name: 'r', steps: [probe(() => hold.promise)({})] }],
    })
    await gateway.emit(alert())
    const ready = async () => (await gateway.ops.request('/readyz')).json() as Promise<Health>
    await expect.poll(ready).toMatchObject({
      ready: true,
      status: 'degraded',
      reasons: [{ part: 'output', id: 'sink', severity: 'degrades', message: 'the webhook answered 503' }],
      mode: 'enforce',
      running: 1,
      unsettled: 1,
      outputs: [{ id: 'sink', queued: 1, lastError: 'the webhook answered 503' }],
    })
    hold.resolve()
    await gateway.stop({ deadline: 50 })
    const stopped = await gateway.ops.request('/readyz')
    expect(stopped.status).toBe(503)
    expect(await stopped.json()).toMatchObject({
      ready: false,
      status: 'failing',
      reasons: expect.arrayContaining([expect.objectContaining({ part: 'gateway', message: 'it is stopping' })]),
    })
  })

  it('tells of a reload that failed, until one succeeds', async () => {
    const gateway = createGateway({ outputs: [sink().use] })
    const wrong = () => {
      throw new YarakError('config', 'yarak.yaml:3:1: there is no such action')
    }
    await expect(gateway.reload(wrong)).rejects.toThrow('no such action')
    const answer = await gateway.ops.request('/readyz')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({
      status: 'degraded',
      reasons: [{ part: 'rules', message: 'the reload failed: yarak.yaml:3:1: there is no such action' }],
      configuration: { lastReload: { outcome: 'failed' } },
    })
    await gateway.reload({ outputs: [sink().use] })
    expect(await (await gateway.ops.request('/readyz')).json()).toMatchObject({ status: 'ok', reasons: [] })
    await gateway.stop()
  })
})

describe('/readyz as text', () => {
  const since = '2026-11-23T08:00:00.000Z'
  const slack = {
    part: 'output',
    id: 'slack',
    severity: 'degrades',
    message: 'the webhook answered 503',
    since,
  } as const
  const degraded: Health = {
    ...HEALTH,
    status: 'degraded',
    reasons: [slack],
    outputs: [
      { id: 'slack', queued: 2, breaker: 'open', lastError: slack.message },
      { id: 'stdout', queued: 0, breaker: 'closed' },
    ],
    resources: [
      { id: 'kubernetes', type: 'kubernetes', state: 'ok', since },
      { id: 'aws', type: 'aws', state: 'unused' },
    ],
    audit: {},
  }

  it('has a line for each part, as kubectl shows them', async () => {
    const answer = await mountOps(() => degraded, createCounters()).request('/readyz?verbose')
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain/)
    expect([answer.status, await answer.text()]).toEqual([
      200,
      `[+]gateway ok
[+]input http ok
[+]journal ok
[-]output slack failing: the webhook answered 503
[+]output stdout ok
[+]cluster kubernetes ok
[+]rules ok
[+]guard ok
[+]audit ok
readyz check passed, degraded
`,
    ])
  })

  it('says at the end whether the check passed', async () => {
    const reason = { part: 'journal', id: 'journal', severity: 'fails', message: 'it is full', since } as const
    const bad: Health = { ...HEALTH, ready: false, status: 'failing', reasons: [reason] }
    const failed = await mountOps(() => bad, createCounters()).request('/readyz?verbose=true')
    expect(failed.status).toBe(503)
    expect(await failed.text()).toMatch(/^\[-\]journal failing: it is full\n[^]*readyz check failed\n$/m)
    const good = await mountOps(() => HEALTH, createCounters()).request('/readyz?verbose')
    expect(await good.text()).toMatch(/\nreadyz check passed\n$/)
  })

  it.each([
    ['text/plain', 'text/plain'],
    ['text/plain;q=0.9, text/html', 'text/plain'],
    ['*/*', 'application/json'],
    ['application/json, text/plain, */*', 'application/json'],
  ])('for who accepts %s is %s', async (accept, type) => {
    const answer = await mountOps(() => HEALTH, createCounters()).request('/readyz', { headers: { accept } })
    expect(answer.headers.get('content-type')).toContain(type)
  })
})

describe('/metrics', () => {
  it('is the Prometheus text format', async () => {
    const counters = createCounters()
    counters.add('yarak_events_received_total', { input: 'a"b' }, 3)
    const answer = await mountOps(() => HEALTH, counters).request('/metrics')
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(await answer.text()).toBe(counters.text())
    expect(counters.text().split('\n')).toEqual([
      expect.stringMatching(/^# HELP yarak_events_received_total Events handed to the gateway, by input\./),
      '# TYPE yarak_events_received_total counter',
      String.raw`yarak_events_received_total{input="a\"b"} 3`,
      '',
    ])
  })

  it('of a gateway at rest has its gauges at zero', async () => {
    const gateway = createGateway({ outputs: [sink().use] })
    const text = await (await gateway.ops.request('/metrics')).text()
    for (const line of [
      'yarak_events_unsettled 0',
      'yarak_responses_running 0',
      'yarak_responses_queued 0',
      'yarak_notices_queued{output="sink"} 0',
    ])
      expect(text).toContain(`${line}\n`)
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) yarak_\w+ .+|yarak_\w+(\{(\w+="[^"]*",?)+\})? \d+)$/)
    await gateway.stop()
  })
})
