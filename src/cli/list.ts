import { Argument, Command } from 'commander'
import { builtin } from '../builtin.ts'
import type { Plugins } from '../config/index.ts'
import { settingsSchema } from '../describe.ts'
import { type LoadFlags, pluginsOf, pluginsOption } from './load.ts'
import { plainTable } from './table.ts'
import type { Terminal } from './terminal.ts'

export const listCommand = (terminal: Terminal): Command =>
  new Command('list')
    .description(
      'List what comes with Yarak, and what a configuration adds: inputs, actions, outputs, resources, contexts.',
    )
    .addArgument(new Argument('<kind>', 'what to list').choices(Object.keys(builtin)))
    .addOption(pluginsOption())
    .option('--json', 'as JSON: an array of {type, summary, config}, where config is the JSON Schema of its settings')
    .addHelpText(
      'after',
      `
Examples:
  yarak list actions
  yarak list outputs --json`,
    )
    .action(async (kind: keyof Plugins, { json, ...flags }: LoadFlags & { json?: boolean }) => {
      const plugins = [...(await pluginsOf(flags, terminal))[kind]].sort((a, b) => a.type.localeCompare(b.type))
      if (json) {
        const rows = plugins.map(({ type, summary, config }) => ({ type, summary, config: settingsSchema(config) }))
        terminal.out(`${JSON.stringify(rows, null, 2)}\n`)
        return
      }
      terminal.out(`${plainTable(plugins.map(({ type, summary }) => [type, summary]))}\n`)
    })
