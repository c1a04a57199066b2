/** Reading the notes of a cluster, and who of several processes leads. */
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Undos } from '../../src/plugin.ts'
import { kubernetes, noteName } from '../../src/resources/kubernetes.ts'
import { type FakeCluster, fakeCluster, status } from '../fake-cluster.ts'
import { aStep } from '../actions/step.ts'

const PODS = { apiVersion: 'v1', resource: 'pods' }
const NODES = { apiVersion: 'v1', resource: 'nodes' }
const NOTE = noteName('test:mark', 'a')

const aNote = (more: object = {}) => ({
  ...{ action: 'test:mark', rule: 'r', response: 'resp', step: 's', at: '2026-11-23T08:00:00.000Z' },
  ...{ prior: { a: null }, made: { a: '1' } },
  ...more,
})

const noted = (name: string, annotations: Record<string, string> = { [NOTE]: JSON.stringify(aNote()) }) => ({
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, labels: { 'yarak.dev/response': 'resp' }, annotations },
})

const setUp = async (settings: object = {}) => {
  const cluster = await fakeCluster()
  onTestFinished(() => cluster.close())
  return { cluster, ...(await connect(cluster, settings)) }
}

/** One process with its own connection. */
const connect = async (cluster: FakeCluster, settings: object = {}, hostname = 'yarak-0') => {
  const resources = { kubernetes: { kubeconfig: cluster.kubeconfig, ...settings } }
  const { step, lines, spans } = await aStep({ env: { HOSTNAME: hostname }, resources })
  const undos = kubernetes.undos?.(await step.use(kubernetes), step) as Undos
  return { undos, lines, spans }
}

describe('the list', () => {
  it('has each note on each object, and nothing else that looks like one', async () => {
    const { cluster, undos } = await setUp()
    const other = noteName('test:mark', 'b')
    cluster.add('Pod', noted('one', { [NOTE]: JSON.stringify(aNote()), [other]: JSON.stringify(aNote({ step: 't' })) }))
    cluster.add('Pod', noted('bare', {}))
    cluster.add('Pod', {
      ...noted('unmarked'),
      metadata: { ...noted('unmarked').metadata, labels: {} },
    })
    const forged = [
      '',
      'null',
      '[]',
      '{',
      '"x"',
      JSON.stringify(aNote({ at: 1 })),
      JSON.stringify(aNote({ prior: null })),
    ]
    const more = [
      JSON.stringify(aNote({ expires: 'soon' })),
      JSON.stringify(aNote({ made: [] })),
      JSON.stringify(aNote({ traceparent: {} })),
    ]
    cluster.add(
      'Pod',
      noted('forged', Object.fromEntries([...forged, ...more].map((text, i) => [`yarak.dev/undo.${i}`, text]))),
    )
    const found = await undos.list([PODS])
    expect(found.map(({ note, step }) => [note, step])).toEqual([
      [NOTE, 's'],
      [other, 't'],
    ])
    expect(found[0]).toEqual({
      ...aNote(),
      note: NOTE,
      object: { ...PODS, kind: 'Pod', namespace: 'shop', name: 'one', uid: 'uid-one' },
    })
  })

  it('is read page by page, and leaves no span', async () => {
    const { cluster, undos, spans } = await setUp()
    for (let i = 0; i < 1_001; i++) cluster.add('Pod', noted(`pod-${i}`))
    expect(await undos.list([PODS])).toHaveLength(1_001)
    expect(cluster.requests.map(({ query }) => query.limit)).toEqual(['500', '500', '500'])
    expect(spans).toEqual([])
  })

  it('is of all kinds, also of those without a namespace', async () => {
    const { cluster, undos } = await setUp()
    cluster.add('Pod', noted('pod'))
    const { namespace: _, ...metadata } = noted('node').metadata
    cluster.add('Node', { metadata })
    const found = await undos.list([PODS, NODES])
    expect(found.map(({ object: { kind, name, namespace } }) => [kind, name, namespace])).toEqual([
      ['Pod', 'pod', 'shop'],
      ['Node', 'node', undefined],
    ])
  })

  it('is of the namespaces that are set', async () => {
    const { cluster, undos } = await setUp({ namespaces: ['shop', 'bank'] })
    cluster.add('Pod', noted('pod'))
    expect(await undos.list([PODS, NODES])).toHaveLength(1)
    expect(cluster.requests.map(({ path }) => path).sort()).toEqual([
      '/api/v1/namespaces/bank/pods',
      '/api/v1/namespaces/shop/pods',
      '/api/v1/nodes',
    ])
  })

  it('leaves out a kind that the cluster does not have, or that may not be listed; that is said once', async () => {
    const { cluster, undos, lines } = await setUp()
    cluster.add('Pod', noted('pod'))
    cluster.override = ({ path }) =>
      path === '/api/v1/nodes' ? status(403, 'Forbidden', 'nodes is forbidden') : undefined
    const kinds = [PODS, NODES, { apiVersion: 'nowhere.example/v1', resource: 'things' }]
    expect(await undos.list(kinds)).toHaveLength(1)
    expect(await undos.list(kinds)).toHaveLength(1)
    expect(lines.map(({ level, fields }) => [level, (fields as { resource: string }).resource])).toEqual([
      ['info', 'nodes'],
    ])
  })

  it('that the server does not give is an error', async () => {
    const { cluster, undos } = await setUp()
    cluster.override = () => status(500, 'InternalError', 'no')
    await expect(undos.list([PODS])).rejects.toMatchObject({ code: 'failed', reason: '500' })
  })
})

describe('leading', () => {
  /** Leads until stopped; counts how often it was called. */
  const leading = ({ undos }: { undos: Undos }, work: (signal: AbortSignal) => Promise<void> = async () => {}) => {
    const stop = new AbortController()
    const count = { calls: 0 }
    const ended = undos.lead(20, stop.signal, async (signal) => {
      count.calls++
      await work(signal)
    })
    const end = async () => {
      stop.abort()
      await ended
    }
    onTestFinished(end)
    return { count, end }
  }
  const holder = (cluster: FakeCluster): string =>
    (cluster.get('Lease', 'default', 'yarak-undo')?.spec?.holderIdentity as string | undefined) ?? ''

  it('is done by one, again and again, and by another once that one stops', async () => {
    const one = await setUp()
    const two = await connect(one.cluster, {}, 'yarak-1')
    const first = leading(one)
    await expect.poll(() => first.count.calls).toBeGreaterThan(2)
    expect(holder(one.cluster)).toMatch(/^yarak-0_/)
    const second = leading(two)
    await expect.poll(() => one.cluster.requests.length).toBeGreaterThan(20)
    expect(second.count.calls).toBe(0)
    await first.end()
    await expect.poll(() => second.count.calls).toBeGreaterThan(0)
    await expect.poll(() => holder(one.cluster)).toMatch(/^yarak-1_/)
  })

  it('goes on after work that failed, and says once that it does, and once that it does not any more', async () => {
    const one = await setUp()
    const { count } = leading(one, async () => {
      if (count.calls < 4) throw new Error('no luck')
    })
    await expect.poll(() => one.lines.length).toBe(2)
    expect(one.lines.map(({ level }) => level)).toEqual(['warn', 'info'])
  })

  it('cuts work short before another could lead', async () => {
    const one = await setUp()
    let cut = 0
    leading(one, (signal) => new Promise((done) => signal.addEventListener('abort', () => done(void cut++))))
    await expect.poll(() => cut).toBeGreaterThan(1)
  })

  it('is done by everybody who may use no lease, which is said once', async () => {
    const one = await setUp()
    one.cluster.override = ({ path }) =>
      path.includes('/leases') ? status(403, 'Forbidden', 'leases is forbidden') : undefined
    const { count, end } = leading(one)
    await expect.poll(() => count.calls).toBeGreaterThan(3)
    await end()
    expect(one.lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'whether another replica undoes changes is not known, so this one does'],
    ])
    expect(one.cluster.requests.filter(({ path }) => path.includes('/leases'))).toHaveLength(1)
  })

  it('waits while the server does not answer', async () => {
    const one = await setUp()
    let down = true
    one.cluster.override = () => (down ? status(503, 'ServiceUnavailable', 'down') : undefined)
    const { count } = leading(one)
    await expect.poll(() => one.cluster.requests.length).toBeGreaterThan(2)
    expect(count.calls).toBe(0)
    down = false
    await expect.poll(() => count.calls).toBeGreaterThan(0)
  })
})
