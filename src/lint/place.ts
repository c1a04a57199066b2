/** Where a finding stands: the files are read once more, as rules remember no more than where they begin. */
import { type Document, lineOf, type Path } from '../config/document.ts'
import type { Files } from '../config/files.ts'
import { type ConfigProblem, createProblems } from '../config/problems.ts'
import { readDocument } from '../config/read.ts'
import type { RuleInput } from '../rules/rule.ts'
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
    if (document && path) problems.add(document, { path: stepPath(document, path, step) }, text, 'warning')
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

const stepPath = (document: Document, path: Path, step: number | undefined): Path => {
  const name = [...path, 'rule']
  if (step === undefined) return name
  const at = ['steps', 'actions'].map((key): Path => [...path, key, step])
  return at.find((one) => document.places.has(JSON.stringify(one))) ?? name
}
