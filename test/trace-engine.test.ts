/** The trace of a response as a whole: who is whose child, for how long, and what points to what. */
import { propagation } from '@opentelemetry/api'
import { describe, expect, it } from 'vitest'
import type { AuditEntry } from '../src/audit.ts'
import { fnv128 } from '../src/fnv.ts'
import { createGateway, type GatewayOptions, YarakError } from '../src/index.ts'
import type { Subject } from '../src/plugin.ts'
import { createTracing } from '../src/telemetry.ts'
import type { SpanRecord } from '../src/trace-tree.ts'
import { about, alert, answering, gate, probe, sink } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()

const POD: Subject = {
  ...{ kind: 'Pod', key: 'pod/shop/web-1', namespace: 'shop', name: 'web-1', uid: 'u-1', node: 'node-3', labels: {} },
  owners: [
    { kind: 'ReplicaSet', name: 'web-5d' },
    { kind: 'Deployment', name: 'web' },
    { kind: 'Rollout', name: 'web-r' },
  ],
}

const pod = async (): Promise<Subject> => POD

/** Audits into a list. */
const record = () => {
  const entries: AuditEntry[] = []
  return { entries, audit: { append: (entry: AuditEntry) => void entries.push(entry) } }
}

/** Those that ended before one of their children, but for receptions: these end when the event is accepted. */
const outlived = (): string[] => {
  const all = spans.all()
  const byId = new Map(all.map((span) => [span.spanId, span]))
  return all.flatMap((span): string[] => {
    const parent = byId.get(span.parentId ?? '')
    return parent && parent.end < span.end ? [`${parent.name} > ${span.name}`] : []
  })
}

describe('a response', () => {
  it('stays open until its steps have ended and its outputs have been told', async () => {
    const slow = gate()
    const { use } = sink(([notice]) => (notice?.report ? slow.promise : undefined))
    const gateway = answering([probe(() => 'did it')({})], { outputs: [{ output: use, tell: 'both' }] })
    const { done } = await gateway.emit(alert())
    await expect.poll(() => spans.all().map(({ name }) => name)).toContain('action test:probe')
    expect(spans.all().map(({ name }) => name)).not.toContain('respond all')
    slow.resolve()
    await done
    await gateway.stop()
    expect(spans.shape()).toBe(
      ['receive host', '  match', '  notify sink', '  respond all', '    action test:probe', '    notify sink'].join(
        '\n',
      ),
    )
    expect(outlived().filter((pair) => !pair.startsWith('receive'))).toEqual([])
  })

  it('tells which container and workload it is about', async () => {
    const fields = { 'container.id': 'abcdef012345', 'container.name': 'web', 'container.image.repository': 'acme/web' }
    const gateway = answering([probe(() => 'x', { changes: 'reversible', target: pod })({})])
    const { output_fields } = alert()
    await (
      await gateway.emit(alert({ output_fields: { ...output_fields, ...fields } }))
    ).done
    await gateway.stop()
    expect(spans.one('respond all').attributes).toMatchObject({
      ...{ 'k8s.namespace.name': 'shop', 'k8s.pod.name': 'web-1', 'container.id': 'abcdef012345' },
      ...{ 'container.name': 'web', 'container.image.name': 'acme/web' },
    })
    const { attributes } = spans.one('action test:probe')
    expect(attributes).toMatchObject({
      ...{ 'k8s.node.name': 'node-3', 'k8s.replicaset.name': 'web-5d', 'k8s.deployment.name': 'web' },
    })
    expect(Object.keys(attributes)).not.toContain('k8s.rollout.name')
  })

  it('tells what the guard allowed, and nothing of a step that changes nothing', async () => {
    const gateway = answering([
      { action: probe(() => 'x', { changes: 'reversible', target: pod })({}), id: 'change' },
      { action: probe(() => 'x')({}), id: 'look' },
    ])
    await (
      await gateway.emit(alert())
    ).done
    await gateway.stop()
    const events = Object.fromEntries(spans.all().map((span) => [span.attributes['yarak.step'], span.events]))
    expect(events).toMatchObject({
      change: [{ name: 'guard', attributes: { 'yarak.verdict': 'allowed', 'yarak.subject': POD.key } }],
      look: [],
    })
  })
})

describe('a batch', () => {
  const batched = async (send: Parameters<typeof sink>[0], count: number): Promise<SpanRecord[]> => {
    const { use } = sink(send, { batch: 10, linger: 60_000 })
    const gateway = createGateway({ outputs: [{ output: use, batch: { count }, retryFor: '0s' }] })
    const receipts = await Promise.all(Array.from({ length: count }, (_, i) => gateway.emit(about(`web-${i}`))))
    await Promise.all(receipts.map(({ done }) => done))
    await gateway.stop()
    return spans.all()
  }
  const ids = (all: readonly SpanRecord[]): Set<string> => new Set(all.map(({ spanId }) => spanId))

  it('is a span that points to each of its notices, and they to it', async () => {
    const all = await batched(() => {}, 3)
    const send = spans.one('send sink')
    const notices = all.filter(({ name }) => name === 'notify sink')
    expect(send.attributes).toMatchObject({ 'yarak.output': 'sink', 'messaging.batch.message_count': 3 })
    expect(new Set([send.parentId, ...(send.links ?? [])])).toEqual(ids(notices))
    const others = notices.filter(({ spanId }) => spanId !== send.parentId)
    expect(others.map(({ links }) => links)).toEqual([[send.spanId], [send.spanId]])
    expect(outlived().filter((pair) => !pair.startsWith('receive'))).toEqual([])
  })

  it('that fails says so', async () => {
    await batched(() => {
      throw new YarakError('failed', 'no', { permanent: true, reason: '400' })
    }, 2)
    expect(spans.one('send sink')).toMatchObject({ failed: true, attributes: { 'error.type': '400' } })
  })

  it('of one needs no span of its own', async () => {
    await batched(() => {}, 1)
    expect(spans.all().map(({ name }) => name)).not.toContain('send sink')
  })
})

describe('an event that nobody wants', () => {
  const names = async (options: GatewayOptions, headers: Record<string, string> = {}): Promise<string[]> => {
    const gateway = createGateway(options)
    await gateway.emit(alert(), { headers })
    await gateway.stop()
    return spans.all().map(({ name }) => name)
  }

  it('has no spans', async () => {
    expect(await names({})).toEqual([])
    expect(await names({}, { baggage: 'a=b' })).toEqual([])
  })

  it('has them when its sender traces it, or a setting says so', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    expect(await names({}, { traceparent })).toEqual(['match', 'receive host'])
    expect(spans.one('receive host').parentId).toBe('00f067aa0ba902b7')
    expect(await names({ telemetry: { unmatched: true } })).toHaveLength(4)
  })
})

describe('fields of the event', () => {
  const reception = async (options: GatewayOptions): Promise<SpanRecord['attributes']> => {
    const gateway = answering([probe(() => 'x')({})], options)
    const fields = {
      'proc.name': 'bash',
      'proc.cmdline': 'curl --token s3cret',
      'proc.pid': 7,
      'a.list': ['x', 1],
      none: null,
    }
    await (
      await gateway.emit(alert({ output_fields: fields }))
    ).done
    await gateway.stop()
    const { attributes } = spans.one('receive host')
    return Object.fromEntries(Object.entries(attributes).filter(([name]) => name.startsWith('falco.field.')))
  }

  it('are told when a setting names them, with their type', async () => {
    expect(await reception({ telemetry: { fields: ['proc.name', 'proc.pid', 'a.list', 'none', 'absent'] } })).toEqual({
      'falco.field.proc.name': 'bash',
      'falco.field.proc.pid': 7,
      'falco.field.a.list': '["x",1]',
    })
  })

  it('are not told by default', async () => expect(await reception({})).toEqual({}))

  it('are redacted', async () => {
    const redact = { fields: ['proc.cmdline'] }
    expect(await reception({ telemetry: { fields: ['proc.cmdline'] }, redact })).toEqual({
      'falco.field.proc.cmdline': '[redacted]',
    })
  })
})

describe('a trace of a target', () => {
  const asked = async (options: GatewayOptions, headers = {}): Promise<string[]> => {
    const next: string[] = []
    const gateway = createGateway({ ...options, outputs: [sink().use], traceIds: { next: (id) => void next.push(id) } })
    await gateway.emit(alert(), { headers })
    await gateway.stop()
    return next
  }

  it('asks for the id that Falcosidekick gives the pod, once for each event', async () => {
    expect(await asked({ telemetry: { groupBy: 'target' } })).toEqual([fnv128('shop:web-1')])
  })

  it('leaves a trace that the sender began as it is', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    expect(await asked({ telemetry: { groupBy: 'target' } }, { traceparent })).toEqual([])
  })

  it('is not the default', async () => expect(await asked({})).toEqual([]))
})

describe('the audit record', () => {
  const one = async (
    changes: 'nothing' | 'reversible' | 'destructive',
    more: GatewayOptions = {},
    run = () => 'x' as unknown,
  ) => {
    const { entries, audit } = record()
    const gateway = answering([probe(run, { changes, target: pod })({})], { ...more, audit })
    const { done, id } = await gateway.emit(alert(), { authenticated: 'host' })
    const [report] = await done
    await gateway.stop()
    return { entries, report, id }
  }
  const guards = { protectedNamespaces: ['shop'] }

  it('has a destructive step, with what it was about and how it ended', async () => {
    const { entries, report, id } = await one('destructive')
    expect(entries).toEqual([
      {
        ...{ kind: 'step', who: 'rule all', what: 'test:probe', why: id, verdict: 'succeeded' },
        ...{ target: POD.key, uid: 'u-1', response: report?.id, trace: report?.traceId },
      },
    ])
    const failed = await one('destructive', {}, () => Promise.reject(new YarakError('gone', 'no')))
    expect(failed.entries).toMatchObject([{ kind: 'step', verdict: 'gone' }])
  })

  it('has what the guard stopped', async () => {
    const { entries } = await one('reversible', { guards })
    expect(entries).toMatchObject([{ kind: 'guard', who: 'rule all', verdict: 'protected-namespace', target: POD.key }])
  })

  it('has nothing of what changes nothing, or is only observed', async () => {
    expect((await one('nothing')).entries).toEqual([])
    expect((await one('reversible')).entries).toEqual([])
    expect((await one('destructive', { mode: 'observe' })).entries).toEqual([])
    expect((await one('destructive', { mode: 'observe', guards })).entries).toEqual([])
  })

  it('has a reload, with what it changes, and one that failed, with why', async () => {
    const { entries, audit } = record()
    const gateway = createGateway({ audit })
    await gateway.reload({ outputs: [sink().use] })
    await expect(
      gateway.reload(() => {
        throw new YarakError('config', 'line 3 is wrong')
      }),
    ).rejects.toThrow('line 3')
    await gateway.stop()
    expect(entries).toEqual([
      { kind: 'config', who: 'reload', what: 'generation 2', why: 'output sink added', verdict: 'succeeded' },
      { kind: 'config', who: 'reload', what: 'generation 2', why: 'line 3 is wrong', verdict: 'failed' },
    ])
  })
})

// the last: it takes the propagators away
describe('a span of another process', () => {
  it('is found by its traceparent, whatever the propagators of the host read', () => {
    propagation.disable()
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const tracing = createTracing('1')
    tracing.start('later', { parent: tracing.remote(traceparent) }).end()
    expect(spans.one('later')).toMatchObject({
      ...{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', parentId: '00f067aa0ba902b7' },
    })
    expect(tracing.remote('nonsense').traceId).toBeUndefined()
    expect(tracing.remote(`00-${'0'.repeat(32)}-00f067aa0ba902b7-01`).traceId).toBeUndefined()
  })
})
