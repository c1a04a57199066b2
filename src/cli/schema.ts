import { Command } from 'commander'
import { builtin } from '../builtin.ts'
import { configSchema } from '../config/index.ts'
import type { Terminal } from './terminal.ts'

export const schemaCommand = (terminal: Terminal): Command =>
  new Command('schema')
    .description('Print the JSON Schema of the configuration file, for editors.')
    .addHelpText(
      'after',
      '\nExample:\n  yarak schema > schema.json\nand then, as the first line of the configuration:\n  # yaml-language-server: $schema=./schema.json',
    )
    .action(() => terminal.out(`${JSON.stringify(configSchema(builtin), null, 2)}\n`))
