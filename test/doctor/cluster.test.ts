import { describe, expect, it, onTestFinished } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { clusterFacts } from '../../src/doctor/cluster.ts'
import { closedPort } from '../cli/_kit.ts'
import { fakeCluster, kubeconfigFor, type Override } from '../fake-cluster.ts'
import { folder, lines, onPatient } from './_kit.ts'

const files = folder()

const rules = (...actions: readonly string[]) =>
  actions.map((action) => ({ rule: action, match: {}, steps: [{ action, with: WITH[action] ?? {} }] }))

const WITH: Readonly<Record<string, object>> = { 'kubernetes:label': { labels: { seen: 'yes' } } }

const found = async (config: object, kubeconfig: string, env: Record<string, string> = {}) => {
  const resources = { kubernetes: { kubeconfig } }
  const facts = await onPatient({ mode: 'enforce', resources, ...config }, (one) => clusterFacts(one, builtin), { env })
  return { ...facts, told: lines(facts.findings) }
}

const json = (body: unknown, headers?: Record<string, string>) => ({ status: 200, body, ...(headers && { headers }) })

interface Server {
  readonly date?: string
  readonly allowed?: boolean
  readonly groups?: Readonly<Record<string, readonly string[]>>
}

/** What an API server says of itself. */
const saying =
  ({ date, allowed = true, groups = {} }: Server): NonNullable<Override> =>
  ({ path }) => {
    if (path === '/version') return json({ gitVersion: 'v1.34.1' })
    if (/^\/api\/v1\/?$/.test(path))
      return json({ kind: 'APIResourceList', groupVersion: 'v1', resources: [] }, date === undefined ? {} : { date })
    if (path.endsWith('/selfsubjectreviews'))
      return json({ status: { userInfo: { username: 'system:serviceaccount:y:y' } } })
    if (path.endsWith('/selfsubjectaccessreviews')) return json({ status: { allowed } })
    const [, group = '', version] = /^\/apis\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? []
    const names = groups[group]
    if (!names)
      return { status: 404, body: { kind: 'Status', status: 'Failure', code: 404, reason: 'NotFound', message: 'no' } }
    return version === undefined
      ? json({ kind: 'APIGroup', versions: [{ groupVersion: `${group}/v1` }] })
      : json({ kind: 'APIResourceList', resources: names.map((name) => ({ name })) })
  }

const cluster = async (server: Server = {}) => {
  const fake = await fakeCluster()
  onTestFinished(() => fake.close())
  fake.override = saying(server)
  return fake
}

const LEASES = { 'coordination.k8s.io': ['leases'] }
const WELL = {
  ...LEASES,
  apps: ['deployments', 'replicasets', 'statefulsets', 'daemonsets'],
  batch: ['jobs', 'cronjobs'],
}

describe('the cluster', () => {
  it('is not asked when nobody needs one', async () => {
    expect((await found({}, '/none')).told).toEqual(['skip API server: no rule and no output needs a cluster'])
  })

  it('answers, and has what is needed', async () => {
    const { kubeconfig, url } = await cluster({ groups: WELL })
    const { told, skew } = await found({ rules: rules('kubernetes:label'), guards: { ownNamespace: 'y' } }, kubeconfig)
    expect(told).toContain(`ok API server: ${url} is v1.34.1`)
    expect(told).toContain('ok account: we are system:serviceaccount:y:y there')
    expect(told).toContain('ok permissions: the account may do all that rules and outputs need')
    expect(told).toContain('ok coordination.k8s.io: the cluster has it')
    expect(told).toContain('ok own namespace: y: nothing there is changed')
    expect(told.filter((line) => !line.startsWith('ok'))).toEqual([])
    expect(skew).toBe(0)
  })

  it('does not let the account do it', async () => {
    const { kubeconfig } = await cluster({ groups: WELL, allowed: false })
    const { findings } = await found({ rules: rules('kubernetes:label') }, kubeconfig)
    const missing = findings.filter(({ name }) => name === 'permissions')
    expect(missing.length).toBeGreaterThan(0)
    expect(missing[0]).toMatchObject({ status: 'fail', remedy: 'yarak rbac | kubectl apply -f -' })
    expect(missing.map(({ message }) => message).join()).toMatch(/may not get,list,patch pods/)
  })

  it('lacks a group, and kinds of one', async () => {
    const { kubeconfig } = await cluster({ groups: { ...WELL, 'coordination.k8s.io': [] } })
    const { told } = await found({ rules: rules('kubernetes:label', 'cilium:networkpolicy') }, kubeconfig)
    expect(told).toContain('fail coordination.k8s.io: the cluster has no leases in it')
    expect(told).toContain('fail cilium.io: the cluster does not have it')
  })

  it('has a clock of its own', async () => {
    const date = new Date(Date.now() - 600_000).toUTCString()
    const { kubeconfig } = await cluster({ groups: WELL, date })
    expect((await found({ rules: rules('kubernetes:label') }, kubeconfig)).skew).toBeLessThan(-590_000)
  })

  it('does not know where we are: of note where something is changed', async () => {
    const { kubeconfig } = await cluster({ groups: WELL })
    expect((await found({ rules: rules('kubernetes:label') }, kubeconfig)).told).toContainEqual(
      expect.stringMatching(/^warn own namespace/),
    )
  })

  it('is not there', async () => {
    const config = files.write('kubeconfig', kubeconfigFor(`http://127.0.0.1:${await closedPort()}`))
    const { findings } = await found({ rules: rules('kubernetes:label') }, config)
    expect(findings).toEqual([
      expect.objectContaining({ status: 'fail', message: expect.stringContaining('ECONNREFUSED') as string }),
    ])
    expect(findings[0]?.remedy).toContain('kubectl version')
  })
})
