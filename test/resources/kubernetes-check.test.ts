/** Whether the API server is there, as `/readyz` tells of it. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { kubernetes } from '../../src/resources/kubernetes.ts'
import { testIo } from '../../src/testing.ts'
import { fakeCluster, type Override, status } from '../fake-cluster.ts'

const NEVER = new AbortController().signal

/** Asks a server that answers as the test says. */
const ask = async (answer: Override, signal = NEVER) => {
  const fake = await fakeCluster()
  onTestFinished(() => fake.close())
  fake.override = answer
  const io = testIo()
  const config = kubernetes.config.parse({ kubeconfig: fake.kubeconfig, timeout: '5s' })
  const cluster = await kubernetes.open(config, io)
  onTestFinished(() => cluster.close())
  return { fake, cluster, checked: kubernetes.check?.(cluster, io, signal) }
}

describe('the check of the cluster', () => {
  it('asks the API server whether it is ready, by one request', async () => {
    const { fake, checked } = await ask(() => ({ status: 200, body: 'ok' }))
    await expect(checked).resolves.toBeUndefined()
    expect(fake.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /readyz'])
  })

  it('takes it for there when it knows the account and forbids the question', async () => {
    const { checked } = await ask(() => status(403, 'Forbidden', 'User "yarak" cannot get path "/readyz"'))
    await expect(checked).resolves.toBeUndefined()
  })

  it('says that the account is wrong, not the cluster, when it does not know the account', async () => {
    const { checked } = await ask(() => status(401, 'Unauthorized', 'Unauthorized'))
    await expect(checked).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the API server answers, but does not accept our credentials',
    })
  })

  it.each<[string, Override, RegExp]>([
    [
      'is not ready, e.g. as its storage is away',
      () => ({ status: 500, body: '[-]etcd failed' }),
      /^the API server answers, but is not ready \(status 500\)$/,
    ],
    ['cuts the connection', () => 'cut', /GET \/readyz: the API server does not answer/],
    [
      'is a web page',
      () => ({ status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }),
      /not a Kubernetes API server/,
    ],
  ])('rejects when it %s', async (_, answer, message) => {
    const { checked } = await ask(answer)
    await expect(checked).rejects.toThrow(message)
  })

  it('ends when it is not wanted any more', async () => {
    const stop = new AbortController()
    const { fake, checked } = await ask(() => 'hang', stop.signal)
    const rejected = expect(checked).rejects.toMatchObject({ code: 'interrupted' })
    await expect.poll(() => fake.requests.length).toBe(1)
    stop.abort(new Error('stop'))
    await rejected
  })
})
