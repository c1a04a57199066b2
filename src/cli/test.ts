import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { actions } from '../actions/index.ts'
import { contexts } from '../contexts/index.ts'
import { systemFiles, whyNot } from '../config/files.ts'
import { watchedFiles } from '../config/watched.ts'
import { YarakError } from '../errors.ts'
import { toJson } from '../event.ts'
import { createCoverage, type CoveredRule, totalsOf } from '../rules-tools/coverage.ts'
import { findTests } from '../rules-tools/find-tests.ts'
import { junit } from '../rules-tools/junit.ts'
import { hasErrors } from '../rules-tools/read-rules.ts'
import { type RanFile, runFile } from '../rules-tools/run-file.ts'
import { coverageText, failureText, fileText } from '../rules-tools/test-text.ts'
import { plainTable } from './table.ts'
import { Exit, plural, type Terminal } from './terminal.ts'
import { printable } from './text.ts'

interface Flags {
  readonly watch?: boolean
  readonly junit?: string
  readonly json?: boolean
  readonly coverage?: boolean
}

export const testCommand = (terminal: Terminal): Command =>
  new Command('test')
    .description('Run the test cases of rules: events, and what must come of them. Nothing is changed.')
    .argument('[files...]', 'files of cases, or folders with *.test.yaml; default this folder')
    .option('--watch', 'run again whenever a file that was read changes, until Ctrl-C')
    .option('--junit <file>', 'write the results as JUnit XML too')
    .option('--json', 'print {ok, files: [{file, problems, cases}], coverage}')
    .option('--coverage', 'show which rules and branches of conditions the events have seen')
    .addHelpText(
      'after',
      `
Examples:
  yarak test config/rules
  yarak test shell.test.yaml --coverage
  yarak test config/rules --junit results.xml

A file of cases, beside shell.yaml:
  # shell.test.yaml
  rules: [shell.yaml]             # the default here
  cases:
    - name: a shell in a pod is marked
      event: { rule: Terminal shell in container, output_fields: { k8s.ns.name: shop, k8s.pod.name: web-1 } }
      cluster: { pods: [{ namespace: shop, name: web-1, owners: [{ kind: ReplicaSet, name: web }] }] }
      expect:
        rules: [Shell]
        steps: [{ id: mark, outcome: succeeded, with: { labels: { suspicious: 'true' } } }]
        refused: []
        notices: [slack/secops]

The events are answered by a real gateway. Conditions, templates, guards and the order of steps are as ever. Targets
are looked up in the simulated cluster; without one, events are believed. What steps see as context.<type> is what the
case gives, as in contexts: { k8snode: { hostname: n1 } }, else what the simulated cluster has. Actions do not run; those
that can validate without changing anything do so in the simulated cluster. Exits with 1 when a case fails.`,
    )
    .action(async (names: readonly string[], flags: Flags) => {
      const given = names.length > 0 ? names : ['.']
      if (flags.watch) return watch(given, flags, terminal)
      const { ok } = await runAll(given, flags, terminal)
      if (!ok) throw new Exit(1)
    })

interface Ran {
  readonly ok: boolean
  /** Differs once anything that was read has changed. */
  signature(): string
}

const runAll = async (names: readonly string[], flags: Flags, terminal: Terminal): Promise<Ran> => {
  const files = watchedFiles(systemFiles())
  const coverage = flags.coverage ? createCoverage() : undefined
  const known = new Map()
  const found = findTests(names)
  const ran: RanFile[] = []
  const host = { files, actions, contexts, env: terminal.env, coverage, known }
  for (const file of found) ran.push(await runFile(file, host))
  const ok = found.length > 0 && ran.every(isGood)
  tell(ran, ok, coverage?.list(), flags, terminal)
  if (flags.junit !== undefined) write(flags.junit, junit(ran, failureText))
  return { ok, signature: () => [files.signature(), ...findTests(names)].join('\n') }
}

const isGood = ({ problems, cases }: RanFile): boolean => !hasErrors(problems) && cases.every(({ ok }) => ok)

const write = (file: string, text: string): void => {
  try {
    writeFileSync(file, text)
  } catch (error) {
    throw new YarakError('config', `cannot write ${file}: ${whyNot(error)}`)
  }
}

const tell = (
  ran: readonly RanFile[],
  ok: boolean,
  rules: readonly CoveredRule[] | undefined,
  flags: Flags,
  terminal: Terminal,
) => {
  const print = (text: string): void => terminal.out(printable(text))
  if (flags.json) {
    const coverage = rules ? { ...totalsOf(rules), list: rules } : undefined
    return print(`${toJson({ ok, files: ran, ...(coverage && { coverage }) }, 2)}\n`)
  }
  for (const one of ran) print(fileText(one))
  if (rules) print(`\n${coverageText(rules, plainTable)}`)
  print(`${summaryOf(ran)}\n`)
}

const summaryOf = (ran: readonly RanFile[]): string => {
  if (ran.length === 0) return 'no *.test.yaml found'
  const cases = ran.flatMap((one) => one.cases)
  const failed = cases.filter(({ ok }) => !ok).length
  const broken = ran.filter(({ problems }) => hasErrors(problems)).length
  const wrong = [
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(broken > 0 ? [`${plural(broken, 'file')} unusable`] : []),
  ]
  return `${cases.length - failed} of ${plural(cases.length, 'case')} passed${wrong.map((one) => `, ${one}`).join('')}`
}

/** Milliseconds between two looks at the files. */
const LOOK = 300

const watch = async (names: readonly string[], flags: Flags, terminal: Terminal): Promise<void> => {
  const { signal } = terminal
  while (!signal.aborted) {
    const { signature } = await runAll(names, flags, terminal)
    const known = signature()
    while (!signal.aborted && signature() === known) await sleep(LOOK, undefined, { signal }).catch(() => {})
  }
}
