/** The chart with values that are unusual: texts that look like YAML, several or changing pods, a network that is closed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { configIn, configText, granted, manifestsIn, only, withValues, workload } from '../charts/_chart.ts'
import { helm, helmVersions, type RunningHelm } from './helm.ts'
import { describePart } from './vitest.ts'

const LEASES = ['create', 'delete', 'get', 'list', 'update'].map((verb) => `${verb} coordination.k8s.io/leases@own`)
const KAFKA = { preset: 'responder', config: { inputs: { kafka: { brokers: ['kafka:9092'], topics: ['falco'] } } } }

/** As much of a NetworkPolicy as tests look at. */
interface Policy {
  readonly ingress: readonly { ports: { port: string }[]; from: { podSelector?: { matchLabels: object } }[] }[]
  readonly egress: readonly { ports: { port: number }[] }[]
}

describePart(helm, () => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-chart-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  describe.each(helmVersions)('Helm %s', (version) => {
    let tool: RunningHelm
    beforeAll(async () => {
      tool = await helm.start({ version })
    })
    afterAll(() => tool?.stop())

    const render = async (values: object) => manifestsIn(await withValues(tool, dir)(['template'], values))
    const faultOf = (values: object): Promise<string> =>
      render(values).then(
        () => '',
        ({ message }: Error) => message,
      )

    it('keeps each text what it is', async () => {
      const odd = `a: "b" 'c' #d {{ e }} \${env:F} \\n %g`
      const text = `  - rule: x\n    condition: priority >= notice\n    desc: |\n      ${odd}\n\n`
      const manifests = await render({
        config: { cluster: odd, outputs: { webhook: { address: 'https://x', headers: { odd: `${odd}\n- x` } } } },
        rules: { files: { 'a.yaml': text, 'on.yaml': [{ rule: odd, desc: `\n${odd}\n` }] } },
        podAnnotations: { big: 12_345_678, yes: true, odd, lines: 'a\nb: c' },
        ingress: { enabled: true, hosts: ['*.example.com'], path: '/a: b #c', className: 'true' },
        ...{ priorityClassName: '123', serviceAccount: { name: '1e3' }, journal: { storageClass: 'no' } },
      })
      expect(configIn(manifests)).toMatchObject({
        cluster: odd,
        outputs: { webhook: { address: 'https://x', headers: { odd: `${odd}\n- x` } } },
      })
      const { data = {} } = only(manifests, 'ConfigMap', 'yarak-rules')
      expect(data['a.yaml']).toBe(text)
      expect(parse(data['on.yaml'] ?? '')).toEqual([{ rule: odd, desc: `\n${odd}\n` }])
      const { spec } = workload(manifests)
      expect(spec.template.metadata.annotations).toMatchObject({ big: '12345678', yes: 'true', odd, lines: 'a\nb: c' })
      expect(spec.template.spec).toMatchObject({ priorityClassName: '123', serviceAccountName: '1e3' })
      expect(spec.volumeClaimTemplates).toMatchObject([{ spec: { storageClassName: 'no' } }])
      expect(only(manifests, 'Ingress').spec).toMatchObject({
        ingressClassName: 'true',
        rules: [{ host: '*.example.com', http: { paths: [{ path: '/a: b #c' }] } }],
      })
    })

    it('keeps large numbers whole', async () => {
      const keda = { enabled: true, partitions: 3, lagThreshold: 12_345_678 }
      const manifests = await render({ ...KAFKA, keda })
      expect(only(manifests, 'ScaledObject').spec).toMatchObject({
        triggers: [{ metadata: { lagThreshold: '12345678' } }],
      })
      expect(configText(await render({ config: { journal: { maxSize: 123_456_789 } } }))).toContain('123456789')
    })

    it.each([
      [{ rules: { files: { '../a.yaml': [] } } }, 'rules.files'],
      [{ rules: { files: { '..a.yaml': [] } } }, 'rules.files'],
      [{ rules: { files: { 'a b.yaml': [] } } }, 'rules.files'],
      [{ rules: { files: { [`${'a'.repeat(250)}.yaml`]: [] } } }, 'rules.files'],
      [{ config: { listen: '0.0.0.0:8080' } }, 'config.listen'],
      [{ config: { listen: ['0.0.0.0:28010'] } }, 'config.listen'],
      [{ config: { mode: '${env:MODE}' }, rules: { builtin: ['escapes'] } }, 'config.mode'],
      [{ preset: 'gateway', config: { claims: 'kubernetes' } }, 'config.claims'],
    ])('refuses %j, and names %s', async (values, name) => {
      expect(await faultOf(values)).toContain(name)
    })
  })

  describe('what is rendered', () => {
    let tool: RunningHelm
    beforeAll(async () => {
      tool = await helm.start()
    })
    afterAll(() => tool?.stop())
    const render = async (values: object) => manifestsIn(await withValues(tool, dir)(['template'], values))
    const notes = async (values: object) =>
      (await withValues(tool, dir)(['install', '--dry-run=client'], values)).replace(/^.*\nNOTES:/s, '')
    const podOf = async (values: object) => workload(await render(values)).spec.template.spec

    /** An upgrade of a Deployment has two pods, and its journal goes with a pod. */
    it.each([
      ['several pods', { replicas: 2 }],
      ['a scaler', { autoscaling: { enabled: true } }],
      ['one pod whose journal does not stay', KAFKA],
      ['whoever asks for it', { config: { claims: 'kubernetes' } }],
    ])('lets pods agree on who answers what, and gives them the Leases and the names for it: %s', async (_, values) => {
      const manifests = await render(values)
      expect(configIn(manifests)).toMatchObject({ claims: 'kubernetes' })
      expect(granted(manifests)).toEqual(LEASES)
      const { automountServiceAccountToken, containers } = workload(manifests).spec.template.spec
      expect(automountServiceAccountToken).toBe(true)
      expect(containers[0]?.env.map(({ name }) => name)).toEqual(expect.arrayContaining(['POD_NAMESPACE', 'POD_NAME']))
    })

    it.each([
      ['one pod with a volume', {}],
      ['gateways, of which each answers nothing', { preset: 'gateway', replicas: 3, journal: { ephemeral: true } }],
    ])('asks for no Leases where nothing has to be agreed on: %s', async (_, values) => {
      const manifests = await render(values)
      expect(configIn(manifests)).not.toHaveProperty('claims')
      expect(granted(manifests)).toEqual([])
    })

    it('looks for changes to undo where it has rights, whoever gave them', async () => {
      const config = configIn(await render({ rbac: { create: false, namespaces: ['shop'] } }))
      expect(config.resources.kubernetes.namespaces).toEqual(['shop'])
    })

    it('takes what is posted while the Service forgets a pod that is to go', async () => {
      const sleeps = { preStop: { exec: { command: ['node', '-e', 'setTimeout(() => {}, 4000)'] } } }
      expect((await podOf({})).containers[0]).toMatchObject({ lifecycle: sleeps })
      expect((await podOf({ config: { inputs: { 'http/a': {} } } })).containers[0]).toMatchObject({ lifecycle: sleeps })
      expect((await podOf(KAFKA)).containers[0]).not.toHaveProperty('lifecycle')
    })

    it('lets `helm test` through its NetworkPolicy, also where few may read metrics', async () => {
      for (const prometheus of [[], [{ podSelector: { matchLabels: { app: 'prometheus' } } }]]) {
        const manifests = await render({ tls: { secretName: 'x' }, networkPolicy: { enabled: true, prometheus } })
        const { ingress, egress } = only(manifests, 'NetworkPolicy').spec as unknown as Policy
        const test = only(manifests, 'Pod').metadata.labels ?? {}
        const peers = ingress.find(({ ports }) => ports[0]?.port === 'ops')?.from ?? []
        expect(peers).toHaveLength(prometheus.length + 1)
        expect(test).toMatchObject(peers.at(-1)?.podSelector?.matchLabels ?? { none: true })
        expect(egress.flatMap(({ ports }) => ports.map(({ port }) => port))).toEqual([53, 53, 443, 6443])
      }
    })

    it('runs `helm test` on the nodes that the pods run on', async () => {
      const where = { nodeSelector: { disk: 'ssd' }, tolerations: [{ operator: 'Exists' }] }
      const manifests = await render(where)
      for (const spec of [workload(manifests).spec.template.spec, only(manifests, 'Pod').spec])
        expect(spec).toMatchObject(where)
    })

    it('says where events are posted, by each input', async () => {
      const said = await notes({
        config: { inputs: { http: { secretPath: 'a-secret-path' }, 'http/b': { path: '/b/' } } },
      })
      expect([...said.matchAll(/url: (.*)/g)].map(([, url]) => url)).toEqual([
        'http://yarak.security:2801/in/SECRET',
        'http://yarak.security:2801/b/',
      ])
      expect(said).not.toContain('a-secret-path')
      expect(await notes(KAFKA)).not.toContain('url:')
    })

    it('says what the account may do beside reading', async () => {
      const rules = { builtin: ['escapes'] }
      expect(await notes({ rules })).toContain('Its account may only read.')
      expect(await notes({ ...KAFKA, rules })).toContain('Its account may only read, and write Leases in security.')
    })

    it('says what a Secret of the user must hold', async () => {
      const said = await notes({ existingSecret: 'mine', replicas: 3, rules: { builtin: ['escapes'] } })
      const [, block = ''] = /must say, beside all else:\n((?: {2}.*\n)+)/.exec(said) ?? []
      expect(parse(block)).toEqual({
        ...{ mode: 'observe', listen: '0.0.0.0:2801', dataDir: '/var/lib/yarak', stopTimeout: '615s' },
        ...{ rules: ['/app/config/rules/escapes.yaml'], guards: { replicas: 3 }, claims: 'kubernetes' },
      })
      expect(await notes({})).not.toContain('must say')
    })

    it('warns of a network that is closed to what is to be reached', async () => {
      const closed = { networkPolicy: { enabled: true } }
      const warning = 'networkPolicy.egress is empty'
      expect(await notes({ ...closed, otlp: { endpoint: 'http://jaeger:4318' } })).toContain(warning)
      expect(await notes({ ...closed, ...KAFKA })).toContain(warning)
      expect(await notes(closed)).not.toContain(warning)
      expect(await notes({ networkPolicy: { enabled: true, egress: [{}] }, ...KAFKA })).not.toContain(warning)
    })
  })
})
