import { Command } from 'commander'
import { type ConfigProblem, createProblems, printProblems, systemFiles } from '../config/index.ts'
import { lintRules } from '../lint/index.ts'
import { placed } from '../lint/place.ts'
import { checkFalco, type FalcoFlags } from './check-falco.ts'
import { configOption, type LoadFlags, loadQuietly, repeatable } from './load.ts'
import { Exit, plural, type Terminal } from './terminal.ts'

interface Flags extends LoadFlags, FalcoFlags {
  readonly json?: boolean
}

export const checkCommand = (terminal: Terminal): Command => {
  const command = new Command('check')
    .description('Check a configuration and its rules; tell every problem with file, line and column.')
    .addOption(configOption())
    .option('--falco-config <file>', "Falco's falco.yaml, for --falco-rules (default: as Falco ships it)")
    .option('--json', 'print the problems as JSON')
    .addHelpText(
      'after',
      `
Examples:
  yarak check --config yarak.yaml
  yarak check --rules rules.yaml --rules more.yaml
  yarak check --rules rules.yaml --falco-rules falco_rules.yaml --falco-config falco.yaml
  yarak check --json                                  {ok, problems: [{severity, message, file, line, column}]}

Exits with 1 when there is an error; a warning alone is no error. With --falco-rules it is also told which rules of
Falco do not exist or are disabled, and which fields its alerts lack, with what to add.`,
    )
    .action((flags: Flags) => check(flags, terminal))
  repeatable(command, '-r, --rules <file>', 'check rules files alone (repeatable)')
  return repeatable(command, '--falco-rules <file>', "Falco's rules files, in order (repeatable)")
}

const check = (flags: Flags, terminal: Terminal): void => {
  if (flags.falcoConfig !== undefined && !flags.falcoRules) {
    terminal.err('yarak: --falco-config goes with --falco-rules\n(yarak check --help shows how)\n')
    throw new Exit(2)
  }
  const { options, problems: found } = loadQuietly(flags, terminal)
  const problems = [...found, ...lint(options?.rules ?? [], flags)]
  const ok = options !== undefined && !problems.some(({ severity }) => severity === 'error')
  if (flags.json) terminal.out(`${JSON.stringify({ ok, problems }, null, 2)}\n`)
  else terminal.err(printProblems(problems))
  if (!ok) throw new Exit(1)
  const { inputs, rules, outputs } = options
  const counts = [plural(inputs.length, 'input'), plural(rules.length, 'rule'), plural(outputs.length, 'output')]
  if (!flags.json) terminal.out(`ok: ${flags.rules ? counts[1] : counts.join(', ')}\n`)
}

const lint = (rules: Parameters<typeof lintRules>[0], flags: Flags): ConfigProblem[] => {
  const problems = createProblems()
  const findings = [...lintRules(rules), ...checkFalco(rules, flags, problems)]
  return [...problems.list(), ...placed(findings, systemFiles())]
}
