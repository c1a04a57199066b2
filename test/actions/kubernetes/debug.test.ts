import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { debug } from '../../../src/actions/kubernetes/debug.ts'
import { status } from '../../fake-cluster.ts'
import { CONTAINER, rejection } from './world.ts'
import { HOSTILE, run, withShell } from './shell.ts'

const ENDS = 'registry.example/ends:0'

const withLog = async (text: string) => {
  const shell = await withShell({ play: () => expect.fail('nothing is to be executed') })
  shell.cluster.override = ({ path }) => (path.endsWith('/log') ? { status: 200, body: text } : undefined)
  return shell
}

const added = ({ cluster }: Awaited<ReturnType<typeof withLog>>) =>
  (cluster.get('Pod', 'shop', 'web-1')?.spec?.ephemeralContainers ?? []) as readonly Record<string, unknown>[]

describe('kubernetes:debug', () => {
  it('runs a command of another image beside the container of the event, and keeps what it prints', async () => {
    const shell = await withLog('one\ntwo\n')
    const params = { image: ENDS, command: ['ls', '-l', '/proc/1/fd'] }
    const result = await run(debug, shell, params, { fields: { 'container.id': CONTAINER } })
    const [container] = added(shell)
    expect(container).toEqual({
      name: expect.stringMatching(/^yarak-debug-[0-9a-f]{8}$/),
      image: ENDS,
      imagePullPolicy: 'IfNotPresent',
      command: params.command,
      targetContainerName: 'web',
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    })
    expect(result).toMatchObject({
      summary: 'ran ls beside container web of pod shop/web-1',
      objects: { pod: 'web-1', namespace: 'shop', container: container?.name },
      output: 'one\ntwo\n',
      artifacts: [{ size: 8, name: expect.stringMatching(/yarak-debug-\w+\.log$/) }],
    })
    expect(readFileSync(fileURLToPath(result.artifacts?.[0]?.url ?? ''), 'utf8')).toBe('one\ntwo\n')
    const log = shell.cluster.requests.find(({ path }) => path.endsWith('/log'))
    expect(log?.query).toEqual({ container: container?.name })
  })

  it('gives it a user and capabilities when it is told to', async () => {
    const shell = await withLog('')
    const more = { user: 0, capabilities: ['SYS_PTRACE'], container: 'side' }
    expect(await run(debug, shell, { image: ENDS, command: ['id'], ...more })).not.toHaveProperty('output')
    expect(added(shell)).toMatchObject([
      {
        targetContainerName: 'side',
        securityContext: { runAsUser: 0, runAsNonRoot: false, capabilities: { drop: ['ALL'], add: ['SYS_PTRACE'] } },
      },
    ])
  })

  it('gives it values as they are: the kubelet is kept from reading variables into them', async () => {
    const shell = await withLog('')
    const hostile = [...HOSTILE, '$(HOME)', '$$(HOME)']
    await run(debug, shell, { image: ENDS, command: ['echo', ...hostile] })
    const [container] = added(shell)
    // https://pkg.go.dev/k8s.io/kubernetes/third_party/forked/golang/expansion: `$$` is a `$` that begins nothing.
    const read = (container?.command as readonly string[]).map((one) => one.replaceAll('$$', '$'))
    expect(read).toEqual(['echo', ...hostile])
    for (const one of container?.command as readonly string[]) expect(one.replaceAll('$$', '')).not.toContain('$')
    const large = run(debug, shell, { image: ENDS, command: ['echo', 'x'.repeat(1_000_000)] })
    expect(await rejection(large)).toMatchObject({ code: 'refused', reason: 'too-large' })
  })

  it('fails with the exit code, the output being kept', async () => {
    const shell = await withLog('broken\n')
    const error = await rejection(run(debug, shell, { image: 'registry.example/ends:3', command: ['false'] }))
    expect(error).toMatchObject({ code: 'failed', reason: 'exit-3', message: 'false exited with 3' })
    expect(shell.cluster.requests.some(({ path }) => path.endsWith('/log'))).toBe(true)
  })

  it('is unknown when the command does not end', async () => {
    const shell = await withLog('')
    const error = await rejection(run(debug, shell, { image: 'busybox:1', command: ['sleep', '9'], timeout: '1s' }))
    expect(error).toMatchObject({ code: 'unknown', reason: 'timeout', message: /sleep has not ended after 1 s/ })
  })

  it('says why the container does not start', async () => {
    const ran = run(debug, await withLog(''), { image: 'registry.example/never:1', command: ['id'] })
    expect(await rejection(ran)).toMatchObject({ reason: 'container-not-started', permanent: true })
  })

  it('only asks the server whether it may, in observe mode', async () => {
    const shell = await withLog('')
    const options = { dryRun: true, mode: 'observe' } as const
    const { summary } = await run(debug, shell, { image: ENDS, command: ['id'] }, options)
    expect(summary).toBe('would run id beside container side of pod shop/web-1')
    expect(added(shell)).toEqual([])
  })

  it('is refused as the server refuses', async () => {
    const shell = await withLog('')
    shell.cluster.override = ({ method }) =>
      method === 'PATCH' ? status(403, 'Forbidden', 'User "y" cannot patch resource "pods"') : undefined
    const ran = run(debug, shell, { image: ENDS, command: ['id'] })
    expect(await rejection(ran)).toMatchObject({ code: 'refused', reason: 'forbidden' })
  })

  it.each<[object, string]>([
    [{ image: '{{ proc.name }}', command: ['id'] }, 'image must be fixed text'],
    [{ image: ENDS, command: ['{{ proc.name }}'] }, 'must be fixed text'],
    [{ image: ENDS, command: ['sh', '-c', '{{ proc.name }}'] }, 'an event may not write its program'],
    [{ image: ENDS, command: ['id'], capabilities: ['{{ proc.name }}'] }, 'capabilities must be fixed text'],
    [{ image: ENDS, command: ['id'], user: '{{ user.uid }}' }, 'user must be fixed text'],
    [{ image: ENDS, command: ['id'], capabilities: ['all'] }, 'must be a capability'],
    [{ image: ENDS }, 'command'],
    [{ command: ['id'] }, 'image'],
  ])('refuses the settings %j', (params, message) => {
    expect(() => debug(params as Parameters<typeof debug>[0])).toThrow(message)
  })
})
