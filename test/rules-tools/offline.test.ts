import { describe, expect, it } from 'vitest'
import { podSubject } from '../../src/actions/kubernetes/resolve.ts'
import { believing, claimedSubject, isolated, OutOfReach, subjectOffline } from '../../src/rules-tools/offline.ts'
import { kubernetes } from '../../src/resources/kubernetes.ts'
import type { Io } from '../../src/plugin.ts'

const io = { id: 'x' } as Io

describe('what an event claims to be about', () => {
  it.each([
    [{ key: undefined }, undefined],
    [
      { key: 'pod/a/b', namespace: 'a', pod: 'b', podUid: 'u' },
      { kind: 'Pod', key: 'pod/a/b', namespace: 'a', name: 'b', uid: 'u' },
    ],
    [
      { key: 'container/c', container: 'c', namespace: 'a' },
      { kind: 'Container', key: 'container/c', name: 'c', namespace: 'a' },
    ],
    [
      { key: 'node/n', host: true, node: 'n' },
      { kind: 'Node', key: 'node/n', name: 'n' },
    ],
  ])('of %j is %j', (target, subject) => {
    expect(claimedSubject(target)).toEqual(subject)
  })
})

describe('out of reach', () => {
  it('are the network and every resource but the stand-ins', async () => {
    await expect(isolated(io).http({ url: 'http://x.example' })).rejects.toBeInstanceOf(OutOfReach)
    await expect(isolated(io).use(kubernetes)).rejects.toBeInstanceOf(OutOfReach)
    expect(await isolated(io, new Map([['kubernetes', 'stand-in']])).use(kubernetes)).toBe('stand-in')
  })

  it('a resolver believes the event, but refuses what it refuses without looking', async () => {
    const pod = { key: 'pod/a/b', namespace: 'a', pod: 'b' }
    expect(await subjectOffline(podSubject, pod)).toMatchObject({ kind: 'Pod', name: 'b' })
    expect(await subjectOffline(podSubject, { key: undefined })).toBeUndefined()
    await expect(subjectOffline(podSubject, { key: 'node/n', host: true })).rejects.toMatchObject({
      reason: 'host-process',
    })
    const broken = believing(() => Promise.reject(new Error('broken')))
    await expect(broken(pod, io)).rejects.toThrow('broken')
  })
})
