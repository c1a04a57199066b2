import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { sysdig } from '../../../src/actions/kubernetes/sysdig.ts'
import { type KubeObject, type Override, status } from '../../fake-cluster.ts'
import type { Play } from '../../fake-exec.ts'
import { CONTAINER, rejection } from './world.ts'
import { run, thePod, withShell } from './shell.ts'

const CAPTURE = Buffer.from('1f8b0800', 'hex')
const JOBS = /^\/apis\/batch\/v1\/namespaces\/default\/jobs/

const captures: Play = async ({ command }, answer) => {
  await answer.stdout(command[0] === 'cat' ? CAPTURE : 'said\n')
  answer.exit(0)
}

const RUNNING = { phase: 'Running', containerStatuses: [{ name: 'sysdig', state: { running: {} } }] }

/** A cluster that starts a pod for each Job, as its controllers do. */
const withJobs = async (play: Play = captures, state: Record<string, unknown> = RUNNING, more?: Override) => {
  const shell = await withShell({ play })
  const { cluster } = shell
  cluster.override = (request) => {
    const { method, path, body, query } = request
    const given = more?.(request)
    if (given) return given
    const job = body?.metadata?.name
    if (method === 'POST' && JOBS.test(path) && job && !query.dryRun) {
      const labels = { 'batch.kubernetes.io/job-name': job }
      cluster.add('Pod', { metadata: { name: `${job}-x1`, namespace: 'default', uid: 'u', labels }, status: state })
    }
    return undefined
  }
  const jobs = () => cluster.requests.filter(({ path }) => JOBS.test(path))
  return { ...shell, jobs, created: () => jobs().find(({ method }) => method === 'POST')?.body as KubeObject }
}

const podSpecOf = ({ spec }: KubeObject) => (spec?.template as { spec: Record<string, unknown> }).spec

describe('kubernetes:sysdig', () => {
  it('captures by a helper on the node, in our own namespace, and removes it', async () => {
    const shell = await withJobs()
    const { summary, objects, artifacts = [] } = await run(sysdig, shell, { duration: 3, buffer_size: 512 })
    expect(summary).toBe('captured 3 s of the system calls of pod shop/web-1: 4 bytes')
    const job = shell.created().metadata.name
    expect(job).toMatch(/^yarak-sysdig-[0-9a-f]{8}$/)
    expect(objects).toEqual({ pod: 'web-1', namespace: 'shop', node: 'node-1', job })
    expect(artifacts).toMatchObject([{ size: 4, name: expect.stringMatching(/sysdig\.scap\.gz$/) }])
    expect(readFileSync(fileURLToPath(artifacts[0]?.url ?? ''))).toEqual(CAPTURE)
    const options = ['--modern-bpf', '--cri', '/run/containerd/containerd.sock', '-M', '3', '-s', '512', '-z']
    const filter = `container.id in (${'a'.repeat(12)}, ${CONTAINER})`
    const at = { namespace: 'default', pod: `${job}-x1`, container: 'sysdig' }
    expect(shell.calls).toMatchObject([
      { ...at, command: ['sysdig', ...options, '-w', '/capture/sysdig.scap.gz', filter] },
      { ...at, command: ['cat', '/capture/sysdig.scap.gz'] },
    ])
    expect(shell.jobs().map(({ method }) => method)).toEqual(['POST', 'DELETE'])
    expect(shell.jobs()[1]).toMatchObject({ body: { propagationPolicy: 'Background' } })
    expect(shell.cluster.get('Job', 'default', job)).toBeUndefined()
  })

  it('is a pod that the cluster ends and clears away by itself, and that has no account', async () => {
    const shell = await withJobs()
    const image = `mirror.example/sysdig:1@sha256:${'b'.repeat(64)}`
    await run(sysdig, shell, { duration: '10s', image, max_size: '1MiB' })
    expect(shell.created()).toMatchObject({
      metadata: { labels: { 'app.kubernetes.io/managed-by': 'yarak', 'yarak.dev/response': 'abc123' } },
      spec: { backoffLimit: 0, activeDeadlineSeconds: 130, ttlSecondsAfterFinished: 60 },
    })
    expect(podSpecOf(shell.created())).toMatchObject({
      nodeName: 'node-1',
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'sysdig', image, securityContext: { privileged: true } }],
      volumes: [{ hostPath: { path: '/' } }, { emptyDir: { sizeLimit: '1048576' } }],
    })
  })

  it('captures the whole node, or containers of CRI-O', async () => {
    const shell = await withJobs()
    const pod = thePod()
    const containerStatuses = [{ name: 'web', containerID: `cri-o://${'d'.repeat(64)}` }]
    shell.cluster.add('Pod', { ...pod, status: { containerStatuses } })
    await run(sysdig, shell, {})
    const { summary } = await run(sysdig, shell, { scope: 'node' })
    expect(summary).toMatch(/of the system calls of node node-1/)
    const [pods, , node] = shell.calls
    expect(pods?.command).toEqual(
      expect.arrayContaining(['--cri', '/run/crio/crio.sock', `container.id in (${'d'.repeat(12)})`]),
    )
    expect(node?.command.at(-1)).toBe('/capture/sysdig.scap.gz')
  })

  it('lets no id into the filter that is none', async () => {
    const shell = await withJobs()
    const containerStatuses = [{ name: 'web', containerID: 'containerd://abc) or (evt.num > 0' }]
    shell.cluster.add('Pod', { ...thePod(), status: { containerStatuses } })
    expect(await rejection(run(sysdig, shell, {}))).toMatchObject({ reason: 'no-container' })
    expect(shell.jobs()).toEqual([])
  })

  it('only asks the server whether it may, in observe mode', async () => {
    const shell = await withJobs()
    const { summary, artifacts } = await run(sysdig, shell, {}, { dryRun: true, mode: 'observe' })
    expect([summary, artifacts]).toEqual(['would capture 5 s of the system calls of pod shop/web-1', undefined])
    expect(shell.jobs()).toMatchObject([{ method: 'POST', query: { dryRun: 'All' } }])
  })

  it.each<[string, Play, Record<string, unknown>, object]>([
    [
      'sysdig fails',
      async (_call, answer) => (await answer.stderr('no probe\n'), answer.exit(1)),
      RUNNING,
      { reason: 'exit-1' },
    ],
    ['the connection is lost', (_call, answer) => answer.drop(), RUNNING, { code: 'unknown' }],
    ['its image cannot be had', captures, waiting('ImagePullBackOff'), { reason: 'helper-not-started' }],
    ['it has ended', captures, { phase: 'Failed', reason: 'DeadlineExceeded' }, { reason: 'helper-not-started' }],
  ])('removes the helper also when %s', async (_what, play, state, error) => {
    const shell = await withJobs(play, state)
    expect(await rejection(run(sysdig, shell, {}))).toMatchObject(error)
    expect(shell.jobs().map(({ method }) => method)).toEqual(['POST', 'DELETE'])
  })

  it('removes the helper also after it was cut short', async () => {
    const controller = new AbortController()
    const shell = await withJobs(() => controller.abort())
    const ran = run(sysdig, shell, {}, { signal: controller.signal })
    expect(await rejection(ran)).toMatchObject({ code: 'interrupted' })
    expect(shell.jobs().map(({ method }) => method)).toEqual(['POST', 'DELETE'])
  })

  it('is done when the helper cannot be removed: the cluster clears it away', async () => {
    const shell = await withJobs(captures, RUNNING, ({ method }) =>
      method === 'DELETE' ? status(500, 'InternalError', 'x') : undefined,
    )
    expect((await run(sysdig, shell, {})).artifacts).toHaveLength(1)
  })

  it.each([
    [status(403, 'Forbidden', 'User "y" cannot create resource "jobs"'), { code: 'refused', reason: 'forbidden' }],
    [status(409, 'Conflict', 'x'), { permanent: false }],
    [status(429, 'TooManyRequests', 'x'), { permanent: false }],
    [status(500, 'InternalError', 'x'), { permanent: false }],
  ])('fails when the server refuses, and goes on when it is tried again: %j', async (answer, error) => {
    let refusals = 1
    const shell = await withJobs(captures, RUNNING, ({ method }) =>
      method === 'POST' && refusals-- > 0 ? answer : undefined,
    )
    expect(await rejection(run(sysdig, shell, {}))).toMatchObject(error)
    expect((await run(sysdig, shell, {})).artifacts).toHaveLength(1)
  })

  it('touches nothing for a pod that is gone, another, or on no node', async () => {
    const shell = await withJobs()
    const subject = { kind: 'Pod', key: 'pod/shop/web-1', namespace: 'shop', name: 'web-1', uid: 'uid-0' }
    expect(await rejection(run(sysdig, shell, {}, { subject }))).toMatchObject({ code: 'gone' })
    shell.cluster.add('Pod', { ...thePod(), spec: { containers: [] } })
    expect(await rejection(run(sysdig, shell, {}))).toMatchObject({ reason: 'not-scheduled' })
    expect(shell.jobs()).toEqual([])
  })

  it.each<[object, string]>([
    [{ image: '{{ proc.name }}' }, 'image must be fixed text'],
    [{ scope: '{{ proc.name }}' }, 'scope must be fixed text'],
    [{ buffer_size: 64 }, 'buffer_size'],
    [{ duration: '1h' }, 'must be between 1s and 300s'],
  ])('refuses the settings %j', (params, message) => {
    expect(() => sysdig(params)).toThrow(message)
  })
})

function waiting(reason: string) {
  return { phase: 'Pending', containerStatuses: [{ name: 'sysdig', state: { waiting: { reason } } }] }
}
