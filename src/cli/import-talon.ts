import { Command } from 'commander'
import { stringify } from 'yaml'
import { builtin } from '../builtin.ts'
import type { Document } from '../config/document.ts'
import { withOrigins } from '../config/falcosidekick/index.ts'
import { nativeValue } from '../config/falcosidekick/print.ts'
import { systemFiles } from '../config/files.ts'
import { type ConfigProblem, createProblems, type Problems, printProblems } from '../config/problems.ts'
import { readDocument } from '../config/read.ts'
import { isTalonConfig, loadTalonConfig } from '../config/talon/index.ts'
import { importTalonValues } from '../config/talon/values.ts'
import { messageOf } from '../errors.ts'
import { isPlaybook, readPlaybook } from '../rules/talon-playbook.ts'
import { readTalon, ruleTitle, type TalonFile } from '../rules/talon-read.ts'
import { type NativeRule, type Translated, translateTalon } from '../rules/talon.ts'
import { printValues } from './import-values.ts'
import { repeatable } from './options.ts'
import { Exit, plural, type Terminal } from './terminal.ts'
import { jsonText, printable } from './text.ts'

interface Flags {
  readonly json?: boolean
  readonly env?: boolean
  readonly values?: string
  readonly rules?: readonly string[]
}

export const importTalon = (terminal: Terminal): Command => {
  const command = new Command('talon')
    .description('Print rules files and the configuration of Falco Talon as those of Yarak that do the same.')
    .argument('[files...]', 'rules files, in the order in which Talon is given them, and its configuration')
    .option('--env', "with the environment variables of Talon's configuration, as references to them")
    .option('--json', 'as JSON: {config, rules, problems}')
    .option('--values <file>', "the values of its Helm chart instead, as values of Yarak's")
    .addHelpText(
      'after',
      `
Examples:
  yarak import talon rules.yaml rules_override.yaml > yarak-rules.yaml
  yarak import talon config.yaml > yarak.yaml
  yarak import talon config.yaml rules.yaml | yarak check -
  yarak import talon --json rules.yaml
  yarak import talon --values values.yaml > yarak-values.yaml
  yarak import talon --values values.yaml --rules rules.yaml > yarak-values.yaml

Talon's rules files also load as they are; name them under \`rules:\`, as its configuration does. Rules files that are
given with a configuration stand in it, in place of those that it names. What differs from Talon is told as a comment at
the top, or above its rule. Exits with 1 when something could not be translated.`,
    )
    .action((names: readonly string[], flags: Flags) => printAny(names, flags, terminal))
  return repeatable(command, '--rules <file>', 'a rules file beside the values (repeatable)')
}

const printAny = (names: readonly string[], flags: Flags, terminal: Terminal): void => {
  const { values, rules = [], env, json } = flags
  const wrong =
    values === undefined
      ? rules.length > 0
        ? '--rules goes with --values; name the files'
        : names.length === 0 && 'name a file, or give --values'
      : (names.length > 0 || env || json) && '--values goes without files, --env and --json'
  if (wrong) {
    terminal.err(`yarak: ${wrong}\n(yarak import talon --help shows how)\n`)
    throw new Exit(2)
  }
  if (values === undefined) return print(names, flags, terminal)
  printValues(values, importTalonValues({ file: values, files: systemFiles(), plugins: builtin, rules }), terminal)
}

const print = (names: readonly string[], { json = false, env = false }: Flags, terminal: Terminal): void => {
  const imported = importFiles(names, env ? terminal.env : {})
  const { rules, problems, config } = imported
  const printed = config && nativeValue(config)
  if (json) {
    const own = rules.flatMap(({ rule }) => rule ?? []).map(escaped)
    terminal.out(jsonText({ ...(printed && { config: printed.value }), rules: own, problems }))
  } else {
    terminal.err(printProblems(problems))
    terminal.out(textOf(names, imported, printed?.value))
  }
  const { secrets = 0 } = printed ?? {}
  if (secrets > 0)
    terminal.err(
      `${plural(secrets, 'secret')} of ${config?.file} ${secrets > 1 ? 'stand' : 'stands'} in the output too\n`,
    )
  if (problems.some(({ severity }) => severity === 'error')) throw new Exit(1)
}

interface Imported {
  readonly rules: readonly Translated[]
  readonly problems: readonly ConfigProblem[]
  /** Of ours, with the places of Talon's; undefined: there were rules files only. */
  readonly config: Document | undefined
}

interface Found {
  readonly configs: readonly Document[]
  readonly rules: readonly TalonFile[]
}

const importFiles = (names: readonly string[], env: Terminal['env']): Imported => {
  const problems = withOrigins(createProblems())
  const files = systemFiles()
  const { configs, rules } = readFiles(names, problems)
  const [config, ...more] = configs
  for (const one of more) problems.add(one, { path: [] }, 'one configuration is enough; this is the second')
  const given = names.length > configs.length ? rules : undefined
  const loaded = config && loadTalonConfig(config, { env, plugins: builtin, files, rules: given }, problems)
  const { outputs } = (loaded?.document.value ?? {}) as { outputs?: object }
  const known = loaded && new Set(Object.keys(outputs ?? {}))
  const translated = translateTalon(rules, { actions: builtin.actions, outputs: known, problems })
  return { rules: translated, problems: problems.list(), config: loaded?.document }
}

const readFiles = (names: readonly string[], problems: Problems): Found => {
  const files = systemFiles()
  const references = { env: {}, file: (path: string) => files.read(path) }
  const found = names.map((name): Found => {
    try {
      const text = files.read(name)
      const config = readDocument(name, text, createProblems(), { references: undefined })
      if (isTalonConfig(config) && !isPlaybook(config)) {
        return { configs: [readDocument(name, text, problems, { references: undefined })], rules: [] }
      }
      const document = readDocument(name, text, problems, { references })
      if (!document.parsed) return { configs: [], rules: [] }
      return {
        configs: [],
        rules: [isPlaybook(document) ? readPlaybook(document, problems) : readTalon(document, problems)],
      }
    } catch (error) {
      problems.addFile(name, `cannot read it: ${messageOf(error)}`)
      return { configs: [], rules: [] }
    }
  })
  return { configs: found.flatMap(({ configs }) => configs), rules: found.flatMap(({ rules }) => rules) }
}

/** `${` stands for itself in a rules file when it is doubled. */
const escaped = <T>(value: T): T => {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${') as T
  if (Array.isArray(value)) return value.map(escaped) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, escaped(inner as unknown)])) as T
}

/** All as one file, each rule under what there is to say of it; without a configuration the rules are all of it. */
const textOf = (files: readonly string[], { rules, problems }: Imported, config: unknown): string => {
  const about = (name: string): ConfigProblem[] => problems.filter(({ message }) => message.startsWith(ruleTitle(name)))
  const others = problems.filter((one) => !rules.some(({ name }) => about(name).includes(one)))
  const parts = rules.map(({ name, origin, rule }) =>
    [
      comment(`${origin}${rule ? '' : `: ${ruleTitle(name)}not translated`}`),
      ...about(name).map(problemComment),
      rule ? yamlOf(rule) : '',
    ].join(''),
  )
  const head = [comment(`translated from ${files.join(', ')}`), ...others.map(problemComment)].join('')
  const hasRules = rules.some(({ rule }) => rule)
  if (config === undefined) return [head, ...parts, ...(hasRules ? [] : ['[]\n'])].join('\n')
  const text = stringify(config, { lineWidth: 0 })
  return [head, hasRules ? `${text}rules:\n` : text, ...parts].join('\n')
}

const comment = (text: string): string => `# ${printable(text).replaceAll(/\s+/g, ' ')}\n`

const problemComment = ({ file, line, column, severity, message }: ConfigProblem): string =>
  comment(`${severity}: ${file}:${line}:${column}: ${message}`)

const yamlOf = (rule: NativeRule): string => stringify([escaped(rule)], { lineWidth: 0 })
