/** What candidate rules would have done otherwise. */
import type { FalcoEvent } from '../event.ts'
import { targetOf } from '../target.ts'
import type { Answers } from './replay.ts'

/** An event that shows a difference. */
export interface Example {
  readonly kind: Kind
  readonly time: string
  readonly rule: string
  readonly target?: string
  readonly output: string
  /** How the steps end; absent: the rule does not match. */
  readonly before?: string
  readonly after?: string
}

/** `more`: only the candidate matches, `fewer`: only the current one, `changed`: both, and steps end otherwise. */
export type Kind = 'more' | 'fewer' | 'changed'

export interface RuleDifference extends Readonly<Record<Kind, number>> {
  readonly rule: string
  readonly examples: readonly Example[]
}

/** Examples of each kind that are kept. */
const KEPT = 3

interface Tally extends Record<Kind, number> {
  readonly examples: Example[]
}

export const createDifference = () => {
  const tallies = new Map<string, Tally>()
  return {
    add(event: FalcoEvent, before: Answers, after: Answers): void {
      for (const rule of new Set([...before.keys(), ...after.keys()])) {
        const ends = { before: before.get(rule), after: after.get(rule) }
        if (ends.before === ends.after) continue
        const kind = ends.before === undefined ? 'more' : ends.after === undefined ? 'fewer' : 'changed'
        const tally = tallies.get(rule) ?? { more: 0, fewer: 0, changed: 0, examples: [] }
        tallies.set(rule, tally)
        if (tally[kind]++ < KEPT) tally.examples.push(exampleOf(kind, event, ends))
      }
    },
    list: (): RuleDifference[] => [...tallies].map(([rule, tally]) => ({ rule, ...tally })),
  }
}

type Ends = { readonly before: string | undefined; readonly after: string | undefined }

const exampleOf = (kind: Kind, event: FalcoEvent, { before, after }: Ends): Example => {
  const { key } = targetOf(event)
  return {
    kind,
    time: event.time,
    rule: event.rule,
    ...(key !== undefined && { target: key }),
    output: event.output,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  }
}
