import { Command } from 'commander'
import { configSchema } from '../config/index.ts'
import { type LoadFlags, pluginsOf, pluginsOption } from './load.ts'
import type { Terminal } from './terminal.ts'

export const schemaCommand = (terminal: Terminal): Command =>
  new Command('schema')
    .description('Print the JSON Schema of the configuration file, for editors.')
    .addOption(pluginsOption())
    .addHelpText(
      'after',
      '\nExample:\n  yarak schema > schema.json\nand then, as the first line of the configuration:\n  # yaml-language-server: $schema=./schema.json',
    )
    .action(async (flags: LoadFlags) => {
      const plugins = await pluginsOf(flags, terminal)
      terminal.out(`${JSON.stringify(configSchema(plugins), null, 2)}\n`)
    })
