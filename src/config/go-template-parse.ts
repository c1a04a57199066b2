/** Go's text/template read into a tree. What it means is not known here. */
import { YarakError } from '../errors.ts'

/** Something in a Go template that cannot be read or translated, and where. */
export class GoTemplateError extends YarakError {
  /** Characters before it. */
  readonly offset: number

  constructor(text: string, offset: number, message: string) {
    const before = text.slice(0, offset).split('\n')
    super('config', `line ${before.length}, column ${[...(before.at(-1) ?? '')].length + 1}: ${message}`, {
      permanent: true,
    })
    this.offset = offset
  }
}

export type GoNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipe: Pipe }
  | { readonly kind: 'set'; readonly name: string; readonly declare: boolean; readonly pipe: Pipe }
  | ({ readonly kind: 'if' | 'with' | 'range' } & Block)
  | { readonly kind: 'break' | 'continue' }

/** `if`, `with` or `range` with what stands inside. */
export interface Block {
  /** The variables that it declares: none, one, or for `range` two. */
  readonly names: readonly string[]
  readonly pipe: Pipe
  readonly body: readonly GoNode[]
  readonly otherwise: readonly GoNode[]
}

/** Commands, each of which gets the value of the one before as its last argument. */
export interface Pipe {
  readonly commands: readonly (readonly Operand[])[]
  readonly at: number
}

/** A value with the fields that are then taken of it. */
export type Operand = { readonly fields: readonly string[]; readonly at: number } & (
  | { readonly kind: 'dot' | 'nil' }
  | { readonly kind: 'variable' | 'function' | 'text'; readonly value: string }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'pipe'; readonly value: Pipe }
)

interface Token {
  readonly text: string
  readonly at: number
  /** Nothing stands between it and the token before. */
  readonly joined: boolean
}

type Segment =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly tokens: readonly Token[]; readonly at: number }

const TOKEN =
  /"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\\n]|\\.)+'|[+-]?\d[\w.]*|\.[\p{L}_][\p{L}\p{N}_]*|\$[\p{L}\p{N}_]*|[\p{L}_][\p{L}\p{N}_]*|:=|[.=|(),]/uy
const COMMENT = /\{\{(?:-\s+)?\/\*[^]*?\*\/(?:\s+-)?\}\}/y
const SPACE = /\s*/y

const matchAt = (pattern: RegExp, text: string, at: number): string | undefined => {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}

/** Cuts a template into its text and its actions; `{{-` and `-}}` have taken their white space away. */
const segmentsOf = (text: string): Segment[] => {
  const segments: Segment[] = []
  let at = 0
  let trim = false
  while (at < text.length) {
    const open = text.indexOf('{{', at)
    const raw = text.slice(at, open < 0 ? undefined : open)
    const left = trim ? raw.trimStart() : raw
    const trimmed = open >= 0 && /^-\s/.test(text.slice(open + 2, open + 4)) ? left.trimEnd() : left
    if (trimmed) segments.push({ kind: 'text', text: trimmed })
    if (open < 0) break
    const comment = matchAt(COMMENT, text, open)
    const action = comment === undefined ? actionAt(text, open) : undefined
    if (action) segments.push({ kind: 'action', tokens: action.tokens, at: open })
    at = action?.end ?? open + (comment?.length ?? 0)
    trim = /\s-\}\}$/.test(text.slice(at - 4, at))
  }
  return segments
}

const actionAt = (text: string, open: number): { tokens: Token[]; end: number } => {
  const tokens: Token[] = []
  const start = open + (/^-\s/.test(text.slice(open + 2, open + 4)) ? 3 : 2)
  let at = start
  for (;;) {
    const from = at
    at += matchAt(SPACE, text, at)?.length ?? 0
    const spaced = at > from
    const end = text.startsWith('}}', at) ? 2 : spaced && text.startsWith('-}}', at) ? 3 : 0
    if (end > 0) return { tokens, end: at + end }
    const token = matchAt(TOKEN, text, at)
    if (token === undefined)
      throw new GoTemplateError(
        text,
        at < text.length ? at : open,
        at < text.length ? 'this means nothing here' : UNCLOSED,
      )
    tokens.push({ text: token, at, joined: !spaced && at > start })
    at += token.length
  }
}

const UNCLOSED = 'this `{{` is not closed'

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
}

/** The text of a Go string constant. */
const unquoted = (token: string): string =>
  token.startsWith('`')
    ? token.slice(1, -1)
    : token
        .slice(1, -1)
        .replaceAll(/\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|([0-7]{3})|(.))/gi, (_, x, u, long, octal, one) => {
          const hex = (x ?? u ?? long) as string | undefined
          if (hex !== undefined) return String.fromCodePoint(Math.min(parseInt(hex, 16), 0x10ffff))
          if (octal !== undefined) return String.fromCharCode(parseInt(octal as string, 8))
          return ESCAPES[one as string] ?? (one as string)
        })

/**
 * Reads a template.
 * @throws GoTemplateError at what is not a template, or defines or calls another
 */
export const parseGoTemplate = (text: string): readonly GoNode[] => {
  const segments = segmentsOf(text)
  let next = 0

  const fail = (at: number, message: string): never => {
    throw new GoTemplateError(text, at, message)
  }

  /** Nodes up to an `else` or `end` that is not theirs. */
  const list = (): GoNode[] => {
    const nodes: GoNode[] = []
    for (;;) {
      const segment = segments[next]
      if (!segment || (segment.kind === 'action' && /^(?:else|end)$/.test(segment.tokens[0]?.text ?? ''))) return nodes
      next++
      nodes.push(segment.kind === 'text' ? segment : action(segment.tokens, segment.at))
    }
  }

  const action = (tokens: readonly Token[], at: number): GoNode => {
    const [first, ...rest] = tokens
    if (!first) return fail(at, 'an action is empty')
    const word = first.text
    if (word === 'if' || word === 'with' || word === 'range') return block(word, rest, first.at)
    if (word === 'break' || word === 'continue') return { kind: word }
    if (/^(?:define|template|block)$/.test(word)) return fail(first.at, `\`${word}\` has no counterpart`)
    const [, operator] = tokens
    const declare = operator?.text === ':='
    if (word.startsWith('$') && (declare || operator?.text === '='))
      return { kind: 'set', name: word, declare, pipe: pipe(tokens.slice(2), at) }
    return { kind: 'print', pipe: pipe(tokens, at) }
  }

  const block = (kind: 'if' | 'with' | 'range', tokens: readonly Token[], at: number): GoNode => {
    const assigned = tokens.findIndex(({ text: word }) => word === ':=')
    const names = tokens.slice(0, Math.max(0, assigned)).flatMap(({ text: word }) => (word === ',' ? [] : word))
    if (names.some((name) => !name.startsWith('$')) || names.length > (kind === 'range' ? 2 : 1))
      fail(at, `\`${kind}\` declares what is no variable`)
    const value = pipe(tokens.slice(assigned + 1), at)
    const body = list()
    const [otherwise, ended] = alternative(kind)
    if (!ended) fail(at, `\`${kind}\` has no \`end\``)
    return { kind, names, pipe: value, body, otherwise }
  }

  /** What stands after `else`, and whether there is an `end`. */
  const alternative = (kind: string): readonly [GoNode[], boolean] => {
    const segment = segments[next++]
    if (segment?.kind !== 'action') return [[], false]
    const [word, again, ...rest] = segment.tokens
    if (word?.text === 'end') return [[], true]
    if (again?.text === 'if' || (again?.text === 'with' && kind === 'with'))
      return [[block(again.text, rest, again.at)], true]
    if (again) fail(again.at, 'nothing but `if` can stand after `else`')
    const nodes = list()
    const end = segments[next++]
    return [nodes, end?.kind === 'action' && end.tokens[0]?.text === 'end']
  }

  const pipe = (tokens: readonly Token[], at: number): Pipe => {
    const parts: Token[][] = [[]]
    let depth = 0
    for (const token of tokens) {
      depth += token.text === '(' ? 1 : token.text === ')' ? -1 : 0
      if (depth < 0) fail(token.at, 'this `)` has no `(`')
      if (token.text === '|' && depth === 0) parts.push([])
      else parts.at(-1)?.push(token)
    }
    if (depth > 0) fail(at, 'a `(` is not closed')
    const commands = parts.map((part) => operands(part))
    if (commands.some((one) => one.length === 0)) fail(at, 'a value is missing')
    return { commands, at: tokens[0]?.at ?? at }
  }

  const operands = (tokens: readonly Token[]): Operand[] => {
    const found: Operand[] = []
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i] as Token
      const before = found.at(-1)
      if (isField(token) && token.joined && i > 0 && before && before.kind !== 'text' && before.kind !== 'number') {
        found[found.length - 1] = { ...before, fields: [...before.fields, token.text.slice(1)] }
      } else if (token.text === '(') {
        const end = closing(tokens, i)
        found.push({ kind: 'pipe', value: pipe(tokens.slice(i + 1, end), token.at), fields: [], at: token.at })
        i = end
      } else found.push(operand(token))
    }
    return found
  }

  const operand = ({ text: word, at }: Token): Operand => {
    const plain = { fields: [], at }
    if (word === '.') return { kind: 'dot', ...plain }
    if (word.startsWith('.')) return { kind: 'dot', fields: [word.slice(1)], at }
    if (word.startsWith('$')) return { kind: 'variable', value: word, ...plain }
    if (/^["`]/.test(word)) return { kind: 'text', value: unquoted(word), ...plain }
    if (word.startsWith("'")) return { kind: 'number', value: unquoted(word).codePointAt(0) ?? 0, ...plain }
    if (word === 'true' || word === 'false') return { kind: 'bool', value: word === 'true', ...plain }
    if (word === 'nil') return { kind: 'nil', ...plain }
    if (/^[\p{L}_]/u.test(word)) return { kind: 'function', value: word, ...plain }
    const value = Number(word.replaceAll('_', ''))
    return Number.isFinite(value) ? { kind: 'number', value, ...plain } : fail(at, `\`${word}\` means nothing here`)
  }

  const nodes = list()
  const left = segments[next]
  if (left?.kind === 'action') fail(left.at, `this \`${left.tokens[0]?.text}\` belongs to nothing`)
  return nodes
}

const isField = ({ text }: Token): boolean => text.length > 1 && text.startsWith('.')

const closing = (tokens: readonly Token[], open: number): number => {
  let depth = 0
  for (let i = open; i < tokens.length; i++) {
    const { text } = tokens[i] as Token
    depth += text === '(' ? 1 : text === ')' ? -1 : 0
    if (depth === 0) return i
  }
  return tokens.length
}
