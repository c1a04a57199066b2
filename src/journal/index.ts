/**
 * What is kept over a crash: push events until they are settled, what was done about any event, notices that wait for
 * an output, reports, dead letters.
 *
 * All that concerns an event hangs on its id as **facts**: which steps were begun and done, which outputs were told.
 * When the event comes again, by this journal after a restart or by its source, the facts say what not to repeat.
 */
import type { Outcome, Report } from '../plugin.ts'

/** An accepted event as it came. */
export interface StoredEvent {
  readonly id: string
  /** The id of its input. */
  readonly input: string
  /** Falco's JSON text, every digit kept. */
  readonly body: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly authenticated?: string
  /** What its input was set to: of which cluster its events are, and whether several clusters send by it. */
  readonly cluster?: string
  readonly shared?: true
  /** The span of its reception, so that a resumed response goes on in the same trace. */
  readonly traceparent?: string
}

/** A notice that waits for its output. */
export interface StoredNotice {
  /** The id of the output. */
  readonly output: string
  /** The notice's own id; with the output it is the key. */
  readonly id: string
  /** When it was offered first; milliseconds since the epoch. */
  readonly at: number
  /** JSON, the engine's own. */
  readonly body: string
}

/** Something given up, with all that is needed to look at it and to try again. */
export interface DeadLetter {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** What it was: a notice for an output, or something that an input could not take. */
  readonly kind: 'notice' | 'event'
  /** The id of the output or input. */
  readonly from: string
  /** A short stable word. */
  readonly reason: string
  readonly message: string
  /** Of a notice the JSON of a {@link StoredNotice}, of an event its text. */
  readonly body: string
  /** Where in the source, e.g. `falco/3/1042`. */
  readonly position?: string
  readonly attempts?: number
}

export interface StoredLetter extends DeadLetter {
  readonly id: number
  /** The body was too long: this is its beginning. */
  readonly truncated?: true
}

/** Which dead letters; all conditions hold together. */
export interface LetterQuery {
  readonly kind?: DeadLetter['kind']
  readonly from?: string
  readonly reason?: string
  /** Only those with a greater id. */
  readonly after?: number
  /** Default 100. */
  readonly limit?: number
}

/** What became of one change that was to be taken back. */
export interface Undone {
  readonly action: string
  readonly rule: string
  readonly response: string
  readonly step: string
  /** What it was on, e.g. `pod shop/web-1`. */
  readonly object: string
  /** `succeeded`; `gone`: there is nothing to take back any more; any other: it is still there. */
  readonly outcome: Outcome
  /** One line for people. */
  readonly summary: string
  /** RFC 3339, UTC. */
  readonly at: string
}

/** A response of the history. */
export interface StoredResponse {
  /** Grows with time. */
  readonly seq: number
  readonly report: Report
  /** What was taken back of it. */
  readonly undone: readonly Undone[]
}

/** Which responses; all conditions hold together. */
export interface ResponseQuery {
  /** The beginning of their id. */
  readonly id?: string
  /** The beginning of the id of their trace. */
  readonly trace?: string
  readonly rule?: string
  readonly outcome?: Outcome
  /** Only those with a smaller `seq`. */
  readonly before?: number
  /** Default 100. */
  readonly limit?: number
}

/** The facts about one event, by key. */
export type Facts = ReadonlyMap<string, unknown>

export interface JournalHealth {
  /** `durable`: on disk. `memory`: as asked for. `degraded`: the disk failed, what comes now is in memory only. */
  readonly mode: 'durable' | 'memory' | 'degraded'
  /** Why it is degraded. */
  readonly reason?: string
  /** The file found at the start could not be read; it was moved here, and a new one begun. */
  readonly movedAside?: string
  /** Bytes in use on the disk, as of the last write. */
  readonly size: number
  /** Bytes that it may take; 0 in memory. */
  readonly maxSize: number
  /** New push events are refused: there is no room that could be made. */
  readonly full: boolean
}

export interface JournalStats extends JournalHealth {
  /** Push events that are not settled. */
  readonly unsettled: number
  /** When the oldest of them was accepted; milliseconds since the epoch. */
  readonly oldest?: number
  /** Notices that wait, by output. */
  readonly notices: Readonly<Record<string, number>>
  /** Responses in the history. */
  readonly responses: number
  readonly deadLetters: number
}

export interface Journal {
  /**
   * Keeps a push event until it is settled. Resolves when that is durable; twice is as once.
   * @throws YarakError `overloaded` when there is no room
   */
  accept(event: StoredEvent): Promise<void>
  /** Those of the events that are still kept, in no order. */
  read(ids: readonly string[]): Promise<readonly StoredEvent[]>
  /** Push events that an earlier run accepted and did not settle, oldest first, read page by page. Once only. */
  pending(): AsyncIterable<StoredEvent>
  /** Notes a fact about an event. Resolves when it is durable; a second value replaces the first. */
  note(event: string, key: string, value: unknown): Promise<void>
  /** What an earlier run, or an earlier delivery, noted about the event; undefined: nothing. */
  facts(event: string): Facts | undefined
  /**
   * Nothing is left to do about the event: it and its facts are forgotten, its reports become history.
   * @param redelivered the source may deliver it again: its id is remembered for a while
   */
  settle(event: string, reports: readonly Report[], redelivered: boolean): void
  /** The event was settled a short while ago, by this run or the one before. */
  wasSettled(event: string): boolean
  /** Keeps a notice until it is dropped. Resolves when that is durable. */
  keep(notice: StoredNotice): Promise<void>
  /** Notices kept for an output, oldest first, beginning after the one with this `seq`. */
  kept(output: string, after: number, limit: number): Promise<readonly (StoredNotice & { readonly seq: number })[]>
  /** The outputs that notices are kept for, with their number. */
  waiting(): Promise<Readonly<Record<string, number>>>
  drop(notice: Pick<StoredNotice, 'output' | 'id'>): void
  bury(letter: DeadLetter): void
  letters(query?: LetterQuery): Promise<readonly StoredLetter[]>
  /** Removes dead letters; gives how many were there. */
  unbury(ids: readonly number[]): Promise<number>
  /** The history: responses whose events are settled, the latest first; for 7 days, the last 100,000 (in memory 1,000). */
  responses(query?: ResponseQuery): Promise<readonly StoredResponse[]>
  /**
   * Adds to the history that a change of a response was taken back.
   * @param key of the change: a second value replaces the first
   */
  undone(response: string, key: string, done: Undone): void
  health(): JournalHealth
  stats(): Promise<JournalStats>
  /** Resolves when everything noted so far is durable. */
  flush(): Promise<void>
  close(): Promise<void>
}
