import { Command } from 'commander'
import { configOption, load, type LoadFlags, repeatable } from './load.ts'
import { Exit, type Terminal } from './terminal.ts'

export const checkCommand = (terminal: Terminal): Command => {
  const command = new Command('check')
    .description('Check a configuration and its rules; tell every problem with file, line and column.')
    .addOption(configOption())
    .option('--json', 'print the problems as JSON')
    .addHelpText(
      'after',
      '\n  yarak check --config yarak.yaml\n  yarak check --rules rules.yaml\n\nExits with 1 when there is an error.',
    )
    .action((flags: LoadFlags & { json?: boolean }) => {
      const { options, problems } = load(flags, flags.json ? { ...terminal, err: () => {} } : terminal)
      if (flags.json) terminal.out(`${JSON.stringify({ ok: options !== undefined, problems }, null, 2)}\n`)
      if (!options) throw new Exit(1)
      const { inputs, rules, outputs } = options
      if (!flags.json) terminal.out(`ok: ${inputs.length} inputs, ${rules.length} rules, ${outputs.length} outputs\n`)
    })
  return repeatable(command, '-r, --rules <file>', 'check rules files alone (repeatable)')
}
