import { constants, copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { text as textOf } from 'node:stream/consumers'
import { Command } from 'commander'
import { createProblems, printConfig, printProblems, systemFiles } from '../config/index.ts'
import { migrate } from '../config/migrate.ts'
import { readDocument } from '../config/read.ts'
import { messageOf, YarakError } from '../errors.ts'
import { CONFIG_PLACES, configOption, load, type LoadFlags } from './load.ts'
import { Exit, type Terminal } from './terminal.ts'

export const configCommand = (terminal: Terminal): Command =>
  new Command('config')
    .description('Work with the configuration.')
    .addCommand(printCommand(terminal))
    .addCommand(migrateCommand(terminal))

const printCommand = (terminal: Terminal): Command =>
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
    })

const migrateCommand = (terminal: Terminal): Command =>
  new Command('migrate')
    .description('Bring a configuration of an older version up to date, with its comments and its order.')
    .argument('[file]', `the configuration, - for standard input (default: ./${CONFIG_PLACES.join(', ')})`)
    .option('--write', 'into the file itself; as it was it stays beside it, with .bak after its name')
    .addHelpText(
      'after',
      `
Examples:
  yarak config migrate yarak.yaml             print it, and what was done
  yarak config migrate yarak.yaml --write
  yarak config migrate - < old.yaml | yarak check -

Exits with 0 also when there is nothing to do, and with 1 when the file is of a newer version than this program.`,
    )
    .action((file: string | undefined, { write = false }: { write?: boolean }) => migrateFile(file, write, terminal))

const STDIN = '-'

const migrateFile = async (named: string | undefined, write: boolean, terminal: Terminal): Promise<void> => {
  const file = named ?? CONFIG_PLACES.find((path) => existsSync(path))
  if (file === undefined || (file === STDIN && write)) {
    terminal.err(`yarak: ${file === undefined ? 'name a file' : '--write needs a file'}\n`)
    throw new Exit(2)
  }
  const problems = createProblems()
  const text = file === STDIN ? await textOf(process.stdin) : readFile(file)
  const migrated = migrate(readDocument(file, text, problems, { references: undefined }), problems)
  if (!migrated) {
    terminal.err(printProblems(problems.list()))
    throw new Exit(1)
  }
  const { done } = migrated
  terminal.err(
    done.length > 0 ? done.map((one) => `${one}\n`).join('') : `${file} is of the newest version: nothing to do\n`,
  )
  if (!write) terminal.out(migrated.text)
  else if (done.length > 0) terminal.err(`written; as it was it is ${replace(file, migrated.text)}\n`)
}

const readFile = (file: string): string => {
  try {
    return systemFiles().read(file)
  } catch (error) {
    throw new YarakError('config', `cannot read ${file}: ${messageOf(error)}`, { cause: error })
  }
}

/** In place: its owner, its rights and the links to it stay. Gives the name of the copy from before. */
const replace = (file: string, text: string): string => {
  const copy = `${file}.bak`
  if (existsSync(copy)) throw new YarakError('config', `there is a ${copy} already: move it away first`)
  try {
    copyFileSync(file, copy, constants.COPYFILE_EXCL)
    writeFileSync(file, text)
    return copy
  } catch (error) {
    throw new YarakError('config', `cannot write ${file}: ${messageOf(error)}`, { cause: error })
  }
}
