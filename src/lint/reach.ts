/** Whether a selection can hold for any event, as far as names, priorities and a few plain fields tell. */
import { parsePriority, PRIORITIES } from '../event.ts'
import { type Check, type Condition, printCondition } from '../rules/condition.ts'
import { compileSelection, type Selection } from '../rules/matcher.ts'
import { parsed } from '../rules/parsed.ts'

/** What a name may still hold. */
interface Room {
  /** Undefined: anything but what is excluded. */
  readonly only?: ReadonlySet<string>
  readonly not: ReadonlySet<string>
}

type Rooms = ReadonlyMap<string, Room>

/** Names that hold one text, never a list, a number or an address. */
const SINGLE: ReadonlySet<string> = new Set(
  'rule source hostname evt.type proc.name user.name container.id container.name k8s.ns.name k8s.pod.name'.split(' '),
)

/** Alternatives that are looked at, at most; more are taken to be possible. */
const MOST = 1_000

/** False only when all of the selections can never hold together. */
export const canHold = (selections: readonly Selection[]): boolean => roomsOf(selections).some(isOpen)

/** The Falco rules that a selection is bound to; undefined: to none. */
export const boundRules = (selection: Selection): readonly string[] | undefined => {
  const rooms = roomsOf([selection]).filter(isOpen)
  const names = rooms.map((room) => room.get('rule')?.only)
  return names.length === 0 || names.includes(undefined)
    ? undefined
    : [...new Set(names.flatMap((one) => [...(one ?? [])]))]
}

/** What the names may hold in each alternative of all selections together. */
const roomsOf = (selections: readonly Selection[]): Rooms[] =>
  selections.reduce<Rooms[]>((rooms, selection) => narrow(rooms, selection), [new Map()])

const narrow = (rooms: readonly Rooms[], { match = {}, condition }: Selection): Rooms[] => {
  const { rules, source, priority } = match
  const own: [string, readonly string[]][] = [
    ...(rules?.length ? [['rule', rules] as [string, string[]]] : []),
    ...(source === undefined ? [] : [['source', [source]] as [string, string[]]]),
    ...(priority === undefined ? [] : [['priority', prioritiesOf({ match: { priority } })] as [string, string[]]]),
  ]
  const matched = rooms.map((room) => own.reduce((one, [name, values]) => keep(one, name, values), room))
  return condition === undefined ? matched : alternatives(matched, parsed(condition), false)
}

const alternatives = (rooms: Rooms[], condition: Condition, negated: boolean): Rooms[] => {
  if (condition.kind === 'not') return alternatives(rooms, condition.item, !negated)
  if (condition.kind === 'check') return rooms.map((room) => checked(room, condition, negated)).filter(isOpen)
  const isAnd = (condition.kind === 'and') !== negated
  if (isAnd) return condition.items.reduce((all, item) => alternatives(all, item, negated), rooms)
  const all: Rooms[] = []
  for (const item of condition.items) {
    all.push(...alternatives(rooms, item, negated))
    if (all.length > MOST) return [new Map()]
  }
  return all
}

const EQUAL = ['=', '==', 'in']

/** What a check says, it says everywhere: it cannot both hold and not hold. */
const checked = (rooms: Rooms, check: Check, negated: boolean): Rooms => {
  const { name, operator, values, modifier, left, right } = check
  const room = keep(rooms, printCondition(check), [String(!negated)])
  if (left || right || modifier) return room
  if (name === 'priority')
    return keep(room, name, prioritiesOf({ condition: negated ? { kind: 'not', item: check } : check }))
  if (!SINGLE.has(name)) return room
  if (EQUAL.includes(operator)) return negated ? leaveOut(room, name, values) : keep(room, name, values)
  return operator === '!=' && !negated ? leaveOut(room, name, values) : room
}

/** The priorities for which a selection that looks at nothing else holds: asked of the engine itself. */
const prioritiesOf = (selection: Selection): string[] => {
  try {
    const holds = compileSelection(selection)
    return PRIORITIES.filter((priority) => holds({ event: { priority, source: '' } as never }))
  } catch {
    return [...PRIORITIES]
  }
}

const keep = (rooms: Rooms, name: string, values: readonly string[]): Rooms => {
  const { only, not } = rooms.get(name) ?? { not: new Set<string>() }
  const texts = name === 'priority' ? values.map((one) => parsePriority(one) ?? one) : values
  return new Map(rooms).set(name, { only: new Set(texts.filter((one) => !only || only.has(one))), not })
}

const leaveOut = (rooms: Rooms, name: string, values: readonly string[]): Rooms => {
  const { only, not } = rooms.get(name) ?? { not: new Set<string>() }
  return new Map(rooms).set(name, { ...(only && { only }), not: new Set([...not, ...values]) })
}

const isOpen = (rooms: Rooms): boolean =>
  [...rooms.values()].every(({ only, not }) => !only || [...only].some((one) => !not.has(one)))
