import { Command } from 'commander'
import { builtin } from '../builtin.ts'
import { loadFalcosidekick } from '../config/falcosidekick/index.ts'
import { printFalcosidekick } from '../config/falcosidekick/print.ts'
import { importFalcosidekickValues } from '../config/falcosidekick/values.ts'
import { printProblems, systemFiles } from '../config/index.ts'
import { printValues } from './import-values.ts'
import { repeatable } from './options.ts'
import { Exit, plural, type Terminal } from './terminal.ts'

interface Flags {
  readonly env?: boolean
  readonly values?: string
  readonly secretKey?: readonly string[]
}

export const importFalcosidekick = (terminal: Terminal): Command => {
  const command = new Command('falcosidekick')
    .description('Print the configuration of Falcosidekick as one of Yarak that does the same.')
    .argument('[file]', "Falcosidekick's file, in YAML or JSON")
    .option('--env', 'with its environment variables, as references to them')
    .option('--values <file>', "the values of its Helm chart instead, as values of Yarak's")
    .addHelpText(
      'after',
      `
Examples:
  yarak import falcosidekick config.yaml > yarak.yaml
  yarak import falcosidekick --env > yarak.yaml
  yarak import falcosidekick config.yaml | yarak check -
  yarak import falcosidekick --values values.yaml > yarak-values.yaml
  yarak import falcosidekick --values values.yaml --secret-key SLACK_WEBHOOKURL > yarak-values.yaml

The file also loads as it is: yarak run --falcosidekick config.yaml. What differs from Falcosidekick is told as a comment
at the top. Exits with 1 when something could not be translated.`,
    )
    .action((file: string | undefined, flags: Flags) => print(file, flags, terminal))
  return repeatable(
    command,
    '--secret-key <name>',
    'a variable that the existingSecret of the values holds (repeatable)',
  )
}

const print = (file: string | undefined, { env = false, values, secretKey = [] }: Flags, terminal: Terminal): void => {
  const wrong =
    values === undefined
      ? secretKey.length > 0
        ? '--secret-key goes with --values'
        : file === undefined && !env && 'name a file, or give --env or --values'
      : (file !== undefined || env) && '--values goes without a file and --env'
  if (wrong) {
    terminal.err(`yarak: ${wrong}\n(yarak import falcosidekick --help shows how)\n`)
    throw new Exit(2)
  }
  if (values === undefined) return printFile(file, env, terminal)
  const options = { file: values, files: systemFiles(), plugins: builtin, secretKeys: secretKey }
  printValues(values, importFalcosidekickValues(options), terminal)
}

const printFile = (file: string | undefined, env: boolean, terminal: Terminal): void => {
  const loaded = loadFalcosidekick({ file, env: env ? terminal.env : {}, plugins: builtin })
  terminal.err(printProblems(loaded.problems))
  if (!loaded.document.parsed) throw new Exit(1)
  const { text, secrets } = printFalcosidekick(loaded)
  if (secrets > 0)
    terminal.err(`${plural(secrets, 'secret')} of ${file} ${secrets > 1 ? 'stand' : 'stands'} in the output too\n`)
  terminal.out(text)
  if (!loaded.options) throw new Exit(1)
}
