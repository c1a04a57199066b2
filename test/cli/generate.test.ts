import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { staleFiles, writeGenerated } from '../../src/cli/generate.ts'
import { generatedFiles } from '../../src/config/docs.ts'
import { plugins } from '../config/_kit.ts'

const root = mkdtempSync(join(tmpdir(), 'yarak-generate-'))
afterAll(() => rmSync(root, { recursive: true }))

const NAMES = [
  'config/README.md',
  'config/rules/README.md',
  'config/schema.json',
  'inputs/README.md',
  'outputs/README.md',
  'src/actions/README.md',
  'src/contexts/README.md',
  'charts/yarak/files/rights.json',
  'charts/yarak/values.schema.json',
]

describe('generated files', () => {
  it('are written once, and stale when touched', () => {
    expect(staleFiles(root, plugins)).toEqual(NAMES)
    expect(writeGenerated(root, plugins)).toEqual(NAMES)
    expect(staleFiles(root, plugins)).toEqual([])
    writeFileSync(join(root, 'outputs/README.md'), 'touched')
    expect(staleFiles(root, plugins)).toEqual(['outputs/README.md'])
    expect(writeGenerated(root, plugins)).toEqual(['outputs/README.md'])
    expect(readFileSync(join(root, 'outputs/README.md'), 'utf8')).toContain('# Outputs')
  })

  it('have a section with the settings of each plugin', () => {
    const page = generatedFiles(plugins)['outputs/README.md'] ?? ''
    expect(page).toContain('| [`slack`](#slack) | A Slack channel. |')
    expect(page).toContain('| `webhookUrl` | URL, secret | **required** | The incoming webhook. |')
    expect(page).toContain('| `color` | auto \\| none | `"auto"` | The bar at the side. |')
    expect(page).toContain('```yaml\noutputs:\n  slack:\n    webhookUrl: https://hooks.slack.com/services/x\n```')
    expect(page).toContain('## Settings of every output')
  })

  it('say what an action changes and which permissions it needs', () => {
    const page = generatedFiles(plugins)['src/actions/README.md'] ?? ''
    expect(page).toContain('Changes: **reversible**.')
    expect(page).toContain('| core | pods | get, patch |')
    expect(page).toContain('[`kubernetes:label`](#kuberneteslabel)')
  })

  it('name every plugin that comes along', () => {
    const files = generatedFiles(builtin)
    for (const { type } of builtin.inputs) expect(files['inputs/README.md']).toContain(`## \`${type}\``)
    for (const { type } of builtin.outputs) expect(files['outputs/README.md']).toContain(`## \`${type}\``)
    for (const { type } of builtin.actions) expect(files['src/actions/README.md']).toContain(`## \`${type}\``)
    for (const { type } of builtin.contexts) expect(files['src/contexts/README.md']).toContain(`## \`${type}\``)
    for (const { type } of builtin.resources) expect(files['config/README.md']).toContain(`## \`${type}\``)
  })
})
