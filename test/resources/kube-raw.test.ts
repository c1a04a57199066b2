import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseApiPath } from '../../src/resources/_kube-path.ts'
import { apiPath, kubernetes } from '../../src/resources/kubernetes.ts'
import { type FakeCluster, kubeconfigFor, status } from '../fake-cluster.ts'
import { aStep } from '../actions/step.ts'
import { aPod, aPodStep, rejection, withCluster } from '../actions/kubernetes/world.ts'

const PATH = apiPath('v1', 'namespaces', 'shop', 'pods', 'web-1')

const clients = async (cluster: FakeCluster) => {
  cluster.add('Pod', aPod())
  const recorded = await aPodStep(cluster)
  return { ...recorded, ...(await recorded.step.use(kubernetes)).as(recorded.step) }
}

describe('a path', () => {
  it.each([
    [['v1'], '/api/v1'],
    [['apps/v1', 'deployments'], '/apis/apps/v1/deployments'],
    [['v1', undefined, 'nodes', 'n-1'], '/api/v1/nodes/n-1'],
    [['v1', 'clusterroles', 'system:x/../y'], '/api/v1/clusterroles/system%3Ax%2F..%2Fy'],
  ] as const)('of %j is %s', (parts, path) => {
    expect(apiPath(...(parts as unknown as [string]))).toBe(path)
  })

  it('is read back as it was made', () => {
    const text = fc.string({ minLength: 1 }).filter((one) => one.isWellFormed())
    fc.assert(
      fc.property(text, text, (namespace, name) => {
        const path = apiPath('apps/v1', 'namespaces', namespace, 'deployments', name, 'scale')
        expect(parseApiPath(path)).toMatchObject({ namespace, name, resource: 'deployments', subresource: 'scale' })
      }),
    )
  })
})

describe('a request of our own', () => {
  it('is sent as it is and answered as JSON, in a client span', async () => {
    const cluster = await withCluster()
    const { send, spans } = await clients(cluster)
    const body = { metadata: { labels: { a: 'b' } } }
    const query = { fieldManager: 'yarak', force: undefined, dryRun: 'All' }
    const contentType = 'application/merge-patch+json'
    const answer = await send({ method: 'PATCH', path: PATH, query, contentType, body })
    expect(answer).toMatchObject({ metadata: { name: 'web-1', labels: { a: 'b' } } })
    expect(cluster.requests.at(-1)).toMatchObject({
      method: 'PATCH',
      query: { fieldManager: 'yarak', dryRun: 'All' },
      headers: { 'content-type': contentType, traceparent: expect.any(String), 'user-agent': 'yarak' },
      body,
    })
    expect(spans.map(({ name }) => name)).toEqual(['PATCH /api/v1/namespaces/{namespace}/pods/{name}'])
  })

  it('has the headers that are given, and every digit of a large integer', async () => {
    const cluster = await withCluster()
    const { send } = await clients(cluster)
    const path = apiPath('v1', 'namespaces', 'shop', 'configmaps')
    const body = { metadata: { name: 'c' }, data: { big: 1_769_860_800_123_456_789n } }
    await send({ method: 'POST', path, headers: { 'event-id': 'e-1', other: undefined }, body })
    const { headers } = cluster.requests.at(-1) ?? expect.fail('nothing was sent')
    expect(headers['event-id']).toBe('e-1')
    expect(headers).not.toHaveProperty('other')
    const length = JSON.stringify({ metadata: { name: 'c' }, data: { big: 0 } }).length + 18
    expect(Number(headers['content-length'])).toBe(length)
  })

  it('throws errors that say what to do', async () => {
    const cluster = await withCluster()
    const { send } = await clients(cluster)
    cluster.override = () => status(429, 'TooManyRequests', 'x')
    expect(await rejection(send({ method: 'GET', path: PATH }))).toMatchObject({ reason: 'too-many-requests' })
  })
})

describe('a request whose answer is taken piece by piece', () => {
  const all = async (chunks: AsyncIterable<Uint8Array>): Promise<string> => {
    const parts: Uint8Array[] = []
    for await (const chunk of chunks) parts.push(chunk)
    return Buffer.concat(parts).toString()
  }

  it('gives what `read` makes of it', async () => {
    const cluster = await withCluster()
    const { stream, spans } = await clients(cluster)
    cluster.override = () => ({ status: 200, body: 'x'.repeat(300_000) })
    expect(await stream({ method: 'GET', path: PATH }, all)).toHaveLength(300_000)
    expect(spans.at(-1)?.after).toEqual({ 'http.response.status_code': 200 })
  })

  it('may be left early, and the next request is answered', async () => {
    const cluster = await withCluster()
    const { stream, send } = await clients(cluster)
    cluster.override = () => ({ status: 200, body: 'x'.repeat(3_000_000) })
    const first = await stream({ method: 'GET', path: PATH }, async (chunks) => {
      for await (const chunk of chunks) return chunk.length
      return 0
    })
    expect(first).toBeGreaterThan(0)
    cluster.override = undefined
    expect(await send({ method: 'GET', path: PATH })).toMatchObject({ metadata: { name: 'web-1' } })
  })

  it('passes on what `read` throws, and is not begun on a refusal', async () => {
    const cluster = await withCluster()
    const { stream } = await clients(cluster)
    const { YarakError } = await import('../../src/errors.ts')
    const mine = new YarakError('failed', 'the disk is full', { reason: 'enospc' })
    cluster.override = () => ({ status: 200, body: 'x' })
    expect(await rejection(stream({ method: 'GET', path: PATH }, () => Promise.reject(mine)))).toBe(mine)
    cluster.override = () => status(403, 'Forbidden', 'no')
    expect(await rejection(stream({ method: 'GET', path: PATH }, () => expect.fail('it was begun')))).toMatchObject({
      reason: 'forbidden',
    })
  })

  /** A server that sends the beginning of a log, and the rest when `rest` is called. */
  const slowServer = async (timeout: string) => {
    let rest = (_how: 'end' | 'cut'): void => {}
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' }).write('begun ')
      rest = (how) => (how === 'end' ? response.end('done') : response.destroy())
    })
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    onTestFinished(() => new Promise<void>((closed) => (server.closeAllConnections(), server.close(() => closed()))))
    const { step } = await aStep()
    const kubeconfig = `${step.dataDir}/config`
    await writeFile(kubeconfig, kubeconfigFor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
    const { step: used } = await aStep({ resources: { kubernetes: { kubeconfig, timeout } } })
    return { ...(await used.use(kubernetes)).as(used), rest: (how: 'end' | 'cut') => rest(how) }
  }

  it('has a deadline for its beginning only', async () => {
    const { stream, rest } = await slowServer('100ms')
    const text = await stream({ method: 'GET', path: PATH }, async (chunks) => {
      await new Promise((passed) => setTimeout(passed, 200))
      rest('end')
      return all(chunks)
    })
    expect(text).toBe('begun done')
  })

  it('says that the server does not answer when it breaks off', async () => {
    const { stream, rest } = await slowServer('10s')
    const broken = stream({ method: 'GET', path: PATH }, (chunks) => {
      rest('cut')
      return all(chunks)
    })
    expect(await rejection(broken)).toMatchObject({ code: 'unavailable' })
  })
})
