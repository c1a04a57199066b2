import { describe, expect, it } from 'vitest'
import { noteName } from '../../../src/resources/_kube-note.ts'
import type { KubeObject } from '../../fake-cluster.ts'
import { allowing, another, labelsOf, policy, POLICY, run, undo, withPod } from './isolated.ts'
import { aPod } from './world.ts'

describe('an isolation that holds already', () => {
  it('is renewed under its own mark', async () => {
    const cluster = await withPod()
    await run(cluster, { ttl: '10m' })
    await run(cluster, { ttl: '30m' }, another('second'))
    expect(labelsOf(cluster)).toMatchObject({ 'yarak.dev/isolated': 'abc123', 'yarak.dev/response': 'second' })
    expect(policy(cluster)?.spec?.podSelector).toEqual({ matchLabels: { 'yarak.dev/isolated': 'abc123' } })
  })

  it('is not believed of a label that anybody may have set', async () => {
    const labels = { app: 'web', 'yarak.dev/isolated': 'everybody' }
    const cluster = await withPod(aPod({ labels }))
    await run(cluster)
    expect(labelsOf(cluster)).toMatchObject({ 'yarak.dev/isolated': 'abc123' })
  })

  it('keeps its lost labels lost until the last is undone', async () => {
    const cluster = await withPod()
    cluster.add('NetworkPolicy', allowing('allow-web', { matchLabels: { app: 'web' } }))
    await run(cluster)
    cluster.add('NetworkPolicy', allowing('allow-hash', { matchLabels: { team: 'a' } }))
    const pod = cluster.get('Pod', 'shop', 'web-1') as KubeObject
    cluster.add('Pod', { ...pod, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, team: 'a' } } })
    await run(cluster, {}, another('second'))
    expect(labelsOf(cluster)).toEqual({ 'yarak.dev/isolated': 'abc123', 'yarak.dev/response': 'second' })
    expect((await undo(cluster)).summary).toMatch(/it stays isolated$/)
    expect(labelsOf(cluster)).toMatchObject({ 'yarak.dev/isolated': 'abc123' })
    expect(labelsOf(cluster)).not.toHaveProperty('app')
    expect(policy(cluster)).toBeDefined()
    await undo(cluster)
    expect(labelsOf(cluster)).toEqual({ app: 'web', 'pod-template-hash': 'abc', team: 'a' })
    expect(policy(cluster)).toBeUndefined()
  })
})

describe('undoing', () => {
  it('puts the labels back, then deletes the policy by its uid', async () => {
    const cluster = await withPod()
    cluster.add('NetworkPolicy', allowing('allow-web', { matchLabels: { app: 'web' } }))
    await run(cluster, { ttl: '30m' })
    expect(labelsOf(cluster)).not.toHaveProperty('app')
    await undo(cluster)
    const { labels, annotations = {} } = cluster.get('Pod', 'shop', 'web-1')?.metadata ?? {}
    expect(labels).toEqual({ app: 'web', 'pod-template-hash': 'abc' })
    expect(Object.keys(annotations).filter((name) => name.startsWith('yarak.dev/'))).toEqual([])
    expect(policy(cluster)).toBeUndefined()
    const changes = cluster.requests.filter(({ method }) => method !== 'GET').slice(-2)
    expect(changes.map(({ method }) => method)).toEqual(['PATCH', 'DELETE'])
    expect(changes[1]?.body?.preconditions?.uid).toEqual(expect.any(String))
  })

  it('is due when the ttl is over', async () => {
    const cluster = await withPod()
    await run(cluster, { ttl: '30m' })
    const { annotations = {} } = cluster.get('Pod', 'shop', 'web-1')?.metadata ?? {}
    const names = ['annotations yarak.dev/isolated-by', 'labels yarak.dev/isolated']
    const note = JSON.parse(annotations[noteName('kubernetes:isolate', ...names)] ?? '{}') as Record<string, string>
    expect(Date.parse(note.expires ?? '') - Date.parse(note.at ?? '')).toBe(1_800_000)
  })

  it('leaves a label alone that somebody has set meanwhile', async () => {
    const cluster = await withPod()
    cluster.add('NetworkPolicy', allowing('allow-web', { matchLabels: { app: 'web' } }))
    await run(cluster)
    const pod = cluster.get('Pod', 'shop', 'web-1') as KubeObject
    cluster.add('Pod', { ...pod, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, app: 'evidence' } } })
    await undo(cluster)
    expect(labelsOf(cluster)).toEqual({ app: 'evidence', 'pod-template-hash': 'abc' })
  })

  it('deletes no policy that is not ours', async () => {
    const cluster = await withPod()
    await run(cluster)
    cluster.add('NetworkPolicy', allowing(POLICY, {}))
    await undo(cluster)
    expect(policy(cluster)).toBeDefined()
  })

  it('needs no policy to be there any more', async () => {
    const cluster = await withPod()
    await run(cluster)
    cluster.override = ({ method, path }) =>
      method === 'GET' && path.endsWith(POLICY)
        ? { status: 404, body: { kind: 'Status', reason: 'NotFound', details: { name: POLICY } } }
        : undefined
    await undo(cluster)
    expect(labelsOf(cluster)).not.toHaveProperty('yarak.dev/isolated')
  })
})
