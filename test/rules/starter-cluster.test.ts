/** The shipped rules in enforce, against a cluster: what their cases expect is what happens to pods, nodes and policies. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createGateway, type Report } from '../../src/index.ts'
import { kubernetes } from '../../src/resources/kubernetes.ts'
import { type FakeCluster, fakeCluster } from '../fake-cluster.ts'
import { anEvent } from '../../src/testing.ts'
import { type Case, type CasePod, CASES, FILES, loadFiles, type Suite } from './_starter.ts'

const { rules } = loadFiles(FILES)

let dir = ''
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'yarak-starter-'))))
afterEach(() => rm(dir, { recursive: true, force: true }))

interface World extends Partial<Suite['cluster']> {
  /** Of the two replicas of each workload. */
  readonly ready?: number
}

const uidOf = ({ namespace, name }: Pick<CasePod, 'namespace' | 'name'>): string => `uid-${namespace}-${name}`

/** A cluster that holds what a file of cases says. */
const build = async ({ pods = [], nodes = [], ready = 2 }: World): Promise<FakeCluster> => {
  const cluster = await fakeCluster()
  onTestFinished(() => cluster.close())
  for (const { name } of nodes) cluster.add('Node', { metadata: { name } })
  for (const pod of pods) addPod(cluster, pod, ready)
  return cluster
}

const addPod = (cluster: FakeCluster, pod: CasePod, readyReplicas: number): void => {
  const { namespace, name, labels, node, owners } = pod
  const ownerReferences = owners.map((owner) => ({ apiVersion: 'apps/v1', uid: 'o', controller: true, ...owner }))
  const metadata = { namespace, name, uid: uidOf(pod), labels, ownerReferences }
  cluster.add('Pod', { metadata, spec: { nodeName: node, containers: [] }, status: {} })
  for (const owner of owners) {
    cluster.add(owner.kind as 'ReplicaSet', {
      metadata: { namespace, name: owner.name, uid: 'o' },
      spec: { replicas: 2, selector: { matchLabels: labels } },
      status: { replicas: 2, readyReplicas },
    })
  }
}

/** The one response to an event. */
const respond = async (event: Case['event'], cluster: FakeCluster, mode: 'enforce' | 'observe' = 'enforce') => {
  const resources = [kubernetes({ kubeconfig: cluster.kubeconfig })]
  const gateway = createGateway({ rules, mode, dataDir: dir, resources })
  await gateway.start()
  try {
    const reports = await (await gateway.emit(anEvent({ ...event, time: new Date().toISOString() }).toJSON())).done
    expect(reports).toHaveLength(1)
    return reports[0] as Report
  } finally {
    await gateway.stop()
  }
}

type Acting = (typeof CASES)[number]

const ACTING = CASES.filter(({ expect: { steps, refused } }) => steps ?? refused)

describe.each(ACTING)('$file: $name', (one) => {
  it('in enforce, does it', async () => {
    const cluster = await build(one.cluster)
    expectSteps(await respond(one.event, cluster), one)
    expectDone(one, cluster)
  })

  it('in observe, shows it and changes nothing', async () => {
    const cluster = await build(one.cluster)
    expectSteps(await respond(one.event, cluster, 'observe'), one)
    expectDone({ ...one, expect: { ...one.expect, steps: [] } }, cluster)
  })
})

const expectSteps = ({ steps }: Report, { expect: { steps: wanted = [], refused = [] } }: Case): void => {
  for (const { id, outcome } of wanted) expect(steps).toContainEqual(expect.objectContaining({ id, outcome }))
  const found = steps.filter(({ outcome }) => outcome === 'refused')
  expect(found.map(({ id, error }) => ({ step: id, reason: error?.reason }))).toEqual(refused)
}

/** What the steps of the case did to the pod of the event, its node and its workload; to the other pods nothing. */
const expectDone = ({ event, expect: { steps = [] }, cluster: { pods } }: Acting, { get }: FakeCluster): void => {
  const did = (id: string) => steps.find((step) => step.id === id && step.outcome === 'succeeded')
  for (const pod of pods) {
    const { namespace, name, node, owners } = pod
    const done = isAbout(event, pod) ? did : () => undefined
    const live = get('Pod', namespace, name)
    expect(live === undefined).toBe(done('terminate') !== undefined)
    const { [LABEL]: label } = live?.metadata.labels ?? {}
    expect(label).toBe(live && done('mark')?.with?.labels[LABEL])
    const policy = get('NetworkPolicy', namespace, `yarak-replicaset-${owners[0]?.name}`)
    expect(policy !== undefined).toBe(done('isolate') !== undefined)
    expect(get('Node', '', node)?.metadata.labels?.[LABEL]).toBe(did('mark-node')?.with?.labels[LABEL])
  }
}

const LABEL = 'yarak.dev/suspect'

const isAbout = ({ output_fields }: Case['event'], { namespace }: CasePod): boolean => {
  const { 'k8s.ns.name': own, 'ka.target.namespace': audited } = output_fields as Record<string, unknown>
  return (own ?? audited) === namespace
}

/** A case, and its pod with another owner. */
const caseOf = (name: string, owners?: CasePod['owners']) => {
  const one = CASES.find((each) => each.name === name)
  const [pod] = one?.cluster.pods ?? []
  if (!one || !pod) throw new Error(`there is no case ${name} with a pod`)
  return { event: one.event, pod: { ...pod, ...(owners && { owners }) } }
}

const outcomesOf = ({ steps }: Report): string[] =>
  steps.map(({ id, outcome, error }) => `${id} ${outcome}${error?.reason ? ` ${error.reason}` : ''}`)

describe('what is not replaced is not ended', () => {
  const memory = 'a program from memory in a pod ends it'
  it.each([
    ['a pod of its own', [], 2, 'standalone'],
    ['a pod of a StatefulSet', [{ kind: 'StatefulSet', name: 'db' }], 2, 'statefulset'],
    ['a pod of a DaemonSet', [{ kind: 'DaemonSet', name: 'agent' }], 2, 'daemonset'],
    ['the last replica', undefined, 0, 'min-healthy-replicas'],
  ])('by a program from memory: %s', async (_what, owners, ready, reason) => {
    const { event, pod } = caseOf(memory, owners)
    const cluster = await build({ pods: [pod], ready })
    const report = await respond(event, cluster)
    expect(outcomesOf(report)).toEqual(['evidence succeeded', 'mark succeeded', `terminate refused ${reason}`])
    expect(cluster.get('Pod', pod.namespace, pod.name)).toBeDefined()
  })

  it('by a reverse shell: a pod of its own is isolated', async () => {
    const { event, pod } = caseOf('netcat that runs a shell ends its pod', [])
    const cluster = await build({ pods: [pod] })
    const report = await respond(event, cluster)
    expect(outcomesOf(report).slice(-2)).toEqual(['isolate succeeded', 'terminate refused standalone'])
    expect(cluster.get('Pod', pod.namespace, pod.name)).toBeDefined()
    expect(cluster.get('NetworkPolicy', pod.namespace, `yarak-pod-${pod.name}`)).toBeDefined()
  })

  it('by a write of release_agent: whatever owns the pod', async () => {
    const { event, pod } = caseOf('a write of release_agent ends the pod and marks the node', [])
    const cluster = await build({ pods: [pod], nodes: [{ name: pod.node }] })
    expect((await respond(event, cluster)).outcome).toBe('succeeded')
    expect(cluster.get('Pod', pod.namespace, pod.name)).toBeUndefined()
  })
})

describe('an isolated workload', () => {
  it('reaches private networks, and neither the internet nor the credentials of the cloud', async () => {
    const { event, pod } = caseOf('a dropped program isolates its workload')
    const cluster = await build({ pods: [pod] })
    await respond(event, cluster)
    const policy = cluster.get('NetworkPolicy', pod.namespace, `yarak-replicaset-${pod.owners[0]?.name}`)
    const egress = policy?.spec?.['egress'] as { to: { ipBlock: { cidr: string } }[] }[]
    const ranges = egress.flatMap(({ to }) => to.map(({ ipBlock }) => ipBlock.cidr))
    expect(ranges).toContain('10.0.0.0/8')
    expect(ranges.filter((range) => /^(0\.|::|169\.254\.)/.test(range))).toEqual(['169.254.20.10/32'])
  })
})

describe('the evidence', () => {
  it('is there before the pod is gone, with the event and the pod as it was', async () => {
    const { event, pod } = caseOf('netcat that runs a shell ends its pod')
    const cluster = await build({ pods: [pod] })
    const report = await respond(event, cluster)
    expect(report.steps[0]).toMatchObject({ id: 'evidence', artifacts: [{ url: expect.any(String) as string }] })
    const { url = '' } = report.steps[0]?.artifacts?.[0] ?? {}
    const saved = JSON.parse(await readFile(new URL(url), 'utf8')) as Record<string, unknown>
    expect(saved).toMatchObject({
      event: { rule: event.rule, output_fields: { 'k8s.pod.name': pod.name } },
      target: { namespace: pod.namespace, pod: pod.name },
    })
  })

  it('is kept although nothing answers for the cluster', async () => {
    const cluster = await fakeCluster()
    await cluster.close()
    const { event } = caseOf('netcat that runs a shell ends its pod')
    const { steps } = await respond(event, cluster)
    expect(steps[0]).toMatchObject({ id: 'evidence', outcome: 'succeeded' })
    expect(steps.at(-1)?.outcome).not.toBe('succeeded')
    const files = await readdir(join(dir, 'evidence'))
    expect(files.filter((name) => !name.endsWith('.custody.json'))).toHaveLength(1)
  })
})
