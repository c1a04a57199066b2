import { Command } from 'commander'
import { builtin } from '../builtin.ts'
import { loadFalcosidekick } from '../config/falcosidekick/index.ts'
import { printFalcosidekick } from '../config/falcosidekick/print.ts'
import { printProblems } from '../config/index.ts'
import { Exit, plural, type Terminal } from './terminal.ts'

interface Flags {
  readonly env?: boolean
}

export const importFalcosidekick = (terminal: Terminal): Command =>
  new Command('falcosidekick')
    .description('Print the configuration of Falcosidekick as one of Yarak that does the same.')
    .argument('[file]', "Falcosidekick's file, in YAML or JSON")
    .option('--env', 'with its environment variables, as references to them')
    .addHelpText(
      'after',
      `
Examples:
  yarak import falcosidekick config.yaml > yarak.yaml
  yarak import falcosidekick --env > yarak.yaml
  yarak import falcosidekick config.yaml | yarak check -

The file also loads as it is: yarak run --falcosidekick config.yaml. What differs from Falcosidekick is told as a comment
at the top. Exits with 1 when something could not be translated.`,
    )
    .action((file: string | undefined, { env = false }: Flags) => print(file, env, terminal))

const print = (file: string | undefined, env: boolean, terminal: Terminal): void => {
  if (file === undefined && !env) {
    terminal.err('yarak: name a file, or give --env\n(yarak import falcosidekick --help shows how)\n')
    throw new Exit(2)
  }
  const loaded = loadFalcosidekick({ file, env: env ? terminal.env : {}, plugins: builtin })
  terminal.err(printProblems(loaded.problems))
  if (!loaded.document.parsed) throw new Exit(1)
  const { text, secrets } = printFalcosidekick(loaded)
  if (secrets > 0)
    terminal.err(`${plural(secrets, 'secret')} of ${file} ${secrets > 1 ? 'stand' : 'stands'} in the output too\n`)
  terminal.out(text)
  if (!loaded.options) throw new Exit(1)
}
