/** The pages that are written from the declarations: README.md of inputs/, outputs/ and src/actions/. */
import { deliverySettings } from '../deliver.ts'
import { settingRows, type SettingRow, settingsSchema } from '../describe.ts'
import type { Action, Input, Output, PolicyRule, Spec } from '../plugin.ts'
import { stringify } from 'yaml'
import type { Plugins } from './plugins.ts'
import { configSchema } from './schema.ts'

/** The files that are generated, by path from the root of the repository. */
export const generatedFiles = (plugins: Plugins): Record<string, string> => ({
  'config/schema.json': `${JSON.stringify(configSchema(plugins), null, 2)}\n`,
  'inputs/README.md': docsPage('Inputs', INPUTS, plugins.inputs.map(inputSection)),
  'outputs/README.md': docsPage('Outputs', OUTPUTS, [...plugins.outputs.map(outputSection), deliverySection()]),
  'src/actions/README.md': docsPage('Actions', ACTIONS, plugins.actions.map(actionSection)),
})

const INPUTS = 'Where events come from. They stand below `inputs:` in the configuration, by `type` or `type/label`.'
const OUTPUTS =
  'Who is told of events and responses. They stand below `outputs:` in the configuration, by `type` or `type/label`. ' +
  'Every output also takes the [settings of delivery](#settings-of-every-output).'
const ACTIONS = 'What a step of a rule can do. Any setting may be a Liquid template over the event.'

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
    `Changes: ${typeof action.changes === 'function' ? 'depends on its settings' : `**${action.changes}**`}.`,
    action.example === undefined ? '' : yamlBlock({ steps: [{ action: action.type, with: action.example }] }),
    Array.isArray(action.permissions) ? permissions(action.permissions as readonly PolicyRule[]) : '',
  )

const deliverySection = (): Section => ({
  title: 'Settings of every output',
  summary: 'What is told, how often it is tried, and what waits.',
  text: rowsTable(settingRows(settingsSchema(deliverySettings))),
})

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

const permissions = (rules: readonly PolicyRule[]): string =>
  rules.length === 0
    ? ''
    : `It needs these permissions:\n\n${table(
        ['API group', 'resources', 'verbs'],
        rules.map(({ apiGroups, resources, verbs }) => [
          apiGroups.map((group) => group || 'core').join(', '),
          resources.join(', '),
          verbs.join(', '),
        ]),
      )}`

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')

const cell = (text: string): string => text.replaceAll('|', String.raw`\|`).replaceAll(/\s*\n\s*/g, ' ')

const yamlBlock = (value: unknown): string => `\`\`\`yaml\n${stringify(value, { lineWidth: 0 })}\`\`\``
