import { describe, expect, it } from 'vitest'
import { createGateway, type GatewayOptions, YarakError } from '../src/index.ts'
import type { Subject } from '../src/plugin.ts'
import { alert, answering, gate, probe, refuse, type Run } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()

type Steps = NonNullable<GatewayOptions['rules']>[number]['steps']

const reportOf = async (steps: Steps, options: GatewayOptions = {}, event: unknown = alert()) => {
  const gateway = answering(steps, options)
  const [report] = await (await gateway.emit(event)).done
  await gateway.stop()
  if (!report) throw new Error('no report')
  return report
}

const outcomes = async (...args: Parameters<typeof reportOf>) => {
  const { outcome, steps } = await reportOf(...args)
  return [outcome, ...steps.map((step) => step.outcome)]
}

const ok = probe(() => 'ok')({})
const throws = (error: unknown) =>
  probe(() => {
    throw error
  })({})

describe('a step', () => {
  it('gets its settings rendered, with JSON types kept, and parsed again', async () => {
    const seen: unknown[] = []
    const step = probe((params) => void seen.push(params))
    await reportOf(
      [step({ value: '{{ rule | slug }} in {{ k8s.ns.name }}/{{ k8s.pod.name }}', wait: '{{ output }}' })],
      {},
      alert({ output: '2s' }),
    )
    expect(seen).toEqual([{ value: 'terminal-shell-in-container in shop/web-1', wait: 2_000 }])
  })

  it('fails when a rendered value does not fit its settings, or has no value', async () => {
    const step = probe(() => 'never')
    const wrong = await reportOf([step({ wait: '{{ proc.name }}' })])
    expect(wrong.steps[0]).toMatchObject({
      outcome: 'failed',
      attempts: 0,
      error: { reason: 'bad-parameter', message: 'wait: must be a duration such as 500ms, 30s, 5m or 1h' },
    })
    const missing = await reportOf([step({ value: '{{ nope }}' })])
    expect(missing.steps[0]).toMatchObject({ outcome: 'failed', error: { reason: 'missing-value' } })
    expect(await outcomes([step({ value: '{{ nope | default: "x" }}' })])).toEqual(['succeeded', 'succeeded'])
  })

  it('never takes text of the event for a template', async () => {
    let seen = ''
    await reportOf(
      [probe(({ value }) => void (seen = value))({ value: '{{ output }} {{ output | upcase }}' })],
      {},
      alert({ output: '{{ rule }}{% if true %}' }),
    )
    expect(seen).toBe('{{ rule }}{% if true %} {{ RULE }}{% IF TRUE %}')
  })

  it('knows the earlier steps in `if` and in templates', async () => {
    const first = probe(() => ({ summary: 's', output: 'hello', objects: { pod: 'web-1' } }))
    const seen: string[] = []
    const second = probe(({ value }) => void seen.push(value))
    const report = await reportOf([
      { action: first({}), id: 'a' },
      {
        action: second({ value: '{{ steps.a.output }} {{ steps.a.objects.pod }}' }),
        id: 'b',
        if: 'steps.a.outcome = succeeded and steps.a.objects.pod = web-1',
      },
      { action: second({}), id: 'c', if: 'steps.a.outcome = failed' },
      { action: second({ value: '{{ steps.c.outcome }}' }), id: 'd', if: 'steps.c.outcome = skipped' },
    ])
    expect(seen).toEqual(['hello web-1', 'skipped'])
    expect(report.steps.map(({ id, outcome }) => [id, outcome])).toEqual([
      ['a', 'succeeded'],
      ['b', 'succeeded'],
      ['c', 'skipped'],
      ['d', 'succeeded'],
    ])
  })

  it('without an id is named after its action', async () => {
    expect((await reportOf([ok, ok, ok])).steps.map(({ id }) => id)).toEqual([
      'test-probe',
      'test-probe-2',
      'test-probe-3',
    ])
  })
})

describe('outcomes', () => {
  it.each([
    ['succeeded', [ok], ['succeeded', 'succeeded']],
    ['failed by any error', [throws(new Error('x'))], ['failed', 'failed']],
    ['failed by what is not an error', [throws('x')], ['failed', 'failed']],
    ['refused', [throws(refuse('r'))], ['refused', 'refused']],
    ['gone, which is a success', [throws(new YarakError('gone', 'no pod'))], ['gone', 'gone']],
    ['gone, then succeeded', [throws(new YarakError('gone', 'no pod')), ok], ['succeeded', 'gone', 'succeeded']],
    ['unknown', [throws(new YarakError('unknown', 'lost')), ok], ['unknown', 'unknown', 'skipped']],
    ['skipped', [{ action: ok, if: 'rule = other' }], ['skipped', 'skipped']],
    ['nothing to do', [], ['skipped']],
    ['stop on an error', [throws(new Error('x')), ok], ['failed', 'failed', 'skipped']],
    [
      'go on after an error, which is not hidden',
      [{ action: throws(new Error('x')), onError: 'continue' as const }, ok],
      ['failed', 'failed', 'succeeded'],
    ],
  ])('%s', async (_what, steps, expected) => {
    expect(await outcomes(steps)).toEqual(expected)
  })

  it('times out at the step’s limit, also when the action does not listen', async () => {
    let signal: AbortSignal | undefined
    const deaf = probe((_params, step) => {
      signal = step.signal
      return gate().promise
    })
    const report = await reportOf([{ action: deaf({}), timeout: '20ms' }])
    expect(report.steps[0]).toMatchObject({
      outcome: 'timed_out',
      error: { code: 'timed_out', reason: 'timeout' },
      summary: 'not done after 0.02 s',
    })
    expect(signal?.aborted).toBe(true)
  })
})

describe('retries', () => {
  const failing = (times: number, error: () => unknown): { run: Run; attempts: number[] } => {
    const attempts: number[] = []
    return {
      attempts,
      run: (_params, { attempt }) => {
        attempts.push(attempt)
        if (attempt <= times) throw error()
        return 'at last'
      },
    }
  }

  it('try again what may pass, at the time the other side asked', async () => {
    const { run, attempts } = failing(2, () => new YarakError('failed', 'busy', { retryAfter: 1 }))
    const report = await reportOf([{ action: probe(run)({}), retries: 2 }])
    expect(report.steps[0]).toMatchObject({ outcome: 'succeeded', attempts: 3, summary: 'at last' })
    expect(attempts).toEqual([1, 2, 3])
    expect(spans.one('action test:probe').events).toEqual(
      [1, 2].map((n) => ({ name: 'retry', attributes: { 'yarak.attempt': n, 'yarak.reason': 'busy' } })),
    )
  })

  it('end after their number', async () => {
    const { run } = failing(9, () => new YarakError('failed', 'busy', { retryAfter: 1 }))
    expect((await reportOf([{ action: probe(run)({}), retries: 1 }])).steps[0]).toMatchObject({
      outcome: 'failed',
      attempts: 2,
    })
  })

  it.each(['permanent', 'gone', 'refused', 'unknown'])('never repeat what is %s', async (kind) => {
    const error =
      kind === 'permanent' ? new YarakError('failed', 'no', { permanent: true }) : new YarakError(kind as 'gone', 'no')
    const { run, attempts } = failing(9, () => error)
    await reportOf([{ action: probe(run)({}), retries: 5 }])
    expect(attempts).toEqual([1])
  })
})

describe('guards and modes', () => {
  const pod = (namespace: string): Subject => ({
    ...{ kind: 'Pod', key: `pod/${namespace}/web-1`, namespace, name: 'web-1' },
    ...{ labels: {}, owners: [] },
  })
  const changing = (subject: () => Promise<Subject | undefined>, run: Run = () => 'changed', more: object = {}) =>
    probe(run, { type: 'test:change', changes: 'destructive', target: subject, ...more })({})

  it.each([
    ['a protected namespace', async () => pod('kube-system'), 'protected-namespace'],
    [
      'a protected namespace itself',
      async () => ({ kind: 'Namespace', key: 'n', name: 'kube-system' }),
      'protected-namespace',
    ],
    ['no target', async () => undefined, 'no-target'],
  ])('refuse a change of %s, in both modes', async (_what, subject, reason) => {
    for (const mode of ['observe', 'enforce'] as const) {
      let ran = false
      const report = await reportOf([changing(subject, () => (ran = true))], { mode })
      expect(report).toMatchObject({ outcome: 'refused', steps: [{ error: { code: 'refused', reason } }] })
      expect(ran).toBe(false)
    }
    expect(
      spans
        .all()
        .filter(({ name }) => name === 'action test:change')
        .map(({ events }) => events),
    ).toMatchObject(
      [0, 1].map(() => [{ name: 'guard', attributes: { 'yarak.verdict': 'refused', 'yarak.reason': reason } }]),
    )
  })

  it('a rule file cannot lift a guard, the options can name more', async () => {
    const report = await reportOf([changing(async () => pod('payments'))], {
      guards: { protectedNamespaces: ['payments'] },
    })
    expect(report.outcome).toBe('refused')
  })

  it('observe runs what changes nothing, and shows the rest, so that later steps are shown too', async () => {
    const ran: string[] = []
    const report = await reportOf(
      [
        { action: probe(() => void ran.push('looked'))({}), id: 'look' },
        {
          action: changing(
            async () => pod('shop'),
            () => void ran.push('changed'),
          ),
          id: 'change',
        },
        { action: probe(() => void ran.push('after'))({}), if: 'steps.change.outcome = succeeded' },
      ],
      { mode: 'observe' },
    )
    expect(ran).toEqual(['looked', 'after'])
    expect(report.steps[1]).toMatchObject({
      outcome: 'succeeded',
      simulated: true,
      summary: 'would run test:change on pod/shop/web-1 (destructive)',
    })
  })

  it('observe asks an action that can to validate only', async () => {
    const runs: boolean[] = []
    const action = changing(
      async () => pod('shop'),
      (_params, { dryRun, mode }) => void runs.push(dryRun && mode === 'observe'),
      { dryRun: true },
    )
    expect(await reportOf([action], { mode: 'observe' })).toMatchObject({
      outcome: 'succeeded',
      steps: [{ simulated: true }],
    })
    await reportOf([action])
    expect(runs).toEqual([true, false])
  })

  it('observe tells what is not verified when there is no cluster, and the guard still judges the claim', async () => {
    const away = async () => {
      throw new YarakError('unavailable', 'no cluster')
    }
    const shown = await reportOf([changing(away)], { mode: 'observe' })
    expect(shown.steps[0]).toMatchObject({
      simulated: true,
      summary: 'would run test:change on pod/shop/web-1 (destructive; not verified: no cluster)',
    })
    const fields = { 'k8s.ns.name': 'kube-system', 'k8s.pod.name': 'dns' }
    expect(
      (await reportOf([changing(away)], { mode: 'observe' }, alert({ output_fields: fields }))).steps[0],
    ).toMatchObject({ error: { reason: 'protected-namespace' } })
    expect((await reportOf([changing(away)], { mode: 'enforce' })).steps[0]).toMatchObject({ outcome: 'failed' })
  })

  it('the target is looked up once for a chain', async () => {
    let looked = 0
    const subject = async () => {
      looked++
      return pod('shop')
    }
    await reportOf([changing(subject), changing(subject)])
    expect(looked).toBe(1)
  })

  it('an action’s change may depend on its settings', async () => {
    const action = probe(() => 'ran', {
      changes: (({ value }: { value: string }) => (value === 'w' ? 'reversible' : 'nothing')) as never,
    })
    const report = await reportOf([action({ value: 'r' }), action({ value: 'w' })], { mode: 'observe' })
    expect(report.steps.map(({ simulated }) => simulated ?? false)).toEqual([false, true])
  })
})

describe('the trace', () => {
  const caller = probe(async (_params, step) => {
    await step.call({ name: 'GET /x/{id}', attributes: { 'http.request.method': 'GET' } }, async (call) => {
      call.set('http.response.status_code', 200)
      expect(call.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    })
    return 'called'
  })({})

  it('has the shape of a response, in one trace, under the sender’s span', async () => {
    const gateway = answering([{ action: caller, id: 'call' }, throws(refuse('because'))])
    const parent = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
    const { done } = await gateway.emit(alert({ hostname: 'n1', tags: ['t'] }), {
      headers: parent,
      span: { name: 'POST /', kind: 'server' },
    })
    const [report] = await done
    await gateway.stop()
    expect(spans.shape()).toBe(
      [
        'POST /',
        '  match',
        '  respond all',
        '    action test:probe',
        '      GET /x/{id}',
        '    action test:probe',
      ].join('\n'),
    )
    expect(new Set(spans.all().map(({ traceId }) => traceId))).toEqual(new Set(['0af7651916cd43dd8448eb211c80319c']))
    expect(report?.traceId).toBe('0af7651916cd43dd8448eb211c80319c')
    expect(spans.one('POST /')).toMatchObject({
      kind: 'server',
      parentId: 'b7ad6b7169203331',
      attributes: {
        'yarak.input': 'host',
        'yarak.matched': 1,
        'security_rule.name': 'Terminal shell in container',
        'falco.priority': 'Notice',
        'falco.source': 'syscall',
        'falco.hostname': 'n1',
        'falco.tags': ['t'],
      },
    })
    expect(spans.one('match').attributes).toEqual({ 'yarak.rules.evaluated': 1, 'yarak.rules.matched': ['all'] })
    expect(spans.one('respond all')).toMatchObject({
      kind: 'internal',
      failed: true,
      attributes: {
        'yarak.rule': 'all',
        'yarak.response.id': report?.id,
        'yarak.mode': 'enforce',
        'yarak.outcome': 'refused',
        'error.type': 'because',
        'k8s.namespace.name': 'shop',
        'k8s.pod.name': 'web-1',
      },
    })
    expect(spans.one('GET /x/{id}')).toMatchObject({
      kind: 'client',
      attributes: { 'http.request.method': 'GET', 'http.response.status_code': 200 },
    })
    const refused = spans
      .all()
      .find(({ attributes }) => attributes['error.type'] === 'because' && attributes['yarak.step'])
    expect(refused).toMatchObject({
      failed: true,
      attributes: { 'yarak.step': 'test-probe', 'yarak.action': 'test:probe', 'yarak.outcome': 'refused' },
    })
  })

  it('never holds fields of the event that may be secrets', async () => {
    await reportOf(
      [ok],
      {},
      alert({ output: 'secret-1', output_fields: { 'proc.cmdline': 'secret-2', 'proc.env': 'secret-3' } }),
    )
    expect(JSON.stringify(spans.all())).not.toMatch(/secret-/)
  })

  it('`respond` stays open until its steps have ended', async () => {
    await reportOf([caller, caller])
    const respond = spans.one('respond all')
    for (const child of spans.all().filter(({ parentId }) => parentId === respond.spanId)) {
      expect(child.start).toBeGreaterThanOrEqual(respond.start - 1)
      expect(child.end).toBeLessThanOrEqual(respond.end + 1)
    }
  })
})

it('runs no more of one action at a time than the limit', async () => {
  let running = 0
  let most = 0
  const step = probe(async () => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 5))
    running--
  })
  const gateway = createGateway({
    mode: 'enforce',
    rules: [{ name: 'r', parallel: true, steps: [step({})] }],
    limits: { perAction: 3 },
  })
  const receipts = await Promise.all(Array.from({ length: 20 }, () => gateway.emit(alert())))
  await Promise.all(receipts.map(({ done }) => done))
  await gateway.stop()
  expect(most).toBe(3)
})
