/** `yarak`: one file per command. */
import { Command, CommanderError } from 'commander'
import { messageOf, YarakError } from '../errors.ts'
import { VERSION } from '../version.ts'
import { Exit, type Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  yarak run                                       the shipped demo, or ./yarak.yaml when there is one
  yarak run --config yarak.yaml                   inputs, rules and outputs of a file
  yarak run --file events.jsonl --rules my.yaml --once
                                                  try rules on recorded alerts; changes nothing
  yarak check --config yarak.yaml                 every problem, with its place
  yarak explain -e alert.json --rules my.yaml     why a rule matches, or does not
  yarak test config/rules                         run the cases that stand beside the rules
  yarak replay falco.jsonl.gz --rules my.yaml     what rules would have done; nothing is run
  yarak send                                      post a sample alert to a running gateway
  yarak send --output slack --dry-run             what an output would send
  yarak outputs status                            queues, breakers and last errors of a running gateway
  yarak rbac --config yarak.yaml                  what it must be allowed in the cluster
  yarak list actions --json                       what a step can do
  yarak dlq ls                                    what could not be delivered, or was no event
  yarak responses ls                              what rules have done; also show, undo
  yarak trace 4bf92f35                            the responses of a trace, as a tree
  yarak journal stats                             what is kept over a crash
  yarak audit verify                              whether the record of who did what was changed
  yarak doctor                                    what is wrong, and what to do about it
  yarak log level kubernetes debug                change what a running gateway logs
  yarak import talon config.yaml rules.yaml       configuration and rules of Falco Talon as Yarak's
  yarak import falcosidekick config.yaml          configuration of Falcosidekick as Yarak's

Exit codes: 0 done, 1 failed or problems found, 2 wrong usage.`

/** Runs a command line; gives the exit code. */
export const main = async (args: readonly string[], terminal: Terminal): Promise<number> => {
  const program = new Command('yarak')
    .description('An embeddable gateway and response engine for Falco.')
    .version(VERSION, '-V, --version', 'print the version')
    .addHelpText('after', EXAMPLES)
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      getOutHasColors: () => terminal.colours.out,
      getErrHasColors: () => terminal.colours.err,
    })
    .exitOverride()
  for (const load of commandsFor(args)) program.addCommand((await load())(terminal))
  for (const command of commandsOf(program)) {
    command.copyInheritedSettings(program).showHelpAfterError(`(${pathOf(command)} --help shows how)`)
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof Exit) return error.code
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    terminal.err(`yarak: ${messageOf(error)}\n`)
    if (!(error instanceof YarakError) && terminal.env.DEBUG) terminal.err(`${(error as Error).stack ?? ''}\n`)
    return 1
  }
}

type Load = () => Promise<(terminal: Terminal) => Command>

/** Each command, loaded when it is asked for: what one needs, another need not wait for. */
const COMMANDS: Readonly<Record<string, Load>> = {
  run: async () => (await import('./run.ts')).runCommand,
  check: async () => (await import('./check.ts')).checkCommand,
  explain: async () => (await import('./explain.ts')).explainCommand,
  test: async () => (await import('./test.ts')).testCommand,
  replay: async () => (await import('./replay.ts')).replayCommand,
  config: async () => (await import('./config.ts')).configCommand,
  rbac: async () => (await import('./rbac.ts')).rbacCommand,
  list: async () => (await import('./list.ts')).listCommand,
  schema: async () => (await import('./schema.ts')).schemaCommand,
  send: async () => (await import('./send.ts')).sendCommand,
  outputs: async () => (await import('./outputs.ts')).outputsCommand,
  dlq: async () => (await import('./dlq.ts')).dlqCommand,
  responses: async () => (await import('./responses.ts')).responsesCommand,
  trace: async () => (await import('./trace.ts')).traceCommand,
  journal: async () => (await import('./journal.ts')).journalCommand,
  audit: async () => (await import('./audit.ts')).auditCommand,
  log: async () => (await import('./log.ts')).logCommand,
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
  import: async () => (await import('./import.ts')).importCommand,
}

/** The one that is asked for; all of them for help, and to say what was meant. */
const commandsFor = ([name = '']: readonly string[]): readonly Load[] => {
  const one = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  return one ? [one] : Object.values(COMMANDS)
}

const commandsOf = (command: Command): Command[] => [command, ...command.commands.flatMap(commandsOf)]

/** @example 'yarak config print' */
const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()
