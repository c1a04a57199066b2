/** What is wrong in the files, where, and how it is shown: `file:line:column`, the line, and a caret line. */
import { type Document, lineFinder, type LineFinder, type Span, spanOf } from './document.ts'

export type Severity = 'error' | 'warning'

/** One thing wrong with a configuration or rules file. Lines and columns count from 1. */
export interface ConfigProblem {
  readonly severity: Severity
  readonly message: string
  readonly file: string
  readonly line: number
  readonly column: number
  /** The source line with secrets as `***`, and where in it the carets stand (0-based, end excluded). */
  readonly excerpt?: { readonly text: string; readonly from: number; readonly to: number }
}

/** Where in a document: a span of it, or the place of a value, of its key, or of a part of its text. */
export type Where =
  Span | { readonly path: readonly (string | number)[]; readonly key?: boolean; readonly offset?: number | undefined }

/** Gathers problems of several documents, so that all are told at once. */
export interface Problems {
  add(document: Document, where: Where, message: string, severity?: Severity): void
  /** A problem of a whole file that cannot be shown, e.g. one that is not there. */
  addFile(file: string, message: string): void
  /** Sorted by file (in the order met), line and column; the same thing is told once. */
  list(): ConfigProblem[]
}

interface Fault {
  readonly document: Document | undefined
  readonly file: string
  readonly span: Span
  readonly message: string
  readonly severity: Severity
}

/** @example const problems = createProblems(); problems.add(document, { path: ['mode'] }, 'mode is required') */
export const createProblems = (): Problems => {
  const faults: Fault[] = []
  return {
    add(document, where, message, severity = 'error') {
      const span = 'start' in where ? where : spanOf(document, where.path, where)
      faults.push({ document, file: document.file, span, message, severity })
    },
    addFile(file, message) {
      faults.push({ document: undefined, file, span: { start: 0, end: 0 }, message, severity: 'error' })
    },
    list: () => {
      const lines = new Map<Document, LineFinder>()
      return sorted(faults.map((fault) => locate(fault, lines)))
    },
  }
}

const sorted = (problems: readonly ConfigProblem[]): ConfigProblem[] => {
  const files = [...new Set(problems.map(({ file }) => file))]
  const order = (one: ConfigProblem): number => files.indexOf(one.file)
  const unique = new Map(problems.map((one) => [`${one.file}:${one.line}:${one.column}:${one.message}`, one]))
  return [...unique.values()].sort((a, b) => order(a) - order(b) || a.line - b.line || a.column - b.column)
}

/** A longer line of a broken file is not shown: where a secret starts and ends in it is only a guess. */
const MAX_BROKEN = 2_000

const locate = (
  { document, file, span, message, severity }: Fault,
  lines: Map<Document, LineFinder>,
): ConfigProblem => {
  if (!document) return { severity, message, file, line: 1, column: 1 }
  const find = lines.get(document) ?? lineFinder(document.text)
  lines.set(document, find)
  const { line, column, start, end } = lineAt(document.text, span.start, find)
  if (!document.parsed && end - start > MAX_BROKEN) return { severity, message, file, line, column }
  const text = document.text.slice(start, end)
  const at = { from: span.start - start, to: Math.max(span.start + 1, Math.min(span.end, end)) - start }
  return { severity, message, file, line, column, excerpt: excerptOf(text, at, secretsIn(document, start, end)) }
}

/** The line that holds an offset: its number and the column, from 1, and where it starts and ends. */
export const lineAt = (text: string, offset: number, find = lineFinder(text)) => {
  const start = offset === 0 ? 0 : text.lastIndexOf('\n', offset - 1) + 1
  const next = text.indexOf('\n', start)
  const end = next < 0 ? text.length : text[next - 1] === '\r' ? next - 1 : next
  return { line: find(offset), column: [...text.slice(start, offset)].length + 1, start, end }
}

/** Keys whose values are not shown, also where no schema says so (a mistyped plugin, a broken file). */
export const SECRET_NAME = /pass(?:word|wd|phrase)|secret|token|api[_-]?key|access[_-]?key|credential|webhook/i
const SECRET_LINE = new RegExp(String.raw`(?:${SECRET_NAME.source})[\w-]*["']?\s*:\s*(\S.*)$`, 'di')

/** The secret parts of a line, relative to its start. */
const secretsIn = (document: Document, start: number, end: number): Span[] => {
  const known = [...document.secrets].filter((span) => span.start < end && span.end > start)
  if (document.parsed) {
    return known.map((span) => ({ start: Math.max(span.start, start) - start, end: Math.min(span.end, end) - start }))
  }
  const value = SECRET_LINE.exec(document.text.slice(start, end))?.indices?.[1]
  return value ? [{ start: value[0], end: value[1] }] : []
}

const WIDTH = 160

/** Hides secrets, makes control characters harmless, cuts long lines, and keeps the carets under the right text. */
const excerptOf = (line: string, at: { from: number; to: number }, secrets: readonly Span[]) => {
  let text = ''
  let end = 0
  const moved = (offset: number): number => [...shown(line.slice(end, offset))].length + [...text].length
  let from = -1
  let to = -1
  for (const secret of [...secrets].sort((a, b) => a.start - b.start)) {
    if (secret.start < end) continue
    if (from < 0 && at.from < secret.start) from = moved(at.from)
    if (to < 0 && at.to <= secret.start) to = moved(at.to)
    text += `${shown(line.slice(end, secret.start))}***`
    end = secret.end
    if (from < 0 && at.from < end) from = [...text].length - 3
    if (to < 0 && at.to <= end) to = [...text].length
  }
  if (from < 0) from = moved(at.from)
  if (to < 0) to = moved(at.to)
  return windowed([...(text + shown(line.slice(end)))], from, to)
}

const shown = (text: string): string => text.replaceAll('\t', '→').replaceAll(/\p{Cc}|\p{Bidi_Control}/gu, '\uFFFD')

const windowed = (chars: readonly string[], from: number, to: number) => {
  const skip = from < WIDTH - 40 ? 0 : from - 40
  const cut = chars.slice(skip, skip + WIDTH).join('')
  const text = `${skip > 0 ? '…' : ''}${cut}${chars.length > skip + WIDTH ? '…' : ''}`
  const shift = skip > 0 ? 1 - skip : 0
  return { text, from: from + shift, to: Math.max(from + 1, Math.min(to, skip + WIDTH)) + shift }
}

/**
 * The problems as people read them, with a last line that counts.
 * @example
 * yarak.yaml:7:5: error: outputs.slack.colour is not a known setting
 *   7 |     colour: red
 *     |     ^^^^^^
 */
export const printProblems = (problems: readonly ConfigProblem[]): string =>
  problems.length === 0 ? '' : `${problems.map(printProblem).join('\n')}\n${counted(problems)}\n`

const printProblem = ({ severity, message, file, line, column, excerpt }: ConfigProblem): string => {
  if (!excerpt) return `${line > 1 || column > 1 ? `${file}:${line}:${column}` : file}: ${severity}: ${message}\n`
  const margin = ' '.repeat(String(line).length)
  const carets = '^'.repeat(Math.max(1, excerpt.to - excerpt.from))
  return [
    `${file}:${line}:${column}: ${severity}: ${message}`,
    `  ${line} | ${excerpt.text}`.trimEnd(),
    `  ${margin} | ${' '.repeat(excerpt.from)}${carets}`,
    '',
  ].join('\n')
}

const counted = (problems: readonly ConfigProblem[]): string => {
  const errors = problems.filter(({ severity }) => severity === 'error').length
  const warnings = problems.length - errors
  const many = (count: number, word: string): string[] => (count > 0 ? [`${count} ${word}${count > 1 ? 's' : ''}`] : [])
  return [...many(errors, 'error'), ...many(warnings, 'warning')].join(', ')
}
