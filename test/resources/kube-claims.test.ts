import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Claim, Claims, LiveClaim } from '../../src/plugin.ts'
import { agreementIn } from '../../src/resources/_kube-agreement.ts'
import { claimsOf } from '../../src/resources/_kube-claims.ts'
import { kubernetes } from '../../src/resources/kubernetes.ts'
import { testIo } from '../../src/testing.ts'
import { type FakeCluster, fakeCluster, status } from '../fake-cluster.ts'

const claim = (more: Partial<Claim> = {}): Claim => ({
  ...{ holder: 'one', lasts: 15_000, settled: false, facts: '{"begun":{}}' },
  ...more,
})

describe('claims as Leases', () => {
  let cluster: FakeCluster
  let claims: Claims
  let close: () => Promise<void>

  beforeEach(async () => {
    cluster = await fakeCluster()
    const io = testIo()
    const opened = await kubernetes.open(kubernetes.config.parse({ kubeconfig: cluster.kubeconfig }), io)
    close = () => opened.close()
    const { send } = opened.as(io)
    claims = claimsOf({ namespace: 'yarak', send })
  })
  afterEach(async () => {
    await close()
    await cluster.close()
  })

  it('are made once', async () => {
    expect(await claims.read('r1')).toBeUndefined()
    const version = await claims.create('r1', claim())
    expect(version).toBeDefined()
    expect(await claims.create('r1', claim({ holder: 'two' }))).toBeUndefined()
    expect(await claims.read('r1')).toEqual({ ...claim(), version })
    expect(cluster.get('Lease', 'yarak', 'yarak-response-r1')).toMatchObject({
      apiVersion: 'coordination.k8s.io/v1',
      metadata: { labels: { 'yarak.dev/response': 'r1' }, annotations: { 'yarak.dev/facts': '{"begun":{}}' } },
      spec: { holderIdentity: 'one', leaseDurationSeconds: 15 },
    })
  })

  it('are changed only by who knows the last version', async () => {
    const first = (await claims.create('r1', claim())) ?? ''
    const second = await claims.replace('r1', claim({ facts: '{"a":1}' }), first)
    expect(second).not.toBe(first)
    expect(await claims.replace('r1', claim({ holder: 'two' }), first)).toBeUndefined()
    expect(await claims.read('r1')).toMatchObject({ holder: 'one', facts: '{"a":1}', version: second })
  })

  it('that are gone cannot be changed', async () => {
    expect(await claims.replace('r9', claim(), '1')).toBeUndefined()
  })

  it('are settled, listed page by page, and removed unless they were changed', async () => {
    for (let i = 0; i < 230; i++) await claims.create(`r${i}`, claim({ settled: i % 2 === 0 }))
    cluster.add('Lease', { metadata: { name: 'yarak-undo', namespace: 'yarak' } })
    const listed: (LiveClaim & { readonly id: string })[] = []
    for await (const one of claims.list()) listed.push(one)
    expect(listed).toHaveLength(230)
    expect(listed.find(({ id }) => id === 'r4')).toMatchObject({ settled: true })
    expect(listed.find(({ id }) => id === 'r5')).toMatchObject({ settled: false })
    const [one] = listed
    await claims.remove(one?.id ?? '', 'another')
    expect(await claims.read(one?.id ?? '')).toBeDefined()
    await claims.remove(one?.id ?? '', one?.version ?? '')
    expect(await claims.read(one?.id ?? '')).toBeUndefined()
    await claims.remove(one?.id ?? '', one?.version ?? '')
  })

  it('that nobody may see, or that no server answers for, are an error as it came', async () => {
    cluster.override = () => status(403, 'Forbidden', 'leases is forbidden')
    await expect(claims.read('r1')).rejects.toMatchObject({ code: 'refused', reason: 'forbidden' })
    cluster.override = () => 'cut'
    await expect(claims.create('r1', claim())).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('are open for the taking when nobody has them', async () => {
    const version = (await claims.create('r1', claim())) ?? ''
    await claims.replace('r1', claim({ holder: '' }), version)
    expect(await claims.read('r1')).toMatchObject({ holder: '' })
  })
})

describe('who leads', () => {
  let cluster: FakeCluster
  const closing: (() => Promise<void>)[] = []
  beforeEach(async () => {
    cluster = await fakeCluster()
  })
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()))
    await cluster.close()
  })

  const join = async (who: string, lasts = 400) => {
    const io = testIo({ env: { POD_NAME: who } })
    const opened = await kubernetes.open(kubernetes.config.parse({ kubeconfig: cluster.kubeconfig }), io)
    closing.push(() => opened.close())
    const stop = new AbortController()
    const states: string[] = []
    const { lead } = agreementIn(opened, io, lasts)
    const run = (work?: (signal: AbortSignal) => Promise<void>) =>
      lead(
        'input-file/Falco',
        stop.signal,
        work ??
          (async (signal) => {
            states.push('leads')
            await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
            states.push('over')
          }),
        () => void (states.at(-1) === 'waits' || states.push('waits')),
      )
    return { run, states, stop: () => stop.abort() }
  }
  const lease = () => cluster.get('Lease', 'default', 'yarak-input-file-falco')

  it('is one; the other waits, and leads as soon as that one lets go', async () => {
    const [one, two] = [await join('one'), await join('two')]
    const first = one.run()
    await expect.poll(() => one.states).toEqual(['leads'])
    const second = two.run()
    await expect.poll(() => two.states).toEqual(['waits'])
    expect(lease()?.spec).toMatchObject({ holderIdentity: expect.stringMatching(/^one_/) as string })
    one.stop()
    await first
    expect(one.states).toEqual(['leads', 'over'])
    await expect.poll(() => two.states).toEqual(['waits', 'leads'])
    two.stop()
    await second
  })

  it('stops when it cannot renew, and leads again when it can', async () => {
    const one = await join('one')
    const first = one.run().catch((error: unknown) => error)
    await expect.poll(() => one.states).toEqual(['leads'])
    let down = true
    cluster.override = ({ method }) => (down && method === 'PUT' ? 'cut' : undefined)
    await expect.poll(() => one.states).toEqual(['leads', 'over'])
    await expect(first).resolves.toMatchObject({ code: 'unavailable' })
    down = false
    const again = one.run()
    await expect
      .poll(() => one.states.filter((state) => state !== 'waits').slice(2), { timeout: 10_000 })
      .toEqual(['leads'])
    one.stop()
    await again
  })

  it('is asked for no more when its work has ended by itself', async () => {
    const one = await join('one')
    await one.run(async () => {})
    expect(lease()?.spec).toMatchObject({ holderIdentity: '' })
  })

  it('fails as its work does, and lets go', async () => {
    const one = await join('one')
    await expect(one.run(() => Promise.reject(new Error('no file')))).rejects.toThrow('no file')
    expect(lease()?.spec).toMatchObject({ holderIdentity: '' })
  })

  it('is nobody who may not ask', async () => {
    cluster.override = () => status(403, 'Forbidden', 'leases is forbidden')
    const one = await join('one')
    await expect(one.run()).rejects.toMatchObject({ reason: 'forbidden' })
    expect(one.states).toEqual([])
  })
})
