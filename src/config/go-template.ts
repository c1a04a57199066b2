/** Templates of Go's text/template, as people write them for Falcosidekick -> Liquid over an event. */
import {
  type Block,
  type GoNode,
  GoTemplateError,
  type Operand,
  parseGoTemplate,
  type Pipe,
} from './go-template-parse.ts'
import { callFunction, FUNCTIONS, type Functions, joinPieces } from './go-template-functions.ts'
import { isPlainKey, literalText, NOTHING, textValue, truth, type Value } from './go-template-values.ts'

export { GoTemplateError } from './go-template-parse.ts'

/** What `.` stands for: the event in `messageformat`, its fields in `templatedfields`. */
export type GoDot = 'event' | 'fields'

const EVENT: Value = { kind: 'event', text: '' }
const FIELDS: Value = { kind: 'map', text: 'fields' }

/** The members of Falcosidekick's event. */
const MEMBERS: Readonly<Record<string, Value>> = {
  UUID: { kind: 'text', text: 'uuid' },
  Output: { kind: 'text', text: 'output' },
  Priority: { kind: 'text', text: 'priority' },
  Rule: { kind: 'text', text: 'rule' },
  Time: { kind: 'text', text: 'time' },
  OutputFields: FIELDS,
  Source: { kind: 'text', text: 'source' },
  Tags: { kind: 'list', text: 'tags' },
  Hostname: { kind: 'text', text: 'hostname' },
}

/** What a name stands for at a place of the template. */
interface Scope {
  readonly dot: Value
  readonly variables: ReadonlyMap<string, { name: string; value: Value }>
}

/**
 * Translates a template of Go's text/template.
 *
 * Differences: what is not there prints nothing, where Go prints `<no value>`; times are RFC 3339; lists and maps are
 * JSON; a field that is a number can be compared with a text of its digits, and with a number.
 * @throws GoTemplateError at what has no counterpart
 * @example goTemplate('{{ index .OutputFields "user.name" }}', 'event') // '{{ fields["user.name"] }}'
 * @example goTemplate('{{ or (index . "k8s.ns.labels.foo") "bar" }}', 'fields') // '{{ fields["k8s.ns.labels.foo"] | default: "bar" }}'
 */
export const goTemplate = (text: string, dot: GoDot): string => {
  const root = dot === 'event' ? EVENT : FIELDS
  const nodes = parseGoTemplate(text)
  return createTranslator(text).list(nodes, { dot: root, variables: new Map([['$', { name: '', value: root }]]) })
}

const createTranslator = (source: string) => {
  let names = 0
  let out: string[] = []

  const fail = (at: number, message: string): never => {
    throw new GoTemplateError(source, at, message)
  }
  const newName = (): string => `go${++names}`

  /** The Liquid that `work` writes. */
  const written = (work: () => void): string => {
    const before = out
    out = []
    work()
    const [text] = [out.join(''), (out = before)]
    return text
  }

  const assign = (name: string, value: Value): void => {
    const { text, test } = value.pieces ? joinPieces(value.pieces, functions(0)) : value
    if (!test) out.push(`{% assign ${name} = ${text} %}`)
    else out.push(`{% assign ${name} = false %}{% if ${test.text} %}{% assign ${name} = true %}{% endif %}`)
  }

  /** A value that is a path or a literal: others get a name. */
  const simple = (value: Value): Value => {
    if (!value.filtered && value.test === undefined) return value
    const name = newName()
    assign(name, value)
    return { kind: value.kind, text: name }
  }

  const member = (of: Value, key: string, at: number): Value => {
    if (of.kind === 'event')
      return Object.hasOwn(MEMBERS, key) ? (MEMBERS[key] ?? NOTHING) : fail(at, `an event has no member \`.${key}\``)
    if (of.text === 'priority' && key === 'String') return of
    if (of.kind !== 'map' && of.kind !== 'any') return fail(at, `\`.${key}\` has no counterpart here`)
    return keyed(of, textValue(key))
  }

  const keyed = (of: Value, key: Value): Value => {
    const map = simple(of)
    const plain =
      typeof key.constant === 'string' ? isPlainKey(key.constant) : key.constant !== undefined || !key.filtered
    if (plain) return { kind: 'any', text: `${map.text}[${key.text}]` }
    const name = newName()
    assign(name, key)
    return { kind: 'any', text: `${map.text}[${name}]` }
  }

  const operand = (given: Operand, scope: Scope): Value =>
    given.fields.reduce((value, key) => member(value, key, given.at), base(given, scope))

  const base = (given: Operand, { dot, variables }: Scope): Value => {
    switch (given.kind) {
      case 'dot':
        return dot
      case 'nil':
        return NOTHING
      case 'text':
        return textValue(given.value)
      case 'number':
        return { kind: 'int', text: String(given.value), constant: given.value }
      case 'bool':
        return { kind: 'bool', text: String(given.value), constant: given.value }
      case 'variable':
        return variables.get(given.value)?.value ?? fail(given.at, `there is no variable ${given.value}`)
      case 'pipe':
        return pipe(given.value, { dot, variables })
      case 'function':
        return callFunction(given.value, [], functions(given.at))
    }
  }

  const functions = (at: number): Functions => ({
    fail: (message) => fail(at, message),
    simple,
    keyed,
    name(value) {
      const name = newName()
      assign(name, value)
      return name
    },
    write: (text) => void out.push(text),
  })

  const pipe = ({ commands }: Pipe, scope: Scope): Value =>
    commands.reduce<Value | undefined>((last, operands) => command(operands, last, scope), undefined) ?? NOTHING

  const command = (operands: readonly Operand[], last: Value | undefined, scope: Scope): Value => {
    const [first, ...rest] = operands as readonly [Operand, ...Operand[]]
    if (first.kind !== 'function') {
      const value = operand(first, scope)
      return rest.length > 0 || last ? fail((rest[0] ?? first).at, 'only a function takes arguments') : value
    }
    if (!FUNCTIONS.includes(first.value)) fail(first.at, `the function \`${first.value}\` has no counterpart`)
    if (first.fields.length > 0) fail(first.at, `put \`${first.value}\` in brackets`)
    const given = [...rest.map((one) => operand(one, scope)), ...(last ? [last] : [])]
    return callFunction(first.value, given, functions(first.at))
  }

  const print = (value: Value, at: number): void => {
    if (value.pieces) for (const piece of value.pieces) print(piece, at)
    else if (value.constant !== undefined) out.push(literalText(String(value.constant)))
    else if (value.kind === 'event') fail(at, 'the event as a whole cannot be printed; name its members')
    else if (value.kind === 'list') out.push(`[{{ ${value.text} | join: " " }}]`)
    else out.push(`{{ ${(value.test ? simple(value) : value).text} }}`)
  }

  /** The condition of a block, and its value for `with`. */
  const condition = (value: Value): string => truth(value.filtered ? simple(value) : value).text

  const declared = (scope: Scope, name: string | undefined, value: Value): Scope =>
    name === undefined
      ? scope
      : { ...scope, variables: new Map([...scope.variables, [name, { name: value.text, value }]]) }

  const choose = (
    { kind, names: [variable], pipe: given, body, otherwise }: Block & { kind: string },
    scope: Scope,
  ) => {
    const found = pipe(given, scope)
    const value = kind === 'with' || variable !== undefined ? simple(found) : found
    const inner = declared(scope, variable, value)
    out.push(`{% if ${condition(value)} %}`, list(body, kind === 'with' ? { ...inner, dot: value } : inner))
    if (otherwise.length > 0) out.push('{% else %}', list(otherwise, inner))
    out.push('{% endif %}')
  }

  const range = ({ names: [first, second], pipe: given, body, otherwise }: Block, scope: Scope): void => {
    const all = simple(pipe(given, scope))
    if (all.kind !== 'map' && all.kind !== 'list' && all.kind !== 'any') fail(given.at, 'this is no list and no map')
    const isMap = all.kind !== 'list'
    const keys = isMap ? newName() : all.text
    if (isMap) out.push(`{% assign ${keys} = ${all.text} | keys %}`)
    const one = newName()
    const item: Value = isMap ? { kind: 'any', text: `${all.text}[${one}]` } : { kind: 'any', text: one }
    const counter = !isMap && second !== undefined ? newName() : ''
    const key: Value = isMap ? { kind: all.kind === 'map' ? 'text' : 'any', text: one } : { kind: 'int', text: counter }
    const inner =
      second === undefined ? declared(scope, first, item) : declared(declared(scope, first, key), second, item)
    out.push(`{% for ${one} in ${keys} %}`)
    if (counter) out.push(`{% assign ${counter} = forloop.index0 %}`)
    out.push(list(body, { ...inner, dot: item }))
    if (otherwise.length > 0) out.push('{% else %}', list(otherwise, scope))
    out.push('{% endfor %}')
  }

  /** A variable that is set may be set again anywhere below, so that it needs a place of its own. */
  const set = ({ name, declare, pipe: given }: GoNode & { kind: 'set' }, scope: Scope): Scope => {
    const value = pipe(given, scope)
    const known = scope.variables.get(name)
    if (!declare && !known) fail(given.at, `there is no variable ${name}`)
    if (value.kind === 'event')
      return declare ? declared(scope, name, value) : fail(given.at, 'the event cannot be set')
    const place = declare ? newName() : (known?.name ?? '')
    if (!declare && !/^go\d+$/.test(place)) fail(given.at, `${name} cannot be set again`)
    assign(place, value)
    const kind = declare || known?.value.kind === value.kind ? value.kind : 'any'
    return { ...scope, variables: new Map([...scope.variables, [name, { name: place, value: { kind, text: place } }]]) }
  }

  const list = (nodes: readonly GoNode[], given: Scope): string =>
    written(() => {
      let scope = given
      let text = ''
      for (const node of nodes) {
        if (node.kind === 'text') text += node.text
        else {
          out.push(literalText(text))
          text = ''
          scope = node.kind === 'set' ? set(node, scope) : (one(node, scope), scope)
        }
      }
      out.push(literalText(text))
    })

  const one = (node: Exclude<GoNode, { kind: 'text' | 'set' }>, scope: Scope): void => {
    if (node.kind === 'print') print(pipe(node.pipe, scope), node.pipe.at)
    else if (node.kind === 'range') range(node, scope)
    else if (node.kind === 'if' || node.kind === 'with') choose(node, scope)
    else out.push(`{% ${node.kind} %}`)
  }

  return { list }
}
