import { describe, expect, it, onTestFinished } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type FakeCluster, fakeCluster } from '../fake-cluster.ts'
import { folder, start, yarak } from './_kit.ts'

const files = folder()

const RULES = `
- rule: Mark
  match: { rules: [x] }
  steps:
    - action: log
      with: { message: '{{ context.k8snode.name }}' }
- rule: Stop
  match: { rules: [x] }
  steps: [{ action: kubernetes:terminate }]
`

interface RoleObject {
  kind: string
  metadata: { name: string; namespace?: string; annotations?: object }
  rules?: { apiGroups: string[]; resources: string[]; verbs: string[] }[]
  subjects?: object[]
}

const objectsIn = (text: string): RoleObject[] =>
  parseAllDocuments(text).flatMap((one) => (one.toJSON() as RoleObject | null) ?? [])

const rights = ({ rules = [] }: RoleObject): string[] =>
  rules.map(({ resources, verbs }) => `${resources.join()}: ${verbs.join()}`)

const config = (more: object = {}): string =>
  files.write('yarak.yaml', {
    version: 1,
    mode: 'enforce',
    rules: ['rules.yaml'],
    journal: { enabled: false },
    ...more,
  })

describe('rbac', () => {
  it('prints the least that the rules need, as the objects of Kubernetes', async () => {
    files.write('rules.yaml', RULES)
    const { code, out, err } = await yarak(['rbac', '--config', config()])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const objects = objectsIn(out)
    const [role, binding] = objects
    expect(role).toMatchObject({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'yarak' },
    })
    expect(rights(role as RoleObject)).toEqual(expect.arrayContaining(['nodes: get', 'pods: delete,get,list']))
    expect(binding).toMatchObject({
      kind: 'ClusterRoleBinding',
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'yarak' },
      subjects: [{ kind: 'ServiceAccount', name: 'yarak', namespace: 'yarak' }],
    })
  })

  it('in observe mode only reads', async () => {
    files.write('rules.yaml', RULES)
    const { out } = await yarak(['rbac', '--config', config(), '--mode', 'observe'])
    expect(out).toMatch(/^# mode observe\n/)
    const all = objectsIn(out).flatMap(rights)
    expect(all).toEqual(expect.arrayContaining(['nodes: get', 'pods: get,list']))
    for (const one of all) expect(one).toMatch(/: get(,list)?$/)
  })

  it('puts what is needed in the own namespace into a Role there, and what has a warning apart', async () => {
    files.write('own.ts', OWN)
    files.write('rules.yaml', '- rule: R\n  match: { rules: [x] }\n  steps: [{ action: acme:own }]\n')
    const path = config({ plugins: ['./own.ts'] })
    const { out, code } = await yarak(['rbac', '--config', path, '--namespace', 'security', '--name', 'hawk'])
    expect(code).toBe(0)
    const shown = objectsIn(out).map(({ kind, metadata }) => [kind, metadata.name, metadata.namespace ?? ''].join(' '))
    expect(shown).toEqual([
      'ClusterRole hawk ',
      'ClusterRoleBinding hawk ',
      'Role hawk security',
      'RoleBinding hawk security',
      'ClusterRole hawk-extra-1 ',
      'ClusterRoleBinding hawk-extra-1 ',
    ])
    expect(out).toContain('---\n# warning: reaches every pod of the node\n')
    for (const { subjects } of objectsIn(out))
      if (subjects) expect(subjects).toEqual([{ kind: 'ServiceAccount', name: 'hawk', namespace: 'security' }])
  })

  it('as JSON is one List', async () => {
    files.write('rules.yaml', RULES)
    const { out } = await yarak(['rbac', '--config', config(), '--json'])
    expect(JSON.parse(out)).toMatchObject({ apiVersion: 'v1', kind: 'List', items: [{ kind: 'ClusterRole' }, {}] })
  })

  it('as values is what the Helm chart takes as `rbac.rules`', async () => {
    files.write('rules.yaml', RULES)
    const { out, code } = await yarak(['rbac', '--config', config(), '--values'])
    expect(code).toBe(0)
    expect(out).toMatch(/^# mode enforce\nrbac:\n  rules:\n/)
    const [values] = parseAllDocuments(out).map((one) => one.toJSON() as { rbac: { rules: RoleObject['rules'] } })
    expect(rights({ rules: values?.rbac.rules } as RoleObject)).toContain('pods: delete,get,list')
    expect((await yarak(['rbac', '--config', config(), '--values', '--json'])).code).toBe(2)
  })

  it('takes rules files alone, which then act when it is said', async () => {
    const rules = files.write('rules.yaml', RULES)
    expect(objectsIn((await yarak(['rbac', '--rules', rules])).out).flatMap(rights)).toContain('pods: get,list')
    const { out } = await yarak(['rbac', '--rules', rules, '--mode', 'enforce'])
    expect(objectsIn(out).flatMap(rights)).toContain('pods: delete,get,list')
  })

  it('prints also what the outputs need, in any mode', async () => {
    files.write('rules.yaml', '- rule: R\n  match: { rules: [x] }\n  steps: [{ action: log, with: { message: x } }]\n')
    const outputs = { k8sevents: {}, openfaas: { functionName: 'f', serviceProxy: true } }
    const { out } = await yarak(['rbac', '--config', config({ outputs, mode: 'observe' })])
    expect(objectsIn(out).flatMap(rights).sort()).toEqual([
      'events: create,patch',
      'pods: get',
      'services/proxy: create',
    ])
  })

  it('says that nothing is needed', async () => {
    const rules = files.write(
      'rules.yaml',
      '- rule: R\n  match: { rules: [x] }\n  steps: [{ action: log, with: { message: x } }]\n',
    )
    const { out } = await yarak(['rbac', '--rules', rules])
    expect(out).toBe('# mode observe: the rules and outputs need nothing of a cluster\n')
  })

  it.each([
    ['--namespace', 'a b'],
    ['--name', '../x'],
  ])('refuses a %s that is none', async (option, value) => {
    const { code, err } = await yarak(['rbac', option, value])
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(`${option} ${value} is no name`) as string })
  })

  it('tells what is wrong with the configuration', async () => {
    files.write('rules.yaml', '- rule: R\n  steps: [{ action: nope }]\n')
    expect((await yarak(['rbac', '--config', config()])).code).toBe(1)
  })
})

const OWN = `import { defineAction, z } from '${new URL('../../src/plugin.ts', import.meta.url).pathname}'
export const own = defineAction({
  type: 'acme:own',
  summary: 'Needs rights of all kinds.',
  config: z.strictObject({}),
  changes: 'reversible',
  permissions: [
    { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
    { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create'], namespace: 'own' },
    { apiGroups: [''], resources: ['nodes/proxy'], verbs: ['create'], warning: 'reaches every pod\\nof the node' },
  ],
  run: async () => ({ summary: 'done' }),
})
`

type Attributes = { verb: string; resource: string; subresource?: string; namespace?: string }

/** A cluster that allows what the function says. */
const allowing = async (allows: (asked: Attributes) => boolean): Promise<FakeCluster & { asked: Attributes[] }> => {
  const cluster = await fakeCluster()
  onTestFinished(() => cluster.close())
  const asked: Attributes[] = []
  cluster.override = ({ path, method, body }) => {
    if (path !== '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews' || method !== 'POST') return undefined
    const { resourceAttributes } = body?.spec as { resourceAttributes: Attributes }
    asked.push(resourceAttributes)
    return { status: 201, body: { ...body, status: { allowed: allows(resourceAttributes) } } }
  }
  return Object.assign(cluster, { asked })
}

const on = ({ kubeconfig }: FakeCluster, more: object = {}) =>
  config({ resources: { kubernetes: { kubeconfig } }, ...more })

describe('check --cluster', () => {
  it('is ok where all is allowed, and asks for each verb', async () => {
    files.write('rules.yaml', RULES)
    const cluster = await allowing(() => true)
    expect(await yarak(['check', '--cluster', '--config', on(cluster)])).toMatchObject({ code: 0 })
    const pods = cluster.asked.filter(({ resource }) => resource === 'pods')
    expect(pods.map(({ verb }) => verb)).toEqual(['delete', 'get', 'list'])
    expect(pods.every(({ namespace }) => namespace === undefined)).toBe(true)
  })

  it('fails on a right that is missing, and says who needs it and how it is granted', async () => {
    files.write('rules.yaml', RULES)
    const cluster = await allowing(({ resource, verb }) => resource !== 'pods' || verb !== 'delete')
    const { code, err } = await yarak(['check', '--cluster', '--config', on(cluster)])
    expect(code).toBe(1)
    expect(err).toContain(
      'error: cluster: the account may not delete pods, which kubernetes:terminate of rule "Stop" needs: add {"apiGroups":[""],"resources":["pods"],"verbs":["delete"]} to its ClusterRole, as `yarak rbac` prints it',
    )
    expect(err).toMatch(/\n1 error, 1 warning\n$/)
    const { out } = await yarak(['check', '--cluster', '--json', '--config', on(cluster)])
    expect(JSON.parse(out)).toMatchObject({ ok: false, problems: [{ severity: 'warning' }, { severity: 'error' }] })
  })

  it('asks for what the mode needs', async () => {
    files.write('rules.yaml', RULES)
    const cluster = await allowing(({ verb }) => verb === 'get' || verb === 'list')
    expect(await yarak(['check', '--cluster', '--mode', 'observe', '--config', on(cluster)])).toMatchObject({ code: 0 })
  })

  it('asks in the own namespace, and of subresources', async () => {
    files.write('own.ts', OWN)
    files.write('rules.yaml', '- rule: R\n  match: { rules: [x] }\n  steps: [{ action: acme:own }]\n')
    const cluster = await allowing(({ resource }) => resource !== 'jobs')
    const { err } = await yarak(['check', '--cluster', '--config', on(cluster, { plugins: ['./own.ts'] })])
    expect(err).toContain('may not create batch/jobs')
    expect(err).toContain('to its Role in the own namespace')
    expect(cluster.asked).toContainEqual({ group: 'batch', resource: 'jobs', verb: 'create', namespace: 'default' })
    expect(cluster.asked).toContainEqual({ group: '', resource: 'nodes', subresource: 'proxy', verb: 'create' })
  })

  it('asks in the namespaces that the resource is limited to', async () => {
    files.write('rules.yaml', RULES)
    const cluster = await allowing(({ namespace }) => namespace === 'shop')
    const { kubeconfig } = cluster
    const limited = (namespaces: string[]) => config({ resources: { kubernetes: { kubeconfig, namespaces } } })
    expect((await yarak(['check', '--cluster', '--config', limited(['shop'])])).code).toBe(0)
    expect((await yarak(['check', '--cluster', '--config', limited(['shop', 'pay'])])).code).toBe(1)
  })

  it('says that there is no cluster, and is content; one that does not answer is an error', async () => {
    files.write('rules.yaml', RULES)
    const none = await yarak(['check', '--cluster', '--config', config()])
    expect(none).toMatchObject({
      code: 0,
      err: expect.stringContaining('cluster: not asked: there is no cluster') as string,
    })
    const cluster = await allowing(() => true)
    cluster.override = () => ({ status: 500, body: 'broken' })
    expect((await yarak(['check', '--cluster', '--config', on(cluster)])).code).toBe(1)
  })

  it('asks nothing for rules that need nothing', async () => {
    files.write('rules.yaml', '[]')
    expect(await yarak(['check', '--cluster', '--config', config()])).toMatchObject({ code: 0, err: '' })
  })
})

describe('a start', () => {
  const listening = (more: object) => ({
    listen: '127.0.0.1:0',
    dataDir: files.at('data'),
    inputs: { http: null },
    ...more,
  })

  it('that is to act warns of each right that is missing', async () => {
    files.write('rules.yaml', RULES)
    const cluster = await allowing(({ verb }) => verb !== 'delete' && verb !== 'list')
    const running = start(['run', '--config', on(cluster, listening({}))])
    await expect.poll(() => running.said.err, { timeout: 15_000 }).toContain('may not delete,list pods')
    running.interrupt()
    expect((await running.ended).code).toBe(0)
    expect(running.said.err.match(/may not/g)).toHaveLength(1)
  })

  it('that only observes, or without a cluster, says nothing', async () => {
    files.write('rules.yaml', RULES)
    const cluster = await allowing(() => false)
    for (const path of [on(cluster, listening({ mode: 'observe' })), config(listening({}))]) {
      const running = start(['run', '--config', path])
      await running.address()
      running.interrupt()
      await running.ended
      expect(running.said.err).not.toContain('may not')
      expect(running.said.err).not.toContain('permissions')
    }
    expect(cluster.asked).toEqual([])
  })
})
