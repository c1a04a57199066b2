/** Commands in pods and captures, as the engine runs them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { debug } from '../../../src/actions/kubernetes/debug.ts'
import { download } from '../../../src/actions/kubernetes/download.ts'
import { exec } from '../../../src/actions/kubernetes/exec.ts'
import { script } from '../../../src/actions/kubernetes/script.ts'
import { sysdig } from '../../../src/actions/kubernetes/sysdig.ts'
import { tcpdump } from '../../../src/actions/kubernetes/tcpdump.ts'
import { createGateway, type Report } from '../../../src/index.ts'
import { type Action, defineOutput, type Mode, type Use, z } from '../../../src/plugin.ts'
import { kubernetes } from '../../../src/resources/kubernetes.ts'
import type { Seen } from '../../fake-cluster.ts'
import { fakeExec } from '../../fake-exec.ts'
import { alert } from '../../kit.ts'
import { withCluster } from './world.ts'
import { thePod } from './shell.ts'

const USES: readonly Use<Action>[] = [
  exec({ command: ['touch', '{{ proc.name }}'] }),
  script({ script: 'touch "$1"', args: ['{{ proc.name }}'] }),
  download({ file: '/etc/{{ proc.name }}' }),
  tcpdump({ duration: '1s' }),
  sysdig({ duration: '1s' }),
  debug({ image: 'registry.example/ends:0', command: ['ls', '{{ proc.name }}'] }),
]

/** A store that counts bytes and keeps none. */
const storeOf = (stored: string[]) =>
  defineOutput({
    type: 'shelf',
    summary: 'Takes files.',
    config: z.strictObject({}),
    stores: true,
    open: () => ({
      send: async () => {},
      async store({ name }, chunks) {
        let size = 0
        for await (const chunk of chunks) size += chunk.length
        stored.push(`${name.replace(/^.*_/, '')} ${size}`)
        return { url: `shelf:${name}` }
      },
    }),
  })

const respond = async (action: Use<Action>, namespace: string, mode: Mode, fields: Record<string, unknown> = {}) => {
  const cluster = await withCluster()
  const pod = thePod()
  cluster.add('Pod', { ...pod, metadata: { ...pod.metadata, namespace } })
  const calls = fakeExec(cluster, async (_call, answer) => (await answer.stdout('said'), answer.exit(0)))
  const stored: string[] = []
  const dataDir = await mkdtemp(join(tmpdir(), 'yarak-exec-'))
  onTestFinished(() => rm(dataDir, { recursive: true }))
  const gateway = createGateway({
    mode,
    dataDir,
    rules: [{ name: 'all', steps: [{ action, store: 'shelf' }] }],
    outputs: [storeOf(stored)({})],
    resources: [kubernetes({ kubeconfig: cluster.kubeconfig })],
  })
  const output_fields = { 'k8s.ns.name': namespace, 'k8s.pod.name': 'web-1', 'proc.name': 'nc', ...fields }
  const receipt = await gateway.emit(alert({ output_fields }))
  const [report] = await receipt.done
  await gateway.stop()
  return { report: report as Report, writes: cluster.requests.filter(isWrite), calls, stored }
}

const isWrite = ({ method, query, path }: Seen): boolean =>
  method !== 'GET' && query.dryRun === undefined && !path.includes('leases')

describe.each(USES.map((use) => [use.id, use] as const))('%s', (_id, use) => {
  it('touches nothing in a protected namespace', async () => {
    const { report, writes, calls, stored } = await respond(use, 'kube-system', 'enforce')
    expect(report.steps).toMatchObject([{ outcome: 'refused', error: { reason: 'protected-namespace' } }])
    expect([writes, calls, stored]).toEqual([[], [], []])
  })

  it('touches nothing in observe mode, and tells what it would do', async () => {
    const { report, writes, calls, stored } = await respond(use, 'shop', 'observe')
    expect(report.steps).toMatchObject([{ outcome: 'succeeded', simulated: true, summary: /^would / }])
    expect([writes, calls, stored]).toEqual([[], [], []])
  })
})

describe('in enforce mode', () => {
  it('a command gets the values of the event, and one that is too large is refused by name', async () => {
    const [use] = USES
    const { report, calls } = await respond(use as Use<Action>, 'shop', 'enforce', {
      'proc.name': '$(reboot); {{ x }}',
    })
    expect(report.steps).toMatchObject([{ outcome: 'succeeded', output: 'said' }])
    expect(calls.map(({ command }) => command.slice(4))).toEqual([['touch', '$(reboot); {{ x }}']])
    const large = await respond(use as Use<Action>, 'shop', 'enforce', { 'proc.name': 'x'.repeat(1_000_000) })
    expect(large.report.steps).toMatchObject([{ outcome: 'refused', error: { reason: 'too-large' } }])
    expect(large.calls).toEqual([])
  })

  it('a file goes to the store of the step', async () => {
    const { report, stored } = await respond(download({ file: '/etc/passwd' }), 'shop', 'enforce')
    expect(report.steps).toMatchObject([{ outcome: 'succeeded', artifacts: [{ size: 4, url: /^shelf:/ }] }])
    expect(stored[0]).toBe('passwd 4')
  })
})
