/** Rows about finding the rules that an event matches. */
import { parseEvent } from '../../src/event.ts'
import type { Scope } from '../../src/names.ts'
import { compileSelection, createMatcher, type Selection } from '../../src/rules/matcher.ts'
import { targetOf } from '../../src/target.ts'
import { anAlert } from './events.ts'
import type { Opened, Row } from './measure.ts'

const MANY = 10_000
const FEW = 10

/** Of the stream: some more than the rules that Falco ships. */
const FALCO_RULES = 60
const NAMESPACES = 500

const TEAMS = 50

/** The alerts of a stream: each of one of Falco's rules, from one of the namespaces, with the tag of a team. */
const scopes = (rules: number): Scope[] =>
  Array.from({ length: 512 }, (_, n) => {
    const alert = JSON.parse(anAlert(n)) as { output_fields: object; tags: string[] }
    const fields = { ...alert.output_fields, 'k8s.ns.name': `ns-${(n * 7) % NAMESPACES}` }
    const tags = [...alert.tags, `team-${n % TEAMS}`]
    const raw = JSON.stringify({ ...alert, rule: `Falco rule ${n % rules}`, tags, output_fields: fields })
    const event = parseEvent(raw, { id: String(n), input: 'http' })
    return { event, target: targetOf(event) }
  })

/** Bound to a Falco rule of its own; the names beyond those of the stream are never heard of. */
const named = (n: number): Selection => ({
  match: { rules: [`Falco rule ${n}`], priority: '>=notice' },
  condition: `k8s.ns.name != kube-system and proc.name in (bash, sh, zsh)`,
})

/** Bound to a namespace, or to a tag and a priority, but to no Falco rule. */
const unnamed = (n: number): Selection =>
  n % 2 === 0
    ? { condition: `k8s.ns.name = ns-${n % NAMESPACES} and not user.name = nobody` }
    : { match: { priority: '>=notice', tags: [`team-${n % TEAMS}`] } }

const rulesOf = (size: number, one: (n: number) => Selection): Selection[] =>
  Array.from({ length: size }, (_, n) => one(n))

const mixed = (n: number): Selection => (n % 5 === 4 ? unnamed((n - 4) / 5) : named(n))

type Find = (scope: Scope) => readonly Selection[]

const indexed = (rules: readonly Selection[]): Find => createMatcher(rules).match

/** Asks every rule. */
const scanned = (rules: readonly Selection[]): Find => {
  const ready = rules.map((rule) => ({ rule, holds: compileSelection(rule) }))
  return (scope) => ready.filter(({ holds }) => holds(scope)).map(({ rule }) => rule)
}

/** Events per second, over some 300 ms. */
const rateOf = (find: Find, stream: readonly Scope[]): number => {
  const started = performance.now()
  for (let events = 0; ;) {
    for (let n = 0; n < 64; n++) find(stream[events++ % stream.length] as Scope)
    const took = performance.now() - started
    if (took > 300) return events / (took / 1_000)
  }
}

const compared = (ours: Find, anchor: Find, stream: readonly Scope[]): Opened => {
  for (const scope of stream) {
    if (ours(scope).length !== anchor(scope).length) throw new Error('the two find different rules')
  }
  return {
    ours: () => Promise.resolve(rateOf(ours, stream)),
    anchor: () => Promise.resolve(rateOf(anchor, stream)),
    close: () => Promise.resolve(),
  }
}

const row = (of: Omit<Row, 'unit' | 'open'>, open: () => Opened): Row => ({
  ...of,
  unit: 'events/s',
  open: () => Promise.resolve().then(open),
})

export const matcherRows: readonly Row[] = [
  row(
    {
      name: 'match-size',
      what: `an event against ${MANY} rules bound to names, of the same against ${FEW}; one of either is for its name`,
      goal: 0.33,
    },
    () => compared(indexed(rulesOf(MANY, named)), indexed(rulesOf(FEW, named)), scopes(FEW)),
  ),
  row(
    {
      name: 'match-scan',
      what: `an event against ${MANY} rules bound to names, of asking all of them`,
      goal: 100,
    },
    () => compared(indexed(rulesOf(MANY, named)), scanned(rulesOf(MANY, named)), scopes(FALCO_RULES)),
  ),
  row(
    {
      name: 'match-scan-mixed',
      what: `an event against ${MANY} rules, a fifth bound to no name, of asking all of them`,
      goal: 10,
    },
    () => compared(indexed(rulesOf(MANY, mixed)), scanned(rulesOf(MANY, mixed)), scopes(FALCO_RULES)),
  ),
]
