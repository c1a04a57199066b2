import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { tcpdump } from '../../../src/actions/kubernetes/tcpdump.ts'
import { status } from '../../fake-cluster.ts'
import type { Play } from '../../fake-exec.ts'
import { rejection } from './world.ts'
import { run, thePod, withShell } from './shell.ts'

const PCAP = Buffer.from('d4c3b2a1020004000000000000000000000004007100000000', 'hex')

const prints: Play = async (_call, answer) => {
  await answer.stderr('tcpdump: listening on any\n')
  await answer.stdout(PCAP)
  await answer.stdout(Buffer.alloc(5_000, 7))
  answer.exit(124)
}

interface Container {
  readonly name: string
  readonly image: string
  readonly command: readonly string[]
  readonly securityContext: Record<string, unknown>
}

const containersIn = ({ cluster }: Awaited<ReturnType<typeof withShell>>) =>
  (cluster.get('Pod', 'shop', 'web-1')?.spec?.ephemeralContainers ?? []) as readonly Container[]

describe('kubernetes:tcpdump', () => {
  it('adds a container to the pod and saves what tcpdump prints in it', async () => {
    const shell = await withShell({ play: prints })
    const { summary, objects, artifacts = [] } = await run(tcpdump, shell, { duration: 7, snaplen: 256 })
    expect(summary).toBe('captured 7 s of the traffic of pod shop/web-1: 5025 bytes')
    const [container, ...more] = containersIn(shell)
    expect(more).toEqual([])
    expect(container).toMatchObject({
      name: expect.stringMatching(/^yarak-tcpdump-[0-9a-f]{8}$/),
      image: 'docker.io/nicolaka/netshoot:v0.13',
      command: ['sleep', '67'],
      securityContext: { runAsUser: 0, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    })
    expect(container?.securityContext).not.toHaveProperty('privileged')
    expect(objects).toEqual({ pod: 'web-1', namespace: 'shop', container: container?.name })
    const dump = ['timeout', '-s', 'INT', '7', 'tcpdump', '-i', 'any', '-n', '-U', '-s', '256', '-w', '-']
    expect(shell.calls).toMatchObject([{ container: container?.name, command: dump }])
    expect(artifacts).toMatchObject([{ name: expect.stringMatching(/tcpdump\.pcap$/), size: 5_025 }])
    expect(readFileSync(fileURLToPath(artifacts[0]?.url ?? '')).subarray(0, 25)).toEqual(PCAP)
    const patches = shell.cluster.requests.filter(({ method }) => method === 'PATCH')
    expect(patches).toMatchObject([{ query: { fieldManager: 'yarak' }, body: { metadata: { uid: 'uid-1' } } }])
  })

  it('takes the defaults of Falco Talon, and an image of the user', async () => {
    const shell = await withShell({ play: prints })
    const image = `mirror.example/tcpdump:1@sha256:${'a'.repeat(64)}`
    await run(tcpdump, shell, { image })
    expect(containersIn(shell)).toMatchObject([{ image }])
    expect(shell.calls[0]?.command).toEqual(expect.arrayContaining(['INT', '5', '-s', '4096']))
  })

  it('cuts a capture that grows too large', async () => {
    const endless: Play = async (_call, answer) => {
      while (!answer.closed.aborted) await answer.stdout(Buffer.alloc(100_000))
    }
    const shell = await withShell({ play: endless })
    const { summary, artifacts } = await run(tcpdump, shell, { max_size: '1MiB' })
    expect(summary).toMatch(/1048576 bytes, cut at its limit$/)
    expect(artifacts).toMatchObject([{ size: 1_048_576 }])
  })

  it('only asks the server whether it may, in observe mode', async () => {
    const shell = await withShell({ play: () => expect.fail('it ran') })
    const { summary, artifacts } = await run(tcpdump, shell, {}, { dryRun: true, mode: 'observe' })
    expect([summary, artifacts]).toEqual(['would capture 5 s of the traffic of pod shop/web-1', undefined])
    expect(shell.cluster.requests.at(-1)).toMatchObject({ method: 'PATCH', query: { dryRun: 'All' } })
    expect(containersIn(shell)).toEqual([])
  })

  it('says why the container does not start', async () => {
    const error = await rejection(run(tcpdump, await withShell(), { image: 'registry.example/never:1' }))
    expect(error).toMatchObject({ reason: 'container-not-started', permanent: true })
    expect(error.message).toMatch(/yarak-tcpdump-\w+ is not started: ImagePullBackOff/)
  })

  it('fails as tcpdump fails, and may be tried again after a lost connection', async () => {
    const fails = await withShell({
      play: async (_call, answer) => (
        await answer.stderr('tcpdump: any: You do not have permission\n'),
        answer.exit(1)
      ),
    })
    const failed = await rejection(run(tcpdump, fails, {}))
    expect(failed).toMatchObject({ reason: 'exit-1', message: expect.stringContaining('have permission') })
    const lost = await withShell({ play: async (_call, answer) => (await answer.stdout(PCAP), answer.drop()) })
    expect(await rejection(run(tcpdump, lost, {}))).toMatchObject({ code: 'unavailable', permanent: false })
  })

  it('adds no more than ten containers to a pod', async () => {
    const shell = await withShell({ play: prints })
    const pod = thePod()
    const ephemeralContainers = Array.from({ length: 10 }, (_, i) => ({ name: `yarak-tcpdump-${i}` }))
    shell.cluster.add('Pod', { ...pod, spec: { ...pod.spec, ephemeralContainers } })
    expect(await rejection(run(tcpdump, shell, {}))).toMatchObject({ code: 'refused', reason: 'too-many-containers' })
  })

  it('touches no pod that is another by now, and none that is gone', async () => {
    const shell = await withShell({ play: prints })
    const subject = { kind: 'Pod', key: 'pod/shop/web-1', namespace: 'shop', name: 'web-1', uid: 'uid-0' }
    expect(await rejection(run(tcpdump, shell, {}, { subject }))).toMatchObject({ code: 'gone', reason: 'changed' })
    const gone = run(tcpdump, shell, {}, { fields: { 'k8s.pod.name': 'web-9' } })
    expect(await rejection(gone)).toMatchObject({ code: 'gone' })
    expect(containersIn(shell)).toEqual([])
  })

  it.each([
    [status(403, 'Forbidden', 'User "y" cannot patch resource "pods/ephemeralcontainers"'), { reason: 'forbidden' }],
    [status(403, 'Forbidden', 'violates PodSecurity "baseline:latest"'), { code: 'refused', reason: 'forbidden' }],
    [status(429, 'TooManyRequests', 'x'), { permanent: false }],
    [status(500, 'InternalError', 'x'), { permanent: false }],
  ])('fails when the server refuses, and goes on when it is tried again: %j', async (answer, error) => {
    const shell = await withShell({ play: prints })
    let refusals = 1
    shell.cluster.override = ({ method }) => (method === 'PATCH' && refusals-- > 0 ? answer : undefined)
    expect(await rejection(run(tcpdump, shell, {}))).toMatchObject(error)
    await run(tcpdump, shell, {})
    expect(containersIn(shell)).toHaveLength(1)
  })

  it('goes past a conflict with another writer', async () => {
    const shell = await withShell({ play: prints })
    let conflicts = 2
    shell.cluster.override = ({ method }) =>
      method === 'PATCH' && conflicts-- > 0 ? status(409, 'Conflict', 'x') : undefined
    await run(tcpdump, shell, {})
    expect(containersIn(shell)).toHaveLength(1)
  })

  it('is cut short by its signal, while it waits and while it captures', async () => {
    for (const image of ['registry.example/slow:1', undefined]) {
      const controller = new AbortController()
      const shell = await withShell({
        play: async (_call, answer) => {
          controller.abort()
          await once(answer.closed, 'abort')
        },
      })
      shell.cluster.override = ({ method }) => {
        if (method === 'PATCH' && image) setImmediate(() => controller.abort())
        return undefined
      }
      const ran = run(tcpdump, shell, image ? { image } : {}, { signal: controller.signal })
      expect(await rejection(ran)).toMatchObject({ code: 'interrupted' })
    }
  })

  it.each<[object, string]>([
    [{ image: '{{ proc.name }}' }, 'image must be fixed text'],
    [{ image: 'a b' }, 'must be an image'],
    [{ image: '--privileged' }, 'must be an image'],
    [{ duration: 0 }, 'must be between 1s and 1800s'],
    [{ duration: '2h' }, 'must be between 1s and 1800s'],
    [{ snaplen: -1 }, 'snaplen'],
    [{ max_size: 1 }, 'must be at least 1KiB'],
    [{ filter: 'x' }, 'filter is not a known setting'],
  ])('refuses the settings %j', (params, message) => {
    expect(() => tcpdump(params)).toThrow(message)
  })

  it('has the time of the capture and a minute more', () => {
    const timeout = tcpdump.timeout as (params: unknown) => number
    expect(timeout(tcpdump.config.parse({ duration: '30s' }))).toBe(90_000)
    expect({ ...tcpdump }).toMatchObject({ saves: 'always', concurrency: 4, dryRun: true })
  })
})
