/** What the chart grants, found out from the rules: what `yarak rbac` prints, and little more. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { CHART, configIn, granted, type Manifest, manifestsIn, withValues } from '../charts/_chart.ts'
import { yarak } from '../cli/_kit.ts'
import { helm, type RunningHelm } from './helm.ts'
import { describePart } from './vitest.ts'

const INSTALL = ['yarak', CHART, '--namespace', 'security']

describePart(helm, () => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-chart-'))
  let tool: RunningHelm
  beforeAll(async () => {
    tool = await helm.start()
  })
  afterAll(async () => {
    await tool?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  const render = async (values: object) => manifestsIn(await withValues(tool, dir)(['template'], values))
  const ofCase = async (name: string): Promise<Manifest[]> =>
    manifestsIn(await tool.helm('template', ...INSTALL, '-f', join(CHART, 'ci', `${name}-values.yaml`)))

  describe('rights', () => {
    const MIXED = [
      { action: 'kubernetes:label', with: { level: 'node', labels: { a: 'b' } } },
      { action: 'kubernetes:terminate', if: 'context.k8snode.role != control-plane' },
      { action: 'kubernetes:checkpoint', onError: 'continue' },
      { action: 'kubernetes:delete', with: { resources: ['secrets', 'pods'] } },
      { action: 'kubernetes:scale', with: { replicas: 0, ttl: '10m' } },
      { parallel: [{ action: 'kubernetes:isolate', with: { enforcer: 'cilium' } }] },
      {
        action: 'kubernetes:apply',
        with: {
          manifest: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'x' }, spec: {} },
        },
      },
    ]
    const rulesOf = (...steps: object[]) => [{ rule: 'R', match: { rules: ['x'] }, steps }]
    const printed = async (rules: object, mode: string): Promise<string[]> => {
      const path = join(dir, 'printed.yaml')
      writeFileSync(path, stringify(rules))
      const { out, err, code } = await yarak(['rbac', '--rules', path, '--mode', mode])
      expect({ code, err }).toEqual({ code: 0, err: '' })
      const all = granted(
        manifestsIn(out).map((one) => (one.kind === 'Role' ? { ...one, metadata: { name: 'x-own' } } : one)),
      )
      return [...new Set(all)]
    }

    it.each(MIXED)('are those that `yarak rbac` prints: $action', async (step) => {
      for (const mode of ['observe', 'enforce']) {
        const rules = rulesOf(step)
        const manifests = await render({ config: { mode }, rules: { files: { 'a.yaml': stringify(rules) } } })
        expect(granted(manifests)).toEqual(expect.arrayContaining(await printed(rules, mode)))
      }
    })

    it('only read in observe mode, whoever asks for it', async () => {
      const files = { 'a.yaml': rulesOf(...MIXED) }
      const tight = { 'a.yaml': rulesOf(...MIXED).map((rule) => ({ ...rule, mode: 'observe' })) }
      for (const values of [{ rules: { files } }, { config: { mode: 'enforce' }, rules: { files: tight } }])
        expect(granted(await render(values)).filter((one) => !/^(get|list|watch) /.test(one))).toEqual([])
    })

    it('are narrow: of a step on nodes nothing on pods, of a step on pods nothing on secrets', async () => {
      const values = { config: { mode: 'enforce', rules: rulesOf(MIXED[0] as object) } }
      const all = granted(await render(values))
      expect(all).toContain('patch /nodes')
      expect(all).not.toContain('patch /pods')
    })

    it('of a template are those of all it may be', async () => {
      const label = { action: 'kubernetes:revoke-tokens', with: { scope: '{{ context.pod.labels.scope }}' } }
      const all = granted(await render({ config: { mode: 'enforce', rules: rulesOf(label) } }))
      expect(all).toEqual(expect.arrayContaining(['delete /pods', 'delete /secrets']))
    })

    it('of files of Talon, of outputs, of contexts', async () => {
      const talon = [
        {
          rule: 'R',
          match: { rules: ['x'] },
          actions: [{ action: 'a', actionner: 'kubernetes:terminate', additional_contexts: ['k8snode'] }],
        },
      ]
      const config = {
        mode: 'enforce',
        outputs: { 'k8sevents/here': {}, openfaas: { functionName: 'f', serviceProxy: true } },
      }
      const all = granted(await render({ config, rules: { files: { 'a.yaml': talon } } }))
      expect(all).toEqual(
        expect.arrayContaining(['delete /pods', 'get /nodes', 'create events.k8s.io/events', 'create /services/proxy']),
      )
    })

    it('are in namespaces where that is wanted, and what no namespace has is left out', async () => {
      const manifests = await ofCase('responder')
      expect(manifests.some(({ kind }) => kind.startsWith('ClusterRole'))).toBe(false)
      const roles = manifests.filter(({ kind }) => kind === 'Role').map(({ metadata }) => metadata.namespace)
      expect(roles.sort()).toEqual(['pay', 'security', 'shop'])
      expect(granted(manifests).filter((one) => one.includes('/nodes'))).toEqual([])
      expect(configIn(manifests).resources.kubernetes.namespaces).toEqual(['shop', 'pay'])
    })

    it('are those given, where they are; with a warning apart', async () => {
      const manifests = await ofCase('own')
      expect(granted(manifests)).toEqual([
        'create /nodes/proxy',
        'create batch/jobs@own',
        'delete /pods',
        'get /pods',
        'list /pods',
      ])
      const warned = manifests.filter(({ metadata }) => metadata.annotations?.['yarak.dev/warning'] === 'it is wide')
      expect(warned.map(({ kind }) => kind)).toEqual(['ClusterRole', 'ClusterRoleBinding'])
    })

    it('include the Leases of several pods', async () => {
      expect(granted(await render({ replicas: 2 }))).toContain('create coordination.k8s.io/leases@own')
      expect(granted(await render({}))).toEqual([])
    })

    it('are none where others make them', async () => {
      const values = { rbac: { create: false }, rules: { builtin: ['escapes'] } }
      expect(granted(await render(values))).toEqual([])
    })
  })
})
