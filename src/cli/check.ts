import { Command } from 'commander'
import { configOption, load, type LoadFlags, repeatable } from './load.ts'
import { Exit, plural, type Terminal } from './terminal.ts'

export const checkCommand = (terminal: Terminal): Command => {
  const command = new Command('check')
    .description('Check a configuration and its rules; tell every problem with file, line and column.')
    .addOption(configOption())
    .option('--json', 'print the problems as JSON')
    .addHelpText(
      'after',
      `
Examples:
  yarak check --config yarak.yaml
  yarak check --rules rules.yaml --rules more.yaml
  yarak check --json                                  {ok, problems: [{severity, message, file, line, column}]}

Exits with 1 when there is an error; a warning alone is no error.`,
    )
    .action((flags: LoadFlags & { json?: boolean }) => {
      const { options, problems } = load(flags, flags.json ? { ...terminal, err: () => {} } : terminal)
      if (flags.json) terminal.out(`${JSON.stringify({ ok: options !== undefined, problems }, null, 2)}\n`)
      if (!options) throw new Exit(1)
      const { inputs, rules, outputs } = options
      const counts = [plural(inputs.length, 'input'), plural(rules.length, 'rule'), plural(outputs.length, 'output')]
      if (!flags.json) terminal.out(`ok: ${flags.rules ? counts[1] : counts.join(', ')}\n`)
    })
  return repeatable(command, '-r, --rules <file>', 'check rules files alone (repeatable)')
}
