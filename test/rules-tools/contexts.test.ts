import { describe, expect, it } from 'vitest'
import { k8snode } from '../../src/contexts/k8snode.ts'
import { createGateway } from '../../src/index.ts'
import { defineContext, YarakError, z } from '../../src/plugin.ts'
import { clusterSettings, simulatedCluster } from '../../src/rules-tools/cluster.ts'
import { type ContextSources, simulatedContexts, unknownContext, usesOf } from '../../src/rules-tools/contexts.ts'
import { about, probe } from '../kit.ts'

const net = defineContext({
  type: 'net',
  summary: 'Asks the network.',
  config: z.strictObject({}),
  lookup: async (_config, { signal }, { http }) => ({ status: (await http({ url: 'http://x/' }, signal)).status }),
})
const needy = defineContext({
  type: 'needy',
  summary: 'Needs a setting.',
  config: z.strictObject({ x: z.string().describe('A setting.') }),
  lookup: async ({ x }) => ({ x }),
})
const broken = defineContext({
  type: 'broken',
  summary: 'Rejects.',
  config: z.strictObject({}),
  lookup: () => Promise.reject(new YarakError('unavailable', 'no answer', { reason: 'away' })),
})

/** The report of a step that asks for a member of a context. */
const stepOf = async (path: string, sources: ContextSources) => {
  const contexts = simulatedContexts(usesOf([k8snode, net, needy, broken, unknownContext('own')]), sources)
  let seen: unknown
  const step = probe((params) => void (seen = params), { changes: 'nothing' })({ value: `{{ context.${path} }}` })
  const gateway = createGateway({ contexts, rules: [{ name: 'all', steps: [step] }] })
  const [report] = await (await gateway.emit(about('web-1'))).done
  await gateway.stop()
  return { seen, ...report?.steps[0] }
}

const standIns = new Map([
  [
    'kubernetes',
    simulatedCluster(
      clusterSettings.parse({
        pods: [{ namespace: 'shop', name: 'web-1', node: 'n1' }],
        nodes: [{ name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z1' } }],
      }),
    ),
  ],
])

describe('a context where nothing may be touched', () => {
  it('is what is given', async () => {
    const found: unknown[] = []
    const given = { k8snode: { hostname: 'n9' } }
    const tell = (type: string, members: unknown) => void found.push([type, members])
    const report = await stepOf('k8snode.hostname', { given, standIns, found: tell })
    expect(report).toMatchObject({ outcome: 'succeeded', seen: { value: 'n9' } })
    expect(found).toEqual([['k8snode', given.k8snode]])
    expect(await stepOf('own.x', { given: { own: { x: 'y' } } })).toMatchObject({ seen: { value: 'y' } })
    expect(await stepOf('needy.x', { given: { needy: { x: 'y' } } })).toMatchObject({ seen: { value: 'y' } })
  })

  it('is looked up in the simulated cluster, when there is one', async () => {
    expect(await stepOf('k8snode.topology.zone', { standIns })).toMatchObject({ seen: { value: 'z1' } })
  })

  it.each([
    ['k8snode.hostname', 'kubernetes is not within reach here'],
    ['net.status', 'the network is not within reach here'],
    ['needy.x', 'what its settings name is not within reach here'],
    ['own.x', 'its plugin is not within reach here'],
  ])('fails the step that asks for it, and says what is missing: %s', async (path, why) => {
    const [type] = path.split('.')
    const report = await stepOf(path, {})
    expect(report).toMatchObject({ outcome: 'failed', seen: undefined, error: { reason: `no-context-${type}` } })
    expect(report.summary).toBe(
      `context.${type} is not known here: ${why}; a test case gives its members by \`contexts\``,
    )
  })

  it('fails as ever when it is broken', async () => {
    expect(await stepOf('broken.x', {})).toMatchObject({ outcome: 'failed', error: { reason: 'away' } })
  })
})
