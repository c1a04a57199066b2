/** Writes a condition down again. */
import { type Check, type Condition, type Expression, LISTING, MODIFIERS } from './ast.ts'

/**
 * The text of a condition; macros and lists are written out. Reading it gives the same condition.
 * @example printCondition(parseCondition('a.b=1 and(not c.d exists)')) // 'a.b = 1 and not c.d exists'
 */
export const printCondition = (condition: Condition): string => {
  if (condition.kind === 'check') return printCheck(condition)
  if (condition.kind === 'not') return `not ${inside(condition.item, condition.item.kind !== 'check')}`
  return condition.items.map((item) => inside(item, 'items' in item)).join(` ${condition.kind} `)
}

const inside = (item: Condition, isGroup: boolean): string =>
  isGroup ? `(${printCondition(item)})` : printCondition(item)

const printCheck = ({ name, operator, modifier, values, left, right }: Check): string => {
  const start = `${left ? printExpression(left) : name} ${operator}`
  if (operator === 'exists') return start
  if (right) return `${start} ${right.kind === 'field' ? `val(${right.name})` : printExpression(right)}`
  const list = `(${values.map(printValue).join(', ')})`
  if (modifier) return `${start} ${modifier} ${list}`
  return `${start} ${(LISTING as readonly string[]).includes(operator) ? list : printValue(values[0] ?? '')}`
}

const printExpression = (expression: Expression): string => {
  switch (expression.kind) {
    case 'field':
      return expression.name
    case 'literal':
      return quoted(expression.text)
    case 'list':
      return `(${expression.items.map(printExpression).join(', ')})`
    case 'call': {
      const { transformer, args, option } = expression
      const selected = option === undefined ? '' : `["${option}"]`
      return `${transformer}(${args.map(printExpression).join(', ')})${selected}`
    }
  }
}

const printValue = (text: string): string =>
  /^[^()"'\s=,\\]+$/.test(text) && !(MODIFIERS as readonly string[]).includes(text) ? text : quoted(text)

/** A backslash before the closing quote would keep it from closing. */
const quoted = (text: string): string =>
  `"${text
    .replaceAll(/["\\]/g, String.raw`\$&`)
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\r', String.raw`\r`)
    .replaceAll('\t', String.raw`\t`)
    .replace(/\\\\$/, String.raw`\x5c`)}"`
