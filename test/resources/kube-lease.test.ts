import { describe, expect, it } from 'vitest'
import { YarakError } from '../../src/errors.ts'
import { candidate } from '../../src/resources/_kube-lease.ts'
import type { RawRequest } from '../../src/resources/_kube-raw.ts'

interface Lease {
  metadata: { name: string; resourceVersion: string }
  spec: {
    holderIdentity: string
    leaseDurationSeconds: number
    acquireTime: string
    renewTime: string
    leaseTransitions: number
  }
}

const conflict = () => new YarakError('failed', 'the object has been modified', { reason: 'conflict' })

/** One Lease, on a server that checks versions; `clock` is what each candidate's clock is at. */
const world = () => {
  let lease: Lease | undefined
  let version = 0
  const requests: RawRequest[] = []
  const clock = { now: 0 }
  const send = async (request: RawRequest): Promise<unknown> => {
    requests.push(request)
    const body = structuredClone(request.body) as Lease | undefined
    if (request.method === 'GET') {
      if (!lease) throw new YarakError('gone', 'no such lease', { permanent: true, reason: 'not-found' })
      return structuredClone(lease)
    }
    if (request.method === 'POST' && lease)
      throw new YarakError('failed', 'it is there', { permanent: true, reason: 'already-exists' })
    if (request.method === 'PUT' && body?.metadata.resourceVersion !== lease?.metadata.resourceVersion) throw conflict()
    if (body) lease = { ...body, metadata: { ...body.metadata, resourceVersion: String(++version) } }
    return lease
  }
  const join = (who: string, at: { now: number } = clock) =>
    candidate({ namespace: 'yarak', name: 'yarak-undo', who, duration: 3_000, send, now: () => at.now })
  return { join, clock, requests, lease: () => lease, send }
}

describe('a lease', () => {
  it('is made by the first, who then has it', async () => {
    const { join, lease, requests } = world()
    expect(await join('one').hold()).toBe(true)
    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /apis/coordination.k8s.io/v1/namespaces/yarak/leases/yarak-undo',
      'POST /apis/coordination.k8s.io/v1/namespaces/yarak/leases',
    ])
    expect(lease()).toMatchObject({
      metadata: { name: 'yarak-undo' },
      spec: { leaseDurationSeconds: 3, leaseTransitions: 0 },
    })
    expect(lease()?.spec.holderIdentity).toMatch(/^one_[0-9a-f-]{36}$/)
    expect(lease()?.spec.renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  })

  it('is renewed by whoever has it, and not had by another meanwhile', async () => {
    const { join, clock, lease } = world()
    const [one, two] = [join('one'), join('two')]
    await one.hold()
    const begun = lease()?.spec.acquireTime
    for (clock.now = 0; clock.now < 20_000; clock.now += 1_000)
      expect([await one.hold(), await two.hold()]).toEqual([true, false])
    expect(lease()?.spec).toMatchObject({ acquireTime: begun, leaseTransitions: 0 })
  })

  it('is taken over when it has not been renewed for as long as it says, seen on the own clock', async () => {
    const { join, clock, lease } = world()
    await join('one').hold()
    const two = join('two')
    clock.now = 1_000_000
    expect(await two.hold()).toBe(false)
    clock.now += 2_999
    expect(await two.hold()).toBe(false)
    clock.now += 1
    expect(await two.hold()).toBe(true)
    expect(lease()?.spec.holderIdentity).toMatch(/^two_/)
    expect(lease()?.spec.leaseTransitions).toBe(1)
  })

  it('is lost by one that slept too long', async () => {
    const { join, clock } = world()
    const [one, two] = [join('one'), join('two')]
    await one.hold()
    await two.hold()
    clock.now += 3_000
    expect([await two.hold(), await one.hold()]).toEqual([true, false])
  })

  it('is had by one only when several ask at the same time', async () => {
    const { join, clock } = world()
    const all = Array.from({ length: 5 }, (_, i) => join(`c${i}`))
    expect((await Promise.all(all.map((one) => one.hold()))).filter(Boolean)).toHaveLength(1)
    await Promise.all(all.map((one) => one.hold()))
    clock.now += 3_000
    expect((await Promise.all(all.map((one) => one.hold()))).filter(Boolean)).toHaveLength(1)
  })

  it('is free at once when it is released, and only by whoever has it', async () => {
    const { join } = world()
    const [one, two] = [join('one'), join('two')]
    await one.hold()
    await two.release()
    expect(await two.hold()).toBe(false)
    await one.release()
    expect(await two.hold()).toBe(true)
  })

  it('that cannot be asked for is an error as it came, and releasing it none', async () => {
    const { join } = world()
    const { send } = world()
    const down = new YarakError('unavailable', 'down')
    const one = candidate({
      ...{ namespace: 'n', name: 'l', who: 'w', duration: 1, now: () => 0 },
      send: async (request) => (request.method === 'GET' ? send(request) : Promise.reject(down)),
    })
    await expect(one.hold()).rejects.toBe(down)
    await expect(one.release()).resolves.toBeUndefined()
    expect(await join('x').hold()).toBe(true)
  })
})
