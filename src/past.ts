/** What was done about an event before: noted as it happens, asked when the event comes again after a crash. */
import type { Journal } from './journal/index.ts'
import type { Outcome, Report, StepReport } from './plugin.ts'

/** A step that was about to change something. */
export interface Begun {
  /** The UID of its target: another one under the same name is another thing. */
  readonly uid?: string
  /** The span it ran in. */
  readonly traceparent?: string
  /** Of a pause: when it ends, milliseconds since the epoch. */
  readonly until?: number
}

/** What was done about one event by one rule. */
export interface Past {
  /** The response's report, when it had ended. */
  report(): Report | undefined
  ended(step: string): StepReport | undefined
  begun(step: string): Begun | undefined
  /** Resolves when it is durable: only then may the step change something. */
  begin(step: string, begun: Begun): Promise<void>
  end(step: StepReport): void
  /** The whole response ended. */
  close(report: Report): void
}

/** An event, and which of its outputs were told. Keys: no step or output id holds a space. */
export const createPast = (journal: Journal, event: string) => {
  const fact = <T>(key: string): T | undefined => journal.facts(event)?.get(key) as T | undefined
  const note = (key: string, value: unknown): Promise<void> => journal.note(event, key, value)
  return {
    /** @param rule the rule whose report was told; undefined: the event itself */
    wasTold: (output: string, rule = ''): boolean => fact(`told ${output} ${rule}`) !== undefined,
    told: (output: string, rule = ''): void => void note(`told ${output} ${rule}`, 1),
    /** The response that the event had joined. */
    joined: (rule: string): string | undefined => fact(`joined ${rule}`),
    join: (rule: string, response: string): void => void note(`joined ${rule}`, response),
    of: (rule: string): Past => pastOf(rule, fact, note),
  }
}

type Fact = <T>(key: string) => T | undefined
type Note = (key: string, value: unknown) => Promise<void>

/** Nothing is written of a response that changes nothing: it can simply be run again. */
const pastOf = (rule: string, fact: Fact, note: Note): Past => {
  const unwritten: StepReport[] = []
  let changes = false
  const noteEnd = (step: StepReport): void => void note(`ended ${step.id} ${rule}`, step)
  return {
    report: () => fact(`report ${rule}`),
    ended: (step) => fact(`ended ${step} ${rule}`),
    begun(step) {
      const begun = fact<Begun>(`begun ${step} ${rule}`)
      changes ||= begun !== undefined
      return begun
    },
    begin(step, begun) {
      changes = true
      unwritten.splice(0).forEach(noteEnd)
      return note(`begun ${step} ${rule}`, begun)
    },
    end(step) {
      if (isOpen(step.outcome)) return
      if (changes) noteEnd(step)
      else unwritten.push(step)
    },
    close(report) {
      if (changes && !isOpen(report.outcome)) void note(`report ${rule}`, report)
    },
  }
}

export type EventPast = ReturnType<typeof createPast>

/** Of an event that nobody wants: there is nothing to remember. */
export const UNTOLD: Pick<EventPast, 'wasTold' | 'told'> = { wasTold: () => false, told: () => {} }

/** What a stop cuts short is gone on with at the next start. */
const isOpen = (outcome: Outcome): boolean => outcome === 'interrupted'

/** For what leaves no trace in the journal: observe mode. */
export const NO_PAST: Past = {
  report: () => undefined,
  ended: () => undefined,
  begun: () => undefined,
  begin: async () => {},
  end: () => {},
  close: () => {},
}
