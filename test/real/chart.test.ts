/** The chart, rendered by every Helm: what it makes of values, and what it says of wrong ones. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { parseDuration } from '../../src/settings.ts'
import { yarak } from '../cli/_kit.ts'
import {
  CHART,
  configIn,
  configText,
  granted,
  type Manifest,
  manifestsIn,
  only,
  ROOT,
  withValues,
  workload,
} from '../charts/_chart.ts'
import { helm, helmVersions, type RunningHelm } from './helm.ts'
import { run } from './tools.ts'
import { describePart } from './vitest.ts'

const CASES = readdirSync(join(CHART, 'ci'))
const INSTALL = ['yarak', CHART, '--namespace', 'security']

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

    it.each(CASES)('lints and renders %s', async (name) => {
      const values = join(CHART, 'ci', name)
      await tool.helm('lint', '--strict', CHART, '-f', values)
      const manifests = manifestsIn(await tool.helm('template', ...INSTALL, '-f', values))
      const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.namespace ?? ''}/${metadata.name}`)
      expect(new Set(names).size).toBe(names.length)
      for (const { metadata } of manifests) expect(metadata.labels?.['app.kubernetes.io/instance']).toBe('yarak')
    })

    it.each([
      [{ presett: 'both' }, 'presett'],
      [{ preset: 'bot' }, 'preset'],
      [{ config: { outputs: { slak: {} } } }, 'slak'],
      [{ config: { outputs: { slack: { webhookURL: 'https://x' } } } }, 'webhookURL'],
      [{ config: { inputs: { http: { pat: '/' } } } }, 'pat'],
      [{ config: { mod: 'enforce' } }, 'mod'],
      [{ rules: { builtin: ['escape'] } }, 'builtin'],
      [{ rules: { files: { 'a.txt': [] } } }, 'a.txt'],
      [{ rules: { files: { 'a.yaml': 'rule: x' } } }, 'rules.files.a.yaml'],
      [{ rbac: { extraRules: [{ apiGroups: [''], resource: ['pods'], verbs: ['get'] }] } }, 'resource'],
      [{ keda: { enabled: true, partitions: 3 }, autoscaling: { enabled: true } }, 'autoscaling.enabled'],
      [{ keda: { enabled: true, partitions: 3 } }, 'keda.triggers'],
      [{ keda: { enabled: true } }, 'keda.partitions'],
      [{ preset: 'gateway', rules: { builtin: ['escapes'] } }, 'preset'],
      [{ preset: 'gateway', config: { outputs: { k8sevents: {} } } }, 'preset'],
      [{ tls: { secretName: 'x' }, config: { listen: '0.0.0.0:1' } }, 'config.listen'],
      [{ tls: { certManager: { enabled: true } } }, 'tls.certManager.issuerRef.name'],
      [{ journal: { existingClaim: 'x' }, replicas: 2 }, 'journal.existingClaim'],
      [{ ingress: { enabled: true } }, 'ingress.hosts'],
      [{ httpRoute: { enabled: true } }, 'httpRoute.parentRefs'],
    ])('refuses %j, and names %s', async (values, name) => {
      const failed = await render(values).then(
        () => '',
        (error: Error) => error.message.replaceAll(/^.*? ended with/gs, ''),
      )
      expect(failed).toContain(name)
    })
  })

  describe('what is rendered', () => {
    let tool: RunningHelm
    beforeAll(async () => {
      tool = await helm.start()
    })
    afterAll(() => tool?.stop())
    const render = async (values: object) => manifestsIn(await withValues(tool, dir)(['template'], values))
    const ofCase = async (name: string) =>
      manifestsIn(await tool.helm('template', ...INSTALL, '-f', join(CHART, 'ci', `${name}-values.yaml`)))
    const podOf = (manifests: readonly Manifest[]) => workload(manifests).spec.template.spec
    const checksum = (manifests: readonly Manifest[]): string =>
      workload(manifests).spec.template.metadata.annotations['checksum/config'] ?? ''

    /** As cert-manager would write it. */
    beforeAll(async () => {
      const files = { key: join(dir, 'tls.key'), certificate: join(dir, 'tls.crt') }
      const pair = ['-keyout', files.key, '-out', files.certificate]
      await run('openssl', [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=yarak',
        ...pair,
      ])
      copyFileSync(files.certificate, join(dir, 'ca.crt'))
    })

    /** What `yarak check` says of the configuration as it is in a pod. */
    const faults = async (manifests: readonly Manifest[]): Promise<string[]> => {
      const rules = manifests.find(({ metadata }) => metadata.name.endsWith('-rules'))
      for (const [file, text] of Object.entries(rules?.data ?? {})) writeFileSync(join(dir, file), text)
      const text = configText(manifests)
        .replaceAll('/app/config', join(ROOT, 'config'))
        .replaceAll('/etc/yarak/rules', dir)
        .replaceAll('/etc/yarak-tls', dir)
        .replaceAll('/var/lib/yarak', join(dir, 'data'))
      expect(text).toContain('version: 1')
      const path = join(dir, 'yarak.yaml')
      writeFileSync(path, text)
      const SLACK = 'https://hooks.slack.com/services/x'
      const env = { SLACK_URL: SLACK, SLACK_WEBHOOK: SLACK, FALCO_PATH: 'a-long-secret-path', KAFKA_PASSWORD: 'x' }
      const { out } = await yarak(['check', '--config', path, '--json'], { env })
      const { problems } = JSON.parse(out) as { problems: { severity: string; message: string }[] }
      return problems.filter(({ severity }) => severity === 'error').map(({ message }) => message)
    }

    it.each(['gateway', 'responder', 'tls', 'default'])('configures what `yarak check` takes: %s', async (name) => {
      expect(await faults(await ofCase(name))).toEqual([])
    })

    const readme = readFileSync(join(CHART, 'README.md'), 'utf8')
    const blocks = [...readme.matchAll(/^```yaml values\n([^]*?)^```/gm)].map(([, block = '']) => block)

    it.each(blocks)('takes the values of the README: %#', async (block) => {
      expect(await faults(await render(parse(block) as object))).toEqual([])
    })

    it('is where the README sends Falco', async () => {
      const [, block = ''] = /^```yaml falco\n([^]*?)^```/m.exec(readme) ?? []
      const { falco } = parse(block) as { falco: { json_output: boolean; http_output: { url: string } } }
      const service = only(await render({}), 'Service', 'yarak')
      expect(falco).toMatchObject({ json_output: true, http_output: { enabled: true } })
      expect(falco.http_output.url).toBe(`http://${service.metadata.name}.yarak:2801/`)
    })

    it('takes the values that are translated from the charts of Falcosidekick and Talon', async () => {
      for (const peer of ['falcosidekick', 'talon']) {
        const file = join(ROOT, `test/fixtures/charts/${peer === 'talon' ? 'falco-talon' : peer}-values.yaml`)
        const { out } = await yarak(['import', peer, '--values', file])
        expect((await render(parse(out) as object)).map(({ kind }) => kind)).toContain('Secret')
      }
    })

    it('takes what is imported from Falcosidekick', async () => {
      const peer = join(dir, 'falcosidekick.yaml')
      writeFileSync(
        peer,
        stringify({ slack: { webhookurl: 'https://hooks.slack.com/services/x', minimumpriority: 'error' } }),
      )
      const { out, code } = await yarak(['import', 'falcosidekick', peer])
      expect(code).toBe(0)
      const manifests = await render({ preset: 'gateway', config: parse(out) as object })
      expect(await faults(manifests)).toEqual([])
      expect(configText(manifests)).toContain('dataDir: /var/lib/yarak')
      expect(configIn(manifests).outputs.slack.webhookUrl).toContain('hooks.slack.com')
    })

    it('runs under the restricted profile, with every image of one registry', async () => {
      const manifests = await ofCase('tls')
      for (const pod of [podOf(manifests), only(manifests, 'Pod').spec]) {
        expect(pod.securityContext).toMatchObject({
          runAsNonRoot: true,
          runAsUser: 65_532,
          seccompProfile: { type: 'RuntimeDefault' },
        })
        for (const { image, securityContext } of pod.containers) {
          expect(image).toMatch(/^registry\.example\.com\/security\/yarak@sha256:0+$/)
          expect(securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          })
        }
      }
    })

    it('gives a gateway no rights and no token, and its pods nothing of the test pod', async () => {
      const manifests = await ofCase('gateway')
      expect(granted(manifests)).toEqual([])
      expect(podOf(manifests).automountServiceAccountToken).toBe(false)
      const { selector } = only(manifests, 'Service', 'yarak').spec
      expect(only(manifests, 'Pod').metadata.labels?.['app.kubernetes.io/name']).not.toBe(
        selector['app.kubernetes.io/name'],
      )
    })

    it('keeps what is posted on a volume, unless that is not wanted', async () => {
      expect(workload(await render({})).kind).toBe('StatefulSet')
      const ephemeral = await render({ journal: { ephemeral: true } })
      expect(workload(ephemeral).kind).toBe('Deployment')
      expect(podOf(ephemeral).volumes).toContainEqual({ name: 'data', emptyDir: { sizeLimit: '2Gi' } })
      expect(workload(await ofCase('responder')).kind).toBe('Deployment')
      const file = { preset: 'responder', config: { inputs: { 'file/a': { path: '/x' } } } }
      expect(workload(await render(file)).kind).toBe('StatefulSet')
      const own = await ofCase('own')
      expect(workload(own).spec.volumeClaimTemplates).toBeUndefined()
      expect(podOf(own).volumes).toContainEqual({ name: 'data', persistentVolumeClaim: { claimName: 'journal' } })
    })

    it('leaves the number of pods to who scales them, and tells the guard the most there can be', async () => {
      const keda = await ofCase('responder')
      expect(workload(keda).spec.replicas).toBeUndefined()
      expect(only(keda, 'ScaledObject').spec).toMatchObject({
        maxReplicaCount: 6,
        scaleTargetRef: { kind: 'Deployment' },
        triggers: ['falco', 'audit'].map((topic) => ({
          metadata: { topic, bootstrapServers: 'kafka-0:9092,kafka-1:9092', consumerGroup: 'yarak' },
          authenticationRef: { name: 'kafka' },
        })),
      })
      expect(configIn(keda)).toMatchObject({ guards: { replicas: 6 }, claims: 'kubernetes' })
      const hpa = await ofCase('tls')
      expect(workload(hpa).spec.replicas).toBeUndefined()
      expect(configIn(hpa).guards).toEqual({ replicas: 4, protectedNamespaces: ['kube-system', 'vault'] })
      expect(configIn(await render({})).guards).toBeUndefined()
    })

    it('passes the configuration through as it is, what is false and empty too', async () => {
      const config = {
        journal: { enabled: false, maxSize: '2GiB' },
        inputs: { http: { path: '/falco', testEndpoint: false } },
        outputs: { stdout: { minimumPriority: 'notice' } },
        enrich: { tags: [], templatedFields: { a: '{{ fields["k8s.ns.name"] }}' } },
        telemetry: { console: false },
      }
      expect(configIn(await render({ config }))).toEqual({
        ...{ version: 1, mode: 'observe', listen: '0.0.0.0:2801', dataDir: '/var/lib/yarak', stopTimeout: '15s' },
        ...config,
      })
    })

    it('waits at a stop for the longest rule', async () => {
      const grace = async (values: object) => {
        const manifests = await render(values)
        const { terminationGracePeriodSeconds } = podOf(manifests)
        const { stopTimeout } = configIn(manifests)
        expect(parseDuration(stopTimeout)).toBe(Math.max(1, terminationGracePeriodSeconds - 15) * 1_000)
        return terminationGracePeriodSeconds
      }
      const rule = (more: object) => ({ rules: { files: { 'a.yaml': [{ rule: 'x', ...more }] } } })
      expect(await grace({})).toBe(30)
      expect(await grace(rule({ deadline: '90s' }))).toBe(120)
      expect(await grace(rule({ deadline: '1h' }))).toBe(3_630)
      expect(await grace(rule({}))).toBe(630)
      expect(await grace(rule({ deadline: 90 }))).toBe(120) // `yarak check` says what is wrong with it
      expect(await grace({ terminationGracePeriodSeconds: 7 })).toBe(7)
      expect(await grace({ config: { stopTimeout: '2m' } })).toBe(135)
      const given = await render({ config: { stopTimeout: '1m' }, terminationGracePeriodSeconds: 200 })
      expect(configIn(given).stopTimeout).toBe('1m')
      expect(podOf(given).terminationGracePeriodSeconds).toBe(200)
    })

    it('starts the pods again when the configuration changes, and only then', async () => {
      const first = checksum(await render({}))
      expect(checksum(await render({ podLabels: { a: 'b' } }))).toBe(first)
      expect(checksum(await render({ config: { mode: 'enforce' } }))).not.toBe(first)
    })

    it('keeps secrets out of ConfigMaps', async () => {
      const webhookUrl = 'https://hooks.slack.com/services/SECRET'
      const manifests = await render({
        config: { outputs: { slack: { webhookUrl } } },
        rules: { files: { 'a.yaml': [] } },
      })
      const others = manifests.filter(({ kind }) => kind !== 'Secret')
      expect(JSON.stringify(others)).not.toContain('SECRET')
      expect(configIn(manifests).outputs.slack.webhookUrl).toBe(webhookUrl)
    })

    it('serves TLS, and health and metrics beside it', async () => {
      const manifests = await ofCase('tls')
      expect(configIn(manifests).listen).toEqual([
        expect.objectContaining({ address: '[::]:2801', tls: expect.objectContaining({ clientAuth: 'require' }) }),
        expect.objectContaining({ address: '[::]:2810', inputs: [] }),
      ])
      expect(podOf(manifests).containers[0]?.readinessProbe.httpGet.port).toBe('ops')
      expect(only(manifests, 'Certificate').spec.secretName).toBe('yarak-tls')
      expect(podOf(manifests).volumes).toContainEqual({ name: 'tls', secret: { secretName: 'yarak-tls' } })
    })

    it('sets the variables of proxies and telemetry', async () => {
      const { env = [] } = podOf(await ofCase('responder')).containers[0] ?? {}
      const values = Object.fromEntries(env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]))
      expect(values).toMatchObject({
        HTTPS_PROXY: 'http://proxy:3128',
        NO_PROXY: 'localhost,127.0.0.1,.svc,.cluster.local,$(KUBERNETES_SERVICE_HOST),.example.com',
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://jaeger:4318',
        OTEL_EXPORTER_OTLP_HEADERS: { secretKeyRef: { name: 'otlp', key: 'headers' } },
        POD_NAMESPACE: { fieldRef: { fieldPath: 'metadata.namespace' } },
      })
    })
  })
})
