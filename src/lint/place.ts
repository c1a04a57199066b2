/** Where a finding stands: the files are read once more, as rules remember no more than where they begin. */
import { type Document, lineOf, type Path } from '../config/document.ts'
import type { Files } from '../config/files.ts'
import { type ConfigProblem, createProblems } from '../config/problems.ts'
import { readDocument } from '../config/read.ts'
import { actionSteps, type RuleInput } from '../rules/rule.ts'
import type { Finding } from './steps.ts'

/** The findings as warnings with file, line and column. */
export const placed = (findings: readonly Finding[], files: Files): ConfigProblem[] => {
  const documents = new Map<string, Document | undefined>()
  const problems = createProblems()
  const lost: ConfigProblem[] = []
  for (const { rule, step, message } of findings) {
    const [, file = '', line = '1'] = /^(.*):(\d+)$/s.exec(rule.origin ?? '') ?? []
    if (!documents.has(file)) documents.set(file, open(file, files))
    const document = documents.get(file)
    const path = document && pathOf(document, rule, Number(line))
    const text = `rule ${JSON.stringify(rule.name)}: ${message}`
    if (document && path) problems.add(document, { path: stepPath(document, path, rule, step) }, text, 'warning')
    else lost.push({ severity: 'warning', message: text, file, line: Number(line), column: 1 })
  }
  return [...problems.list(), ...lost]
}

/** Whatever is wrong with the file has been told. */
const open = (file: string, files: Files): Document | undefined => {
  try {
    const references = { env: {}, file: () => '' }
    return readDocument(file, files.read(file), createProblems(), { references })
  } catch {
    return undefined
  }
}

/** The item of this name that begins at this line: in a rules file, or among the rules of a configuration. */
const pathOf = (document: Document, { name }: RuleInput, line: number): Path | undefined => {
  const { value } = document
  const [items, base] = Array.isArray(value) ? [value, []] : [(value as { rules?: unknown } | null)?.rules, ['rules']]
  if (!Array.isArray(items)) return undefined
  const paths = items.map((_, i): Path => [...base, i])
  const named = paths.filter((_, i) => (items[i] as { rule?: unknown } | null)?.rule === name)
  return named.find((path) => lineOf(document, path) === line) ?? named[0]
}

const stepPath = (document: Document, path: Path, rule: RuleInput, step: number | undefined): Path => {
  const item = path.reduce<unknown>((inner, part) => (inner as Record<string | number, unknown>)[part], document.value)
  const found = step === undefined ? undefined : writtenStep(item as Raw, rule, step)
  return [...path, ...(found ?? ['rule'])]
}

type Raw = Readonly<Record<string, unknown>>

interface Written {
  readonly path: Path
  readonly action: unknown
  readonly id: string
}

/** Where in its item a step is written; a step of a composed action is where that is used. */
const writtenStep = (item: Raw, rule: RuleInput, step: number): Path | undefined => {
  const written = ['steps', 'actions', 'onFailure', 'finally'].flatMap((key) => writtenIn(item[key], [key]))
  const steps = actionSteps(rule)
  const types = new Set(steps.map(({ action }) => action.plugin.type))
  const composed = 'steps' in item ? written.filter(({ action }) => !types.has(String(action))) : []
  const owners = steps.map(({ id = '' }) => ownerOf(id, composed))
  if (owners[step]) return owners[step].path
  const plain = written.filter((one) => !composed.includes(one))
  return plain[owners.slice(0, step).filter((owner) => !owner).length]?.path
}

/** The entries of a list that name an action. */
const writtenIn = (list: unknown, path: Path): Written[] =>
  (Array.isArray(list) ? (list as Raw[]) : []).flatMap((entry, i) => {
    const { action, id, parallel } = entry
    if (Array.isArray(parallel)) return writtenIn(parallel, [...path, i, 'parallel'])
    return 'wait' in entry ? [] : [{ path: [...path, i], action, id: String(id ?? action) }]
  })

/** A step of a composed action has the id of its use before its own. */
const ownerOf = (id: string, composed: readonly Written[]): Written | undefined =>
  composed.filter((one) => id.startsWith(`${one.id}-`)).sort((a, b) => b.id.length - a.id.length)[0]
