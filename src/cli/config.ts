import { Command } from 'commander'
import { printConfig } from '../config/index.ts'
import { configOption, load, type LoadFlags } from './load.ts'
import { Exit, type Terminal } from './terminal.ts'

export const configCommand = (terminal: Terminal): Command =>
  new Command('config').description('Work with the configuration.').addCommand(
    new Command('print')
      .description('Print the configuration, secrets as ***.')
      .addOption(configOption())
      .option('--effective', 'with defaults and references resolved, and where each value comes from')
      .option('--json', 'as JSON')
      .addHelpText(
        'after',
        `
Examples:
  yarak config print --config yarak.yaml
  yarak config print --effective --json`,
      )
      .action(async (flags: LoadFlags & { effective?: boolean; json?: boolean }) => {
        const loaded = await load(flags, terminal)
        if (!loaded.options) throw new Exit(1)
        terminal.out(printConfig(loaded, { effective: flags.effective === true, json: flags.json === true }))
      }),
  )
