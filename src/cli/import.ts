import { Command } from 'commander'
import { stringify } from 'yaml'
import { builtin } from '../builtin.ts'
import { systemFiles } from '../config/files.ts'
import { type ConfigProblem, createProblems, printProblems } from '../config/problems.ts'
import { readDocument } from '../config/read.ts'
import { messageOf } from '../errors.ts'
import { isPlaybook, readPlaybook } from '../rules/talon-playbook.ts'
import { readTalon, ruleTitle } from '../rules/talon-read.ts'
import { type NativeRule, type Translated, translateTalon } from '../rules/talon.ts'
import { Exit, type Terminal } from './terminal.ts'
import { jsonText, printable } from './text.ts'

export const importCommand = (terminal: Terminal): Command =>
  new Command('import').description('Translate rules of other tools.').addCommand(
    new Command('talon')
      .description('Print rules files of Falco Talon as rules of Yarak that decide the same.')
      .argument('<files...>', 'rules files, in the order in which Talon is given them')
      .option('--json', 'as JSON: {rules, problems}')
      .addHelpText(
        'after',
        `
Examples:
  yarak import talon rules.yaml rules_override.yaml > yarak-rules.yaml
  yarak import talon --json rules.yaml

Talon's files also load as they are; name them under \`rules:\`. What differs from Talon is told as a comment above
its rule. Exits with 1 when something could not be translated.`,
      )
      .action((files: readonly string[], { json = false }: { json?: boolean }) => {
        const { rules, problems } = importTalon(files)
        if (json) terminal.out(jsonText({ rules: rules.flatMap(({ rule }) => rule ?? []).map(escaped), problems }))
        else {
          terminal.err(printProblems(problems))
          terminal.out(printRules(files, rules, problems))
        }
        if (problems.some(({ severity }) => severity === 'error')) throw new Exit(1)
      }),
  )

interface Imported {
  readonly rules: readonly Translated[]
  readonly problems: readonly ConfigProblem[]
}

const importTalon = (names: readonly string[]): Imported => {
  const problems = createProblems()
  const files = systemFiles()
  const references = { env: {}, file: (path: string) => files.read(path) }
  const read = names.flatMap((name) => {
    try {
      const document = readDocument(name, files.read(name), problems, { references })
      if (!document.parsed) return []
      return [isPlaybook(document) ? readPlaybook(document, problems) : readTalon(document, problems)]
    } catch (error) {
      problems.addFile(name, `cannot read it: ${messageOf(error)}`)
      return []
    }
  })
  const rules = translateTalon(read, { actions: builtin.actions, outputs: undefined, problems })
  return { rules, problems: problems.list() }
}

/** `${` stands for itself in a rules file when it is doubled. */
const escaped = <T>(value: T): T => {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${') as T
  if (Array.isArray(value)) return value.map(escaped) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, escaped(inner as unknown)])) as T
}

/** The rules as a file, each under what there is to say of it. */
const printRules = (files: readonly string[], rules: readonly Translated[], problems: readonly ConfigProblem[]) => {
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
  const empty = rules.some(({ rule }) => rule) ? [] : ['[]\n']
  return [head, ...parts, ...empty].join('\n')
}

const comment = (text: string): string => `# ${printable(text).replaceAll(/\s+/g, ' ')}\n`

const problemComment = ({ file, line, column, severity, message }: ConfigProblem): string =>
  comment(`${severity}: ${file}:${line}:${column}: ${message}`)

const yamlOf = (rule: NativeRule): string => stringify([escaped(rule)], { lineWidth: 0 })
