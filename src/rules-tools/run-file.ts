/** A file of test cases: read, checked, and run case by case. */
import { basename, dirname } from 'node:path'
import { checkValue } from '../config/check.ts'
import type { Document } from '../config/document.ts'
import { beside, type Files } from '../config/files.ts'
import { type ConfigProblem, createProblems, type Problems } from '../config/problems.ts'
import { readDocument } from '../config/read.ts'
import { messageOf } from '../errors.ts'
import { type GuardSettings, guardSettings } from '../guard.ts'
import type { Action, Context } from '../plugin.ts'
import type { RuleInput } from '../rules/rule.ts'
import { compareCase, type Difference } from './compare.ts'
import type { Coverage } from './coverage.ts'
import { type GivenContexts, unknownContext, usesOf } from './contexts.ts'
import { hasErrors, readRules } from './read-rules.ts'
import { type ReadyToMatch, readyToMatch, runCase } from './run-case.ts'
import { type TestCase, type TestFile, testFileSettings } from './test-file.ts'
import { whyOf } from './why.ts'

export interface RanCase {
  readonly name: string
  readonly ok: boolean
  readonly differences: readonly Difference[]
  /** Why rules that were expected did not match. */
  readonly notes: readonly string[]
  /** Milliseconds. */
  readonly duration: number
}

export interface RanFile {
  readonly file: string
  /** Faults of the file and of its rules; with an error no case is run. */
  readonly problems: readonly ConfigProblem[]
  readonly cases: readonly RanCase[]
}

/** What files are run with. */
export interface TestHost {
  readonly files: Files
  readonly actions: readonly Action[]
  readonly contexts: readonly Context[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Undefined: not asked for. */
  readonly coverage: Coverage | undefined
  /** Rules that were read for an earlier file. */
  readonly known: Map<string, readonly RuleInput[]>
}

/** Runs the cases of one file, one after another. */
export const runFile = async (file: string, host: TestHost): Promise<RanFile> => {
  const problems = createProblems()
  const found = open(file, host, problems)
  const cases: RanCase[] = []
  for (const one of found?.tests.cases ?? []) cases.push(await runOne(one, found as Opened, file, host))
  return { file, problems: problems.list(), cases }
}

interface Opened {
  readonly tests: TestFile
  readonly rules: readonly RuleInput[]
  readonly ready: readonly ReadyToMatch[]
  readonly guards: GuardSettings
  readonly contexts: readonly Context[]
}

const open = (file: string, host: TestHost, problems: Problems): Opened | undefined => {
  const { files, env } = host
  let text: string
  try {
    text = files.read(file)
  } catch (error) {
    problems.addFile(file, `cannot read it: ${messageOf(error)}`)
    return undefined
  }
  const references = { env, file: (path: string) => files.read(beside(file, path)) }
  const document = readDocument(file, text, problems, { references })
  if (!document.parsed) return undefined
  const value = document.value ?? {}
  const checked = checkValue({ document, path: [], schema: testFileSettings, value, problems })
  if (!checked) return undefined
  const tests = testFileSettings.parse(checked.value)
  const guards = checkValue({ document, path: ['guards'], schema: guardSettings, value: tests.guards ?? {}, problems })
  const contexts = withGiven(host.contexts, tests)
  const rules = rulesOf(withRules(document), { ...host, contexts }, problems)
  if (!guards || hasErrors(problems.list())) return undefined
  return { tests, rules, ready: readyToMatch(rules), guards: guardSettings.parse(guards.value), contexts }
}

/** Those that are declared, and those that the file gives of a plugin that is not known here. */
const withGiven = (contexts: readonly Context[], { contexts: given, cases }: TestFile): readonly Context[] => {
  const names = new Set([given, ...cases.map((one) => one.contexts)].flatMap((one: GivenContexts) => Object.keys(one)))
  for (const { type } of contexts) names.delete(type)
  return [...contexts, ...[...names].map(unknownContext)]
}

/** Files of cases about the same rules share them, when nothing is wrong with them. */
const rulesOf = (document: Document, { known, ...host }: TestHost, problems: Problems): readonly RuleInput[] => {
  const contexts = host.contexts.map(({ type }) => type)
  const key = JSON.stringify([dirname(document.file), (document.value as { rules: unknown }).rules, contexts])
  const before = known.get(key)
  if (before) return before
  const rules = readRules(document, { ...host, contexts, problems })
  if (problems.list().length === 0) known.set(key, rules)
  return rules
}

/** Without `rules`, those beside it: `shell.test.yaml` is about `shell.yaml`. */
const withRules = (document: Document): Document => {
  const value = document.value as Record<string, unknown>
  if (value['rules'] !== undefined) return document
  const own = basename(document.file).replace(/\.test(?=\.ya?ml$)/, '')
  return { ...document, value: { ...value, rules: [own] } }
}

const runOne = async (
  one: TestCase,
  { tests, rules, ready, guards, contexts }: Opened,
  file: string,
  host: TestHost,
): Promise<RanCase> => {
  const started = performance.now()
  const ended = (differences: readonly Difference[], notes: readonly string[] = []): RanCase => ({
    name: one.name,
    ok: differences.length === 0,
    differences,
    notes,
    duration: performance.now() - started,
  })
  try {
    const events = (one.events ?? [one.event]).map((event) => eventOf(event, file, host.files))
    const { authenticated, mode = tests.mode, cluster = tests.cluster } = one
    const given = { ...tests.contexts, ...one.contexts }
    const setting = { mode, guards, authenticated, cluster, given, contexts: usesOf(contexts) }
    const result = await runCase({ rules: ready, events, ...setting })
    host.coverage?.add(rules, result.scopes)
    const missing = (one.expect.rules ?? []).filter((name) => !result.rules.includes(name))
    const scope = result.scopes[0]
    const notes = scope && result.scopes.length === 1 ? missing.map((name) => noteOf(name, rules, scope)) : []
    return ended(compareCase(one.expect, result), notes)
  } catch (error) {
    return ended([{ what: 'events', expected: 'events that can be answered', actual: messageOf(error) }])
  }
}

/** What most tests do not care about. */
const USUAL = { priority: 'Notice', output: '', output_fields: {} }

const eventOf = (event: TestCase['event'], file: string, files: Files): object => {
  const own = typeof event === 'string' ? (JSON.parse(files.read(beside(file, event))) as object) : event
  return { ...USUAL, time: new Date().toISOString(), ...own }
}

const noteOf = (name: string, rules: readonly RuleInput[], scope: Parameters<typeof whyOf>[1]): string => {
  const rule = rules.find((one) => one.name === name)
  if (!rule) return `there is no rule ${JSON.stringify(name)}`
  const { falsePart = '', actual = [] } = whyOf(rule, scope)
  const values = actual.map((one) => `${one.name} ${'absent' in one ? 'is absent' : `is ${JSON.stringify(one.value)}`}`)
  return `${name}: false: ${falsePart}; ${values.join(', ')}`
}
