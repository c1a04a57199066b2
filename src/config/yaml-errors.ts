/** What the YAML parser says, in one clear message each. */
import type { YAMLError } from 'yaml'
import type { Span } from './document.ts'

/** One thing wrong with the YAML of a file. */
export interface YamlFault {
  readonly span: Span
  readonly message: string
  /** The rest of the file cannot be trusted: what follows is noise. */
  readonly fatal: boolean
}

type Describe = (at: string, error: YAMLError) => string

const TEXTS: Partial<Record<YAMLError['code'], Describe>> = {
  TAB_AS_INDENT: () => 'a tab cannot indent; YAML takes spaces only',
  BAD_INDENT: (_, { message }) =>
    message.startsWith('Flow')
      ? 'a `[` or `{` above is not closed'
      : 'this line starts at another column than its siblings above',
  BLOCK_AS_IMPLICIT_KEY: (at) =>
    /^[^\n]*\n\s+\S/.test(at)
      ? 'the next line is indented below a value; put it at the column of its siblings'
      : 'a second `: ` on the line; put the text in quotes',
  MULTILINE_IMPLICIT_KEY: () => 'a `:` after a key is missing here',
  DUPLICATE_KEY: (at) => `the key \`${keyAt(at)}\` is there twice`,
  MULTIPLE_DOCS: () => 'a second document starts here (`---`); a file holds one',
  MISSING_CHAR: (_, { message }) =>
    /quote/.test(message) ? 'a text in quotes is not closed' : `not valid YAML: ${plain(message)}`,
  BAD_SCALAR_START: (at) => `a text cannot start with \`${at.charAt(0)}\`; put it in quotes`,
  BAD_DQ_ESCAPE: (at) => `\`${at.slice(0, 2)}\` means nothing in double quotes; use single quotes, or \`\\\\\``,
  BAD_ALIAS: () => 'an alias `*name` or anchor `&name` is not complete',
  RESOURCE_EXHAUSTION: () => 'lists or maps are nested too deeply',
  TAG_RESOLVE_FAILED: (at) => `the tag \`${/^\S+/.exec(at)?.[0] ?? '!'}\` is not supported; values are plain`,
  UNEXPECTED_TOKEN: (at) =>
    `nothing can follow here, but there is \`${(/^[^\n]*/.exec(at)?.[0] ?? '').trim().slice(0, 40)}\``,
}

/** Faults after which the parser goes on as if nothing had been. */
const HARMLESS: ReadonlySet<string> = new Set(['DUPLICATE_KEY', 'TAG_RESOLVE_FAILED', 'MULTIPLE_DOCS'])

/** The parser's errors in our words: the first of those that break the file, and all that do not. */
export const yamlFaults = (errors: readonly YAMLError[], text: string): YamlFault[] => {
  const faults = errors.map((error) => describe(error, text)).sort((a, b) => a.span.start - b.span.start)
  const first = faults.findIndex(({ fatal }) => fatal)
  return first < 0 ? faults : faults.slice(0, first + 1)
}

const describe = (error: YAMLError, text: string): YamlFault => {
  const start = Math.min(error.pos[0], Math.max(0, text.trimEnd().length - 1))
  const at = text.slice(start)
  const message = TEXTS[error.code]?.(at, error) ?? `not valid YAML: ${plain(error.message)}`
  const lineEnd = start + at.search(/\s*(?:\n|$)/)
  const end =
    error.code === 'DUPLICATE_KEY' ? start + keyLength(at) : Math.max(start + 1, Math.min(error.pos[1], lineEnd))
  return { span: { start, end }, message, fatal: !HARMLESS.has(error.code) }
}

const KEY = /^(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)'|([^\s:,}\]]+))/

const keyAt = (at: string): string => {
  const [, double, single, bare] = KEY.exec(at) ?? []
  return double ?? single ?? bare ?? ''
}

const keyLength = (at: string): number => KEY.exec(at)?.[0].length ?? 1

const plain = (message: string): string => `${message.charAt(0).toLowerCase()}${message.slice(1)}`
