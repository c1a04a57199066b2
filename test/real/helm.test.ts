import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { helm, helmVersions, type RunningHelm } from './helm.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { versions } from './versions.ts'
import { describeParts } from './vitest.ts'

const manifest = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
  kubernetes: {{ .Capabilities.KubeVersion.Version | quote }}
  colour: {{ .Values.colour | quote }}
`

/** A chart that a server which does not tell its true version could not take. */
const writeChart = (dir: string): string => {
  const [major, minor] = versions.kubernetes.split('.')
  const chart = { apiVersion: 'v2', name: 'trivial', version: '0.1.0', kubeVersion: `>=${major}.${minor}.0-0` }
  mkdirSync(join(dir, 'templates'), { recursive: true })
  writeFileSync(join(dir, 'Chart.yaml'), JSON.stringify(chart))
  writeFileSync(join(dir, 'values.yaml'), 'colour: red\n')
  writeFileSync(join(dir, 'templates', 'map.yaml'), manifest)
  return dir
}

describeParts([helm, kubernetes], () => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-chart-'))
  const chart = writeChart(dir)
  let cluster: RunningKubernetes

  beforeAll(async () => {
    cluster = await kubernetes.start()
  }, 120_000)
  afterAll(async () => {
    await cluster?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  describe.each(helmVersions)('Helm %s', (version) => {
    let tool: RunningHelm

    beforeAll(async () => {
      tool = await helm.start({ version, kubeconfig: cluster.addresses.kubeconfig })
    })
    afterAll(() => tool?.stop())

    const maps = async () => (await cluster.cluster.core.listNamespacedConfigMap({ namespace: 'default' })).items

    it('says its true version', async () => {
      expect(await tool.helm('version', '--template', '{{ .Version }}')).toBe(`v${version}`)
    })

    it('renders without a cluster', async () => {
      const alone = await helm.start({ version })
      const rendered = await alone.helm('template', 'release', chart, '--set', 'colour=blue').finally(alone.stop)
      expect(rendered).toContain('colour: "blue"')
      expect(rendered).toMatch(/kubernetes: "v1\.\d+\.\d+"/)
    })

    it('has the server check an install, which leaves nothing behind', async () => {
      const answer = await tool.helm('install', 'release', chart, '--dry-run=server')
      expect(answer).toContain(`kubernetes: "v${versions.kubernetes}"`)
      expect((await maps()).map(({ metadata }) => metadata?.name)).not.toContain('release')
    })

    it('installs, upgrades and removes a release', async () => {
      await tool.helm('install', 'release', chart)
      await tool.helm('upgrade', 'release', chart, '--set', 'colour=green')
      const map = (await maps()).find(({ metadata }) => metadata?.name === 'release')
      expect(map?.data).toMatchObject({ colour: 'green' })
      await tool.helm('uninstall', 'release', '--wait')
      expect((await maps()).map(({ metadata }) => metadata?.name)).not.toContain('release')
    })

    it('fails with what the server says', async () => {
      const missing = await cluster.cluster.kubeconfigFor('default', 'default')
      const powerless = await helm.start({ version, kubeconfig: missing })
      const install = powerless.helm('install', 'refused', chart).finally(powerless.stop)
      await expect(install).rejects.toThrow(/forbidden/)
    })
  })
})
