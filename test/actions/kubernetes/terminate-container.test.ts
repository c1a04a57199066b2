import { describe, expect, it } from 'vitest'
import { terminateContainer } from '../../../src/actions/kubernetes/terminate-container.ts'
import type { FakeCluster } from '../../fake-cluster.ts'
import { fakeExec, type Play } from '../../fake-exec.ts'
import { perform, type StepOptions } from '../step.ts'
import { aPod, aStepOn, CONTAINER, POD_FIELDS, rejection, withCluster } from './world.ts'

type Params = Parameters<typeof perform<typeof terminateContainer.config>>[1]

const IMAGE = 'registry.example/crictl@sha256:0000'
const ALLOWED = { enabled: true, image: IMAGE }
const ID = `${CONTAINER}${'c'.repeat(52)}`
const EVENT = { fields: { ...POD_FIELDS, 'container.id': CONTAINER } }

const run = async (
  cluster: FakeCluster,
  params: Params = {},
  { nodeHelper = ALLOWED, ...options }: StepOptions & { nodeHelper?: object } = {},
) => perform(terminateContainer, params, await aStepOn(cluster, { nodeHelper }, { ...EVENT, ...options }))

const states = (id = `containerd://${ID}`, state: object = { running: {} }) => ({
  containerStatuses: [
    { name: 'side', containerID: `containerd://${'a'.repeat(64)}`, state: { running: {} } },
    { name: 'web', containerID: id, state },
  ],
})

/** The cluster starts the pod of the Job, whose container answers as `play` says. */
const withPod = async (status: Record<string, unknown> = states(), play: Play = (_call, answer) => answer.exit(0)) => {
  const cluster = await withCluster()
  cluster.add('Pod', aPod({ status }))
  const calls = fakeExec(cluster, play)
  cluster.override = ({ method, path, body }) => {
    if (method === 'POST' && path.endsWith('/namespaces/default/jobs') && !isDry(cluster)) {
      const name = body?.metadata?.name ?? ''
      cluster.add('Pod', {
        metadata: { name: `${name}-x`, namespace: 'default', labels: { 'batch.kubernetes.io/job-name': name } },
        status: { containerStatuses: [{ name: 'stop', state: { running: {} } }] },
      })
    }
    return undefined
  }
  return { cluster, calls }
}

const isDry = ({ requests }: FakeCluster): boolean => requests.at(-1)?.query['dryRun'] === 'All'
const jobs = ({ requests }: FakeCluster) => requests.filter(({ path }) => path.includes('/jobs'))

describe('kubernetes:terminate-container', () => {
  it('has the runtime of the node stop exactly the container of the event, by a pod of ours that is then removed', async () => {
    const { cluster, calls } = await withPod()
    expect(await run(cluster, { grace_period_seconds: 5 })).toEqual({
      summary: 'stopped container web of pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop', container: 'web', 'container.id': ID },
    })
    const socket = '/run/containerd/containerd.sock'
    expect(calls.map(({ command }) => command)).toEqual([
      ['crictl', '--runtime-endpoint', `unix://${socket}`, 'stop', '--timeout', '5', ID],
    ])
    const [created, deleted] = jobs(cluster)
    expect(created?.body).toMatchObject({
      spec: {
        backoffLimit: 0,
        template: {
          spec: {
            nodeName: 'node-1',
            automountServiceAccountToken: false,
            containers: [
              {
                image: IMAGE,
                securityContext: { capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true },
                volumeMounts: [{ mountPath: socket }],
              },
            ],
            volumes: [{ hostPath: { path: socket, type: 'Socket' } }],
          },
        },
      },
    })
    expect(JSON.stringify(created?.body)).not.toMatch(/hostNetwork|hostPID|privileged/)
    expect(deleted?.method).toBe('DELETE')
    expect(cluster.get('Pod', 'shop', 'web-1')).toBeDefined()
  })

  it.each([
    ['cri-o', '/run/crio/crio.sock'],
    ['docker', '/run/cri-dockerd.sock'],
  ])('speaks to %s where its socket is', async (runtime, socket) => {
    const { cluster, calls } = await withPod(states(`${runtime}://${ID}`))
    await run(cluster)
    expect(calls[0]?.command).toContain(`unix://${socket}`)
  })

  it('takes a container by its name', async () => {
    const { cluster, calls } = await withPod()
    expect((await run(cluster, { container: 'side' })).summary).toBe('stopped container side of pod shop/web-1')
    expect(calls[0]?.command.at(-1)).toBe('a'.repeat(64))
  })

  it('is refused until it is allowed, and the pod is not deleted instead', async () => {
    const { cluster } = await withPod()
    expect(await rejection(run(cluster, {}, { nodeHelper: {} }))).toMatchObject({
      code: 'refused',
      reason: 'needs-node-helper',
    })
    expect(cluster.requests.every(({ method }) => method === 'GET')).toBe(true)
  })

  it.each([
    ['has ended', states(`containerd://${ID}`, { terminated: {} }), {}, EVENT.fields],
    ['is not there', states(), { container: 'other' }, EVENT.fields],
    ['is not named by the event', states(), {}, POD_FIELDS],
  ])('is gone when the container %s', async (_why, status, params, fields) => {
    const { cluster } = await withPod(status)
    expect(await rejection(run(cluster, params, { fields }))).toMatchObject({ code: 'gone' })
    expect(jobs(cluster)).toEqual([])
  })

  it.each([`weird://${ID}`, 'containerd://short', `containerd://${'A'.repeat(64)}`])(
    'touches nothing for an id it cannot place: %s',
    async (id) => {
      const { cluster } = await withPod(states(id))
      expect(await rejection(run(cluster, { container: 'web' }, { fields: POD_FIELDS }))).toMatchObject({
        reason: 'unknown-runtime',
      })
    },
  )

  it('fails as the runtime does, and removes the helper', async () => {
    const { cluster } = await withPod(states(), async (_call, answer) => {
      await answer.stderr('no such container')
      answer.exit(1)
    })
    expect(await rejection(run(cluster))).toMatchObject({ code: 'failed' })
    expect(jobs(cluster).at(-1)?.method).toBe('DELETE')
  })

  it('is only checked by the server in a dry run', async () => {
    const { cluster, calls } = await withPod()
    expect((await run(cluster, {}, { dryRun: true })).summary).toBe('would stop container web of pod shop/web-1')
    expect(jobs(cluster).map(({ query }) => query['dryRun'])).toEqual(['All'])
    expect(calls).toEqual([])
  })
})
