/** Conditions that hold for events which lack the very field they mean to exclude by. */
import { type Check, type Condition, namesOf } from './ast.ts'
import { fieldName, isOptionalIdentity } from './fields.ts'
import { printCondition } from './print.ts'

/** A negated check that also holds when its field is absent. */
export interface ConditionWarning {
  /** The field, as written. */
  readonly name: string
  /** Where the check starts in the condition's text. */
  readonly offset: number
  readonly message: string
  /** The text to write instead. */
  readonly fix: string
}

/**
 * The negated checks on `k8s.*`, `k8smeta.*`, `ka.*` and `container.*` that hold when the field is absent, as it is
 * whenever Falco did not know it; not those beside another check that the same field must be there to pass.
 * @example warningsOf(parseCondition('not k8s.ns.name = kube-system'))[0]?.fix
 * // 'k8s.ns.name exists and not k8s.ns.name = kube-system'
 */
export const warningsOf = (condition: Condition): readonly ConditionWarning[] => search(condition, false, new Set())

type Names = ReadonlySet<string>

/** `there`: the fields that are present wherever this part decides. */
const search = (condition: Condition, negated: boolean, there: Names): ConditionWarning[] => {
  if (condition.kind === 'not') return search(condition.item, !negated, there)
  if (condition.kind === 'check') return negated ? warningsFor(condition, there) : []
  const known = isAnd(condition, negated) ? union([there, requiredBy(condition, negated)]) : there
  return condition.items.flatMap((item) => search(item, negated, known))
}

const warningsFor = (check: Check, there: Names): ConditionWarning[] => {
  if (check.operator === 'exists') return []
  const risky = [...namesOf(check)].filter(({ name }) => isOptionalIdentity(name) && !there.has(fieldName(name)))
  return risky.map(({ name }) => {
    const text = printCondition({ kind: 'not', item: check })
    const fix = `${name} exists and ${text}`
    return { name, offset: check.offset, message: `${text} also holds when ${name} is absent; write ${fix}`, fix }
  })
}

/** A negated `or` is an `and` of negations. */
const isAnd = (condition: Condition, negated: boolean): boolean => (condition.kind === 'and') !== negated

/** The fields without which a part does not hold. */
const requiredBy = (condition: Condition, negated: boolean): Names => {
  if (condition.kind === 'not') return requiredBy(condition.item, !negated)
  if (condition.kind === 'check') {
    return new Set(negated ? [] : Array.from(namesOf(condition), ({ name }) => fieldName(name)))
  }
  const all = condition.items.map((item) => requiredBy(item, negated))
  return isAnd(condition, negated) ? union(all) : intersection(all)
}

const union = (all: readonly Names[]): Names => new Set(all.flatMap((names) => [...names]))

const intersection = ([first, ...others]: readonly Names[]): Names =>
  new Set([...(first ?? [])].filter((name) => others.every((names) => names.has(name))))
