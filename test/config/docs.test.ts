/** The pages that are written from the declarations, as readers meet them. */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { builtin } from '../../src/builtin.ts'
import { generatedFiles } from '../../src/config/docs.ts'
import { loadConfig } from '../../src/config/index.ts'
import { defineAction, defineContext, defineResource, z } from '../../src/plugin.ts'
import { brief, plugins } from './_kit.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const shipped = generatedFiles(builtin)
const pages = Object.entries(shipped).filter(([path]) => path.endsWith('.md'))

const sectionOf = (page: string, title: string): string =>
  page.split(/^## /m).find((section) => section.startsWith(`\`${title}\``)) ?? ''

const nothing = { summary: 'Does it.', config: z.strictObject({}), run: async () => ({ summary: 'done' }) }

/** The section of an action among those of the page. */
const actionPage = (...actions: Parameters<typeof generatedFiles>[0]['actions']): string =>
  generatedFiles({ ...plugins, actions })['src/actions/README.md'] ?? ''

describe('every page', () => {
  it.each(pages)('%s leads to sections and files that are there', (path, text) => {
    const titles = [...text.matchAll(/^## (.*)$/gm)].map(([, title = '']) => title)
    const anchors = titles.map(
      (title) =>
        `#${title
          .toLowerCase()
          .replaceAll(/[^a-z0-9 _-]/g, '')
          .replaceAll(' ', '-')}`,
    )
    for (const [, to = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (to.startsWith('#')) expect(anchors).toContain(to)
      else if (!/^https?:/.test(to)) expect(existsSync(join(ROOT, dirname(path), to)) || to in shipped, to).toBe(true)
    }
  })

  it.each(pages)('%s has rows that no text breaks', (_path, text) => {
    for (const table of text.match(/^\|.*(?:\n\|.*)+/gm) ?? []) {
      const widths = table.split('\n').map((row) => row.replaceAll(String.raw`\|`, '').split('|').length)
      expect(new Set(widths).size, table).toBe(1)
    }
  })

  it.each(pages)('%s repeats nothing by an anchor of YAML', (_path, text) => {
    for (const [, yaml = ''] of text.matchAll(/^```yaml\n([^]*?)^```$/gm)) expect(yaml).not.toMatch(/[:-] [&*]a\d/)
  })
})

describe('the page on actions', () => {
  const page = shipped['src/actions/README.md'] ?? ''

  it('leads to how to write one', () => {
    expect(page).toContain('(WRITING.md)')
  })

  it('has examples that load as rules', () => {
    const stores = 'outputs: { file: { path: x.jsonl, dir: files } }\n'
    const examples = [...page.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, text = '']) => text)
    expect(examples).toHaveLength(builtin.actions.length)
    for (const example of examples) {
      const { steps } = parse(example) as { steps: { action: string }[] }
      const saves = builtin.actions.some(({ type, saves }) => type === steps[0]?.action && saves === 'always')
      const stored = steps.map((step) => ({ ...step, ...(saves && { store: 'file' }) }))
      const rule = JSON.stringify([{ rule: 'Example', match: { source: 'syscall' }, steps: stored }])
      const text = `version: 1\ninputs: { http: }\n${stores}rules: ${rule}\n`
      const { problems } = loadConfig({ file: 'y.yaml', text, env: { FIREWALL_TOKEN: 'x' }, plugins: builtin })
      expect(
        brief(problems).filter((line) => !line.includes('warning')),
        example,
      ).toEqual([])
    }
  })

  it('says of each what becomes of its change, its files and its haste', () => {
    const undo = { in: plugins.resources[0] ?? expect.fail(), on: [], run: async () => ({ summary: 'undone' }) }
    const config = z.strictObject({ ttl: z.string().optional().describe('How long.') })
    const text = actionPage(
      defineAction({ ...nothing, type: 'a:kept', changes: 'reversible', undo, config, dryRun: true, concurrency: 4 }),
      defineAction({ ...nothing, type: 'a:asked', changes: 'reversible', undo, concurrency: 1 }),
      defineAction({ ...nothing, type: 'a:file', changes: 'nothing', saves: 'always' }),
      defineAction({ ...nothing, type: 'a:plain', changes: 'destructive' }),
    )
    expect(sectionOf(text, 'a:kept')).toContain(
      'Changes: **reversible**. In observe mode it validates, and changes nothing. It is undone by `yarak responses undo`, and by itself after `ttl`. At most 4 run at a time.',
    )
    expect(sectionOf(text, 'a:asked')).toContain('It is undone by `yarak responses undo`. At most 1 runs at a time.')
    expect(sectionOf(text, 'a:file')).toContain('Changes: **nothing**. It makes files: its step names a `store`.')
    expect(sectionOf(text, 'a:plain')).toContain('Changes: **destructive**.\n')
  })

  it('says what the example needs to be allowed, and of each right whether there is more to it', () => {
    const text = actionPage(
      defineAction({
        ...nothing,
        type: 'a:needy',
        changes: 'destructive',
        config: z.strictObject({ hard: z.boolean().default(false).describe('Hard.') }),
        example: { hard: true },
        permissions: ({ hard }) => [
          { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
          { apiGroups: [''], resources: ['pods'], verbs: [hard ? 'delete' : 'patch'] },
          { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create'], namespace: 'own' },
          { apiGroups: [''], resources: ['nodes/proxy'], verbs: ['create'], warning: 'it is wide' },
        ],
      }),
    )
    expect(text).toContain('| core | pods | delete, get |  |')
    expect(text).toContain('| batch | jobs | create | only where Yarak runs |')
    expect(text).toContain('| core | nodes/proxy | create | it is wide |')
  })
})

describe('the page on the configuration', () => {
  const page = shipped['config/README.md'] ?? ''

  it('tells what stands in the file, once, and leaves the sections to their pages', () => {
    for (const name of ['guards.budgets[].scope', 'guards.breaker.cooldown', 'guards.maxEventAge', 'cluster.field']) {
      expect(page.split(`| \`${name}\` |`)).toHaveLength(2)
    }
    expect(page).toContain('| `listen.tls.certFile` |')
    for (const name of ['listen[].tls', 'inputs', 'rules', 'rules[]']) expect(page).not.toContain(`| \`${name}\` |`)
  })

  it('has each resource, with its settings', () => {
    for (const { type } of builtin.resources) expect(page).toContain(`## \`${type}\``)
    expect(page).toContain('| `nodeHelper.enabled` | true or false | `false` |')
    const mail = defineResource({
      type: 'mail',
      summary: 'A mailbox.',
      config: z.strictObject({ box: z.string().describe('Its name.') }),
      open: async () => ({}),
    })
    const text = generatedFiles({ ...plugins, resources: [mail] })['config/README.md'] ?? ''
    expect(text).toContain('| [`mail`](#mail) | A mailbox. |')
    expect(text).toContain('| `box` | text | **required** | Its name. |')
  })
})

describe('the page on contexts', () => {
  it('has each, with its members and what it needs', () => {
    const page = shipped['src/contexts/README.md'] ?? ''
    for (const { type, summary } of builtin.contexts) expect(sectionOf(page, type)).toContain(summary)
    expect(sectionOf(page, 'k8snode')).toContain('| core | nodes | get |')
    expect(sectionOf(page, 'k8snode')).toContain('`topology.zone`')
    expect(sectionOf(page, 'pod')).toContain('It has no settings.')
  })

  it('shows one that somebody adds', () => {
    const team = defineContext({
      type: 'team',
      summary: 'Who owns it.',
      config: z.strictObject({ url: z.url().describe('Where to ask.') }),
      lookup: async () => ({}),
    })
    const page = generatedFiles({ ...plugins, contexts: [team] })['src/contexts/README.md'] ?? ''
    expect(page).toContain('| [`team`](#team) | Who owns it. |')
    expect(page).toContain('| `url` | URL | **required** | Where to ask. |')
  })
})
