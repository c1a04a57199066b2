/**
 * Falco's condition language over an event: all that others need of it.
 * A comparison on an absent field is false, also `!=`; `not` is plain negation, so that it holds on an absent field.
 */
import type { Definitions } from './ast.ts'
import { parseCondition } from './grammar.ts'
import { type Predicate, predicate } from './predicate.ts'

export {
  type Check,
  checksIn,
  type Condition,
  ConditionError,
  type Definitions,
  type Expression,
  type Modifier,
  type Name,
  namesIn,
  type Operator,
} from './ast.ts'
export { type Explained, explainCondition } from './explain-condition.ts'
export { parseCondition } from './grammar.ts'
export { type Predicate, predicate } from './predicate.ts'
export { printCondition } from './print.ts'
export { type ConditionWarning, warningsOf } from './warnings.ts'

/**
 * Makes a condition ready to be asked.
 * @throws ConditionError with the place of what is wrong
 * @example compileCondition('k8s.ns.name != kube-system and proc.name in (sh, bash)')({ event })
 */
export const compileCondition = (text: string, definitions?: Definitions): Predicate =>
  predicate(parseCondition(text, definitions))
