import { Command } from 'commander'
import { type ConfigProblem, createProblems, type LoadedConfig, printProblems, systemFiles } from '../config/index.ts'
import { messageOf } from '../errors.ts'
import { lintRules } from '../lint/index.ts'
import { placed } from '../lint/place.ts'
import { checkFalco, type FalcoFlags } from './check-falco.ts'
import { configOption, falcosidekickOption, type LoadFlags, loadQuietly, modeOption, repeatable } from './load.ts'
import { isWithoutCluster, missingPermissions } from './permissions.ts'
import { Exit, plural, type Terminal } from './terminal.ts'

interface Flags extends LoadFlags, FalcoFlags {
  readonly json?: boolean
  readonly cluster?: boolean
}

export const checkCommand = (terminal: Terminal): Command => {
  const command = new Command('check')
    .description('Check a configuration and its rules; tell every problem with file, line and column.')
    .argument('[file]', 'the same as --config; - is standard input')
    .addOption(configOption())
    .addOption(falcosidekickOption())
    .option('--falco-config <file>', "Falco's falco.yaml, for --falco-rules (default: as Falco ships it)")
    .option('--cluster', 'ask the cluster too whether the account may do what the rules need')
    .addOption(modeOption())
    .option('--json', 'print the problems as JSON')
    .addHelpText(
      'after',
      `
Examples:
  yarak check --config yarak.yaml
  yarak check --rules rules.yaml --rules more.yaml
  yarak check --rules rules.yaml --falco-rules falco_rules.yaml --falco-config falco.yaml
  yarak check --config yarak.yaml --cluster
  yarak check --falcosidekick config.yaml
  yarak check --json                                  {ok, problems: [{severity, message, file, line, column}]}

Exits with 1 when there is an error; a warning alone is no error. With --falco-rules it is also told which rules of
Falco do not exist or are disabled, and which fields its alerts lack, with what to add. With --cluster, a right that the
account lacks for the rules in their mode is an error; where there is no cluster to ask, that is said and is none.`,
    )
    .action((file: string | undefined, flags: Flags) =>
      check(file === undefined ? flags : { config: file, ...flags }, terminal),
    )
  repeatable(command, '-r, --rules <file>', 'check rules files alone (repeatable)')
  return repeatable(command, '--falco-rules <file>', "Falco's rules files, in order (repeatable)")
}

const check = async (flags: Flags, terminal: Terminal): Promise<void> => {
  if (flags.falcoConfig !== undefined && !flags.falcoRules) {
    terminal.err('yarak: --falco-config goes with --falco-rules\n(yarak check --help shows how)\n')
    throw new Exit(2)
  }
  const loaded = await loadQuietly(flags, terminal)
  const { options, problems: found } = loaded
  const ofCluster = flags.cluster ? await askCluster(loaded, terminal) : []
  const problems = [...found, ...lint(options?.rules ?? [], flags), ...ofCluster]
  const ok = options !== undefined && !problems.some(({ severity }) => severity === 'error')
  if (flags.json) terminal.out(`${JSON.stringify({ ok, problems }, null, 2)}\n`)
  else terminal.err(printProblems(problems))
  if (!ok) throw new Exit(1)
  const { inputs, rules, outputs } = options
  const counts = [plural(inputs.length, 'input'), plural(rules.length, 'rule'), plural(outputs.length, 'output')]
  if (!flags.json) terminal.out(`ok: ${flags.rules ? counts[1] : counts.join(', ')}\n`)
}

/** A right that is missing is an error. */
const askCluster = async (
  { options, plugins, document }: LoadedConfig,
  { env }: Terminal,
): Promise<ConfigProblem[]> => {
  const problem = (severity: ConfigProblem['severity'], message: string): ConfigProblem => ({
    ...{ severity, message: `cluster: ${message}`, file: document.file, line: 1, column: 1 },
  })
  try {
    const lines = options ? await missingPermissions({ options, plugins, env }) : []
    return lines.map((line) => problem('error', line))
  } catch (error) {
    return [problem(isWithoutCluster(error) ? 'warning' : 'error', `not asked: ${messageOf(error)}`)]
  }
}

const lint = (rules: Parameters<typeof lintRules>[0], flags: Flags): ConfigProblem[] => {
  const problems = createProblems()
  const findings = [...lintRules(rules), ...checkFalco(rules, flags, problems)]
  return [...problems.list(), ...placed(findings, systemFiles())]
}
