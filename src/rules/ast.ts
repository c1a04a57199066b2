/** A condition as a tree: what the grammar makes, and everything else reads. */
import { YarakError } from '../errors.ts'

/** Operators that compare numbers; `priority` also compares by severity. */
export const NUMERIC = ['<=', '<', '>=', '>'] as const
/** Operators with one value, or with a list behind a {@link MODIFIERS modifier}. */
export const TEXTUAL = [
  '==',
  '=',
  '!=',
  'contains',
  'icontains',
  'bcontains',
  'startswith',
  'bstartswith',
  'endswith',
  'glob',
  'iglob',
  'regex',
] as const
/** Operators with a list. */
export const LISTING = ['in', 'intersects', 'pmatch'] as const
/** How many values of the list must fit: exactly one, at least one, all. */
export const MODIFIERS = ['oneof', 'anyof', 'allof'] as const
/** What may be done to a value before it is compared. */
export const TRANSFORMERS = ['toupper', 'tolower', 'len', 'basename', 'b64', 'join', 'concat', 'getopt'] as const

export type Operator = (typeof NUMERIC)[number] | (typeof TEXTUAL)[number] | (typeof LISTING)[number] | 'exists'
export type Modifier = (typeof MODIFIERS)[number]
export type Transformer = (typeof TRANSFORMERS)[number]

/** A parsed condition. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly items: readonly Condition[] }
  | { readonly kind: 'not'; readonly item: Condition }
  | Check

/** A name compared with values. */
export interface Check {
  readonly kind: 'check'
  /** The field as written; of a transformed one, the first that it looks at. */
  readonly name: string
  readonly operator: Operator
  /** Lists are expanded. Empty with `exists` and with `right`. */
  readonly values: readonly string[]
  /** Where it starts in the text, 0-based in characters; of a macro's check, where the macro is used. */
  readonly offset: number
  readonly modifier?: Modifier
  /** What is compared, when it is not the field itself. */
  readonly left?: Expression
  /** A field or a transformed one that is compared with: `val(proc.pname)`. */
  readonly right?: Expression
}

/** A value made of fields. */
export type Expression =
  | { readonly kind: 'field'; readonly name: string; readonly offset: number }
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | {
      readonly kind: 'call'
      readonly transformer: Transformer
      readonly args: readonly Expression[]
      /** `getopt(...)[x]`. */
      readonly option?: string
    }

/** What a condition may refer to by a bare word. Lists hold no names of lists any more. */
export interface Definitions {
  readonly lists: ReadonlyMap<string, readonly string[]>
  readonly macros: ReadonlyMap<string, Condition>
}

/** An error in a condition, with its place in the text. */
export class ConditionError extends YarakError {
  /** 0-based, in characters. */
  readonly offset: number
  constructor(message: string, offset: number) {
    super('config', message, { permanent: true })
    this.offset = offset
  }
}

/** A name that a condition looks at, and what it is compared with. */
export type Name = Pick<Check, 'name' | 'values' | 'offset'>

/** Every check of a condition, in order. */
export function* checksIn(condition: Condition): Generator<Check> {
  if (condition.kind === 'check') yield condition
  else if (condition.kind === 'not') yield* checksIn(condition.item)
  else for (const item of condition.items) yield* checksIn(item)
}

/** Every name that a condition looks at; those inside transformers and on the right have no values. */
export function* namesIn(condition: Condition): Generator<Name> {
  for (const check of checksIn(condition)) yield* namesOf(check)
}

/** Every name that one check looks at. */
export function* namesOf({ name, values, offset, left, right }: Check): Generator<Name> {
  if (left) yield* namesInExpression(left)
  else yield { name, values, offset }
  if (right) yield* namesInExpression(right)
}

/** Every name that an expression looks at. */
export function* namesInExpression(expression: Expression): Generator<Name> {
  if (expression.kind === 'field') yield { name: expression.name, values: [], offset: expression.offset }
  else if (expression.kind === 'list') for (const item of expression.items) yield* namesInExpression(item)
  else if (expression.kind === 'call') for (const arg of expression.args) yield* namesInExpression(arg)
}

/** The same condition as if all of it stood at one place: what a macro brings stands where it is used. */
export const movedTo = (condition: Condition, offset: number): Condition => {
  if (condition.kind === 'not') return { kind: 'not', item: movedTo(condition.item, offset) }
  if (condition.kind !== 'check') {
    return { kind: condition.kind, items: condition.items.map((item) => movedTo(item, offset)) }
  }
  const { left, right } = condition
  const moved = {
    ...(left && { left: expressionAt(left, offset) }),
    ...(right && { right: expressionAt(right, offset) }),
  }
  return { ...condition, ...moved, offset }
}

const expressionAt = (expression: Expression, offset: number): Expression => {
  switch (expression.kind) {
    case 'field':
      return { ...expression, offset }
    case 'literal':
      return expression
    case 'list':
      return { ...expression, items: expression.items.map((item) => expressionAt(item, offset)) }
    case 'call':
      return { ...expression, args: expression.args.map((arg) => expressionAt(arg, offset)) }
  }
}
