/** What the two imports print for Helm is rendered by Helm itself, its values checked by the chart's schema, and loads. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHART, configText, manifestsIn } from '../charts/_chart.ts'
import { yarak } from '../cli/_kit.ts'
import { authority, loopback } from './certificates.ts'
import { helm, helmVersions } from './helm.ts'
import { describeParts } from './vitest.ts'

interface Moving {
  readonly chart: 'falcosidekick' | 'talon'
  readonly file: string
  readonly port: number
  readonly hasRights: boolean
}

const MOVING: readonly Moving[] = [
  { chart: 'falcosidekick', file: 'falcosidekick-values.yaml', port: 443, hasRights: false },
  { chart: 'falcosidekick', file: 'falco-umbrella-values.yaml', port: 2801, hasRights: true },
  { chart: 'talon', file: 'falco-talon-values.yaml', port: 2803, hasRights: true },
]

/** Any variable that a text refers to, set to what fits most settings. */
const variablesIn = (text: string): Record<string, string> =>
  Object.fromEntries(
    Array.from(text.matchAll(/(?<!\$)\$\{env:(\w+)/g), ([, name = '']) => [name, 'https://x.example.com/']),
  )

describeParts([helm], () => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-moving-'))
  beforeAll(async () => {
    const ca = await authority(dir, 'ca')
    await ca.issue('tls', { name: 'server', hosts: loopback })
  }, 60_000)
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  describe.each(MOVING)('$file', ({ chart, file, port, hasRights }) => {
    const values = join(dir, file)
    beforeAll(async () => {
      const { code, out } = await yarak(['import', chart, '--values', join('test/fixtures/charts', file)])
      expect(code).toBe(0)
      writeFileSync(values, out)
    }, 60_000)

    it.each(helmVersions)(
      'is rendered by Helm %s, and what comes of it passes `yarak check`',
      async (version) => {
        const running = await helm.start({ version })
        try {
          const manifests = manifestsIn(await running.helm('template', 'yarak', CHART, '--values', values))
          const kinds = manifests.map(({ kind }) => kind)
          expect(kinds).toContain('StatefulSet')
          expect(kinds.includes('ClusterRole')).toBe(hasRights)
          const service = manifests.find(({ kind }) => kind === 'Service')
          expect(service?.spec).toMatchObject({ ports: expect.arrayContaining([expect.objectContaining({ port })]) })
          const config = configFrom(manifests, join(dir, `${file}-${version}`))
          const { code, err } = await yarak(['check', '--config', config], {
            env: variablesIn(readFileSync(config, 'utf8')),
          })
          expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' })
        } finally {
          await running.stop()
        }
      },
      60_000,
    )
  })
})

/** Writes what is mounted into a folder, beside the certificate; gives the path of the configuration there. */
const configFrom = (manifests: ReturnType<typeof manifestsIn>, at: string): string => {
  mkdirSync(join(at, 'rules'), { recursive: true })
  const rules = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'yarak-rules')
  for (const [name, text] of Object.entries(rules?.data ?? {})) writeFileSync(join(at, 'rules', name), text)
  const here = { '/etc/yarak/rules': join(at, 'rules'), '/etc/yarak-tls': resolve(at, '..') }
  const text = Object.entries(here).reduce((all, [there, path]) => all.replaceAll(there, path), configText(manifests))
  writeFileSync(join(at, 'yarak.yaml'), text)
  return join(at, 'yarak.yaml')
}
