/** The pages that are written from the declarations: README.md of config/, inputs/, outputs/, src/actions/, src/contexts/. */
import { originSettings } from '../cluster.ts'
import { deliverySettings } from '../delivery-settings.ts'
import { settingRows, type SettingRow, settingsSchema } from '../describe.ts'
import { mergePermissions, permissionsFor } from '../permissions.ts'
import type { Action, Context, Input, Output, PolicyRule, Resource, Spec } from '../plugin.ts'
import { stringify } from 'yaml'
import { chartFiles } from './chart.ts'
import { RULES, type RulesPart, rulesParts } from './docs-rules.ts'
import type { Plugins } from './plugins.ts'
import { configSchema } from './schema.ts'
import { fileSettings } from './settings.ts'

/** The files that are generated, by path from the root of the repository. */
export const generatedFiles = (plugins: Plugins): Record<string, string> => ({
  'config/README.md': docsPage('Configuration', CONFIGURATION, [
    fileSection(),
    ...plugins.resources.map(resourceSection),
  ]),
  'config/rules/README.md': docsPage('Rules', RULES, rulesParts().map(rulesSection)),
  'config/schema.json': `${JSON.stringify(configSchema(plugins), null, 2)}\n`,
  'inputs/README.md': docsPage('Inputs', INPUTS, [...plugins.inputs.map(inputSection), originSection()]),
  'outputs/README.md': docsPage('Outputs', OUTPUTS, [...plugins.outputs.map(outputSection), deliverySection()]),
  'src/actions/README.md': docsPage('Actions', ACTIONS, plugins.actions.map(actionSection)),
  'src/contexts/README.md': docsPage('Contexts', CONTEXTS, plugins.contexts.map(contextSection)),
  ...chartFiles(plugins),
})

const CONFIGURATION =
  'What stands in a configuration file; [yarak.yaml](yarak.yaml) is one, with comments. Values may be `${env:NAME}`, ' +
  '`${env:NAME:-default}`, `${file:/path}` and `${here}`, the folder of the file. The sections have pages of their own: ' +
  '[`inputs`](../inputs/README.md), [`outputs`](../outputs/README.md), [`contexts`](../src/contexts/README.md), ' +
  '[`rules`](rules/README.md) and the [actions](../src/actions/README.md) of their steps; ' +
  '[`plugins`](../src/actions/WRITING.md) of your own. `resources` are clients that several of them share, by type.'
const INPUTS =
  'Where events come from. They stand below `inputs:` in the configuration, by `type` or `type/label`. ' +
  'Every input also takes the [settings of every input](#settings-of-every-input).'
const OUTPUTS =
  'Who is told of events and responses. They stand below `outputs:` in the configuration, by `type` or `type/label`. ' +
  'Every output also takes the [settings of delivery](#settings-of-every-output).'
const ACTIONS =
  'What a step of a rule can do. Any setting may be a Liquid template over the event, but for those that decide what it ' +
  'may do. Permissions are those of the example; `yarak rbac` prints those of your rules, with what it takes to undo ' +
  'them. [Write your own action in ten lines](WRITING.md).'
const CONTEXTS =
  'Data beside the event. Templates of a step and its `if` see it as `context.<type>`, e.g. ' +
  '`{{ context.pod.labels.team | default: "none" }}` or `if: context.k8snode.role != control-plane`. It is looked up ' +
  'when a step names it, once for a response; a lookup that fails, fails the step. Settings stand below `contexts:` in ' +
  'the configuration, by type.'

/** One part of a page, with its heading. */
export interface Section {
  readonly title: string
  readonly summary: string
  readonly text: string
}

/** A page: an introduction, a table of what there is, and the sections. */
export const docsPage = (title: string, introduction: string, sections: readonly Section[]): string =>
  [
    `# ${title}`,
    '<!-- Generated from the declarations by `node src/cli/generate.ts`; do not edit. -->',
    introduction,
    table(
      ['type', 'what it does'],
      sections.map((one) => [`[${heading(one.title)}](#${anchor(one.title)})`, cell(one.summary)]),
    ),
    ...sections.map(({ title: name, text }) => `## ${heading(name)}\n\n${text}`),
  ].join('\n\n') + '\n'

/** Types are code, other titles are words. */
const heading = (title: string): string => (/^[A-Z]/.test(title) ? title : `\`${title}\``)

/** The anchor that code hosts give to a heading. */
const anchor = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-')

/** The section of any plugin: summary, notes, settings, and what the kind adds. */
const sectionOf = (spec: Spec, ...more: readonly string[]): Section => ({
  title: spec.type,
  summary: spec.summary,
  text: [spec.summary, ...(spec.notes ? [spec.notes.trim()] : []), ...more, settingsTable(spec)]
    .filter(Boolean)
    .join('\n\n'),
})

export const inputSection = (input: Input): Section =>
  sectionOf(
    input,
    input.replayable
      ? 'Replayable: the source gives an event again until it is settled.'
      : 'Not replayable: once accepted, an event is kept by the gateway alone.',
  )

export const outputSection = (output: Output): Section =>
  sectionOf(output, output.example ? yamlBlock({ outputs: { [output.type]: output.example.config } }) : '')

export const actionSection = (action: Action): Section =>
  sectionOf(
    action,
    natureOf(action),
    action.example === undefined ? '' : yamlBlock({ steps: [exampleStep(action)] }),
    permissions(permissionsFor(action, action.example)),
  )

/** A step that always makes files names where they are kept. */
const exampleStep = ({ type, example, saves }: Action) => ({
  ...{ action: type, with: example },
  ...(saves === 'always' && { store: 'file' }),
})

/** What it does to the world, and what becomes of what it makes. */
const natureOf = ({ changes, dryRun, undo, saves, concurrency, config }: Action): string =>
  [
    `Changes: ${typeof changes === 'function' ? 'depends on its settings' : `**${changes}**`}.`,
    dryRun && 'In observe mode it validates, and changes nothing.',
    undo && `It is undone by \`yarak responses undo\`${hasTtl(config) ? ', and by itself after `ttl`' : ''}.`,
    saves && SAVES[saves],
    concurrency && `At most ${concurrency} run${concurrency === 1 ? 's' : ''} at a time.`,
  ]
    .filter(Boolean)
    .join(' ')

const hasTtl = (config: Spec['config']): boolean => Object.hasOwn(settingsSchema(config).properties ?? {}, 'ttl')

const SAVES = {
  always: 'It makes files: its step names a `store`.',
  maybe: 'It makes files: they go to the `store` of its step, else to `evidence` in the data directory.',
}

const contextSection = (context: Context): Section => sectionOf(context, permissions(context.permissions ?? []))

const resourceSection = (resource: Resource): Section => sectionOf(resource)

/** What stands in a file, but for its sections: each has a page of its own. */
const fileSection = (): Section => {
  const rows = settingRows(settingsSchema(fileSettings))
  return {
    title: 'The file',
    summary: 'Mode, cluster, guards, listeners, journal, log.',
    text: rowsTable(rows.filter(({ name }) => !SECTIONS.test(name))),
  }
}

/** Beside sections: places of a list, whose settings are those of a single one. */
const SECTIONS = /^(?:inputs|outputs|resources|contexts|rules)\b|^listen\[\]/

const originSection = (): Section => ({
  title: 'Settings of every input',
  summary: 'Which cluster its events are of.',
  text: rowsTable(settingRows(settingsSchema(originSettings))),
})

const deliverySection = (): Section => ({
  title: 'Settings of every output',
  summary: 'What is told, how often it is tried, and what waits.',
  text: rowsTable(settingRows(settingsSchema(deliverySettings))),
})

const rulesSection = ({ title, summary, notes = [], source, tables = [], example }: RulesPart): Section => {
  const rows = source ? settingRows(settingsSchema(source)).filter(({ name }) => !ENTRIES.test(name)) : []
  const words = tables.map(({ head, rows: of }) =>
    table(
      [head, 'what it does'],
      Object.entries(of).map(([word, does]) => [`\`${word}\``, cell(does)]),
    ),
  )
  return {
    title,
    summary,
    text: [summary, ...notes, yamlBlock(example), ...words, ...(rows.length > 0 ? [rowsTable(rows)] : [])].join('\n\n'),
  }
}

/** What entries of lists of steps hold: they have sections of their own. */
const ENTRIES = /^(?:steps|onFailure|finally|parallel)\[\]/

const settingsTable = ({ config }: Spec): string => {
  const rows = settingRows(settingsSchema(config))
  return rows.length > 0 ? rowsTable(rows) : 'It has no settings.'
}

const rowsTable = (rows: readonly SettingRow[]): string =>
  table(
    ['setting', 'type', 'default', 'description'],
    rows.map((row) => [
      `\`${row.name}\``,
      `${cell(row.type)}${row.secret ? ', secret' : ''}`,
      row.required ? '**required**' : row.default === undefined ? '' : `\`${cell(row.default)}\``,
      cell(row.description),
    ]),
  )

const permissions = (rules: readonly PolicyRule[]): string => {
  if (rules.length === 0) return ''
  const merged = mergePermissions(rules)
  const notes = merged.map(noteOf)
  const noted = notes.some(Boolean)
  return `It needs these permissions:\n\n${table(
    ['API group', 'resources', 'verbs', ...(noted ? ['note'] : [])],
    merged.map(({ apiGroups, resources, verbs }, i) => [
      apiGroups.map((group) => group || 'core').join(', '),
      resources.join(', '),
      verbs.join(', '),
      ...(noted ? [cell(notes[i] ?? '')] : []),
    ]),
  )}`
}

const noteOf = ({ namespace, resourceNames, warning }: PolicyRule): string =>
  [
    namespace && 'only where Yarak runs',
    resourceNames && `only ${resourceNames.map((name) => `\`${name}\``).join(', ')}`,
    warning,
  ]
    .filter(Boolean)
    .join('; ')

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')

const cell = (text: string): string => text.replaceAll('|', String.raw`\|`).replaceAll(/\s*\n\s*/g, ' ')

const yamlBlock = (value: unknown): string =>
  `\`\`\`yaml\n${stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })}\`\`\``
