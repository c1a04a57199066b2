/** What a place to keep things can do, and how it is asked for when it is a thread. */
import type { JournalStats, LetterQuery, ResponseQuery, StoredEvent, StoredLetter, StoredNotice } from './index.ts'

/** A {@link Report} that becomes history. */
export interface StoredReport {
  readonly id: string
  readonly rule: string
  readonly outcome: string
  /** The report, JSON. */
  readonly body: string
}

/** A response of the history as it is kept. */
export interface KeptResponse {
  readonly seq: number
  readonly id: string
  /** The report, JSON; its member `undone` has what was taken back, by key. */
  readonly body: string
}

export interface KeptNotice extends StoredNotice {
  readonly seq: number
}

/** A part of the events that an earlier run left. */
export interface PendingPage {
  readonly events: readonly StoredEvent[]
  /** Where the next page begins; undefined after the last. */
  readonly next: number | undefined
}

export type Counts = Pick<JournalStats, 'unsettled' | 'oldest' | 'notices' | 'responses' | 'deadLetters'>

/** Each may be repeated: twice is as once, so that a thread that died can begin again with what was in the air. */
export interface Writes {
  accept(event: StoredEvent): void
  /** @param value JSON */
  note(event: string, key: string, value: string, at: number): void
  settle(event: string, at: number, redelivered: boolean, reports: readonly StoredReport[]): void
  keep(notice: KeptNotice): void
  drop(output: string, id: string): void
  bury(letter: StoredLetter): void
  /** @param value JSON */
  undone(response: string, key: string, value: string): void
}

export interface Reads {
  read(ids: readonly string[]): readonly StoredEvent[]
  /** Events after the number `after` up to the number `last`, in order of acceptance. */
  pending(after: number, last: number): PendingPage
  kept(output: string, after: number, limit: number): readonly KeptNotice[]
  waiting(): Readonly<Record<string, number>>
  letters(query: LetterQuery): readonly StoredLetter[]
  unbury(ids: readonly number[]): number
  responses(query: ResponseQuery): readonly KeptResponse[]
  counts(): Counts
}

/** A file or memory that things are kept in. */
export type Store = Writes & Reads

/** A call to be made elsewhere: a name and its arguments. */
export type Call<T, K extends keyof T = keyof T> = {
  [N in K]: T[N] extends (...args: infer A) => unknown ? readonly [name: N, ...args: A] : never
}[K]
export type Write = Call<Writes>
export type Read = Call<Reads>

/** Makes a call. */
export const perform = (store: Store, [name, ...args]: Write | Read): unknown =>
  (store[name] as (...args: unknown[]) => unknown)(...args)

/** What the reads of a batch gave, in their order. */
export type Answers = readonly unknown[]

export interface Batch {
  /** One transaction. */
  readonly writes: readonly Write[]
  /** Done after it. */
  readonly reads: readonly Read[]
}

/** What an earlier run left, as far as it is held in memory. */
export interface Opened {
  readonly facts: readonly { readonly event: string; readonly key: string; readonly value: string }[]
  readonly settled: readonly { readonly event: string; readonly at: number }[]
  /** The number of the last event, of the last notice, and of the last dead letter. */
  readonly lastEvent: number
  readonly lastNotice: number
  readonly lastLetter: number
}

/** How much there is, and whether it is too much. */
export interface Space {
  readonly size: number
  readonly full: boolean
}

export type Reply =
  | {
      readonly type: 'opened'
      readonly opened: Opened
      readonly space: Space
      readonly movedAside?: string
      readonly migrated?: Migrated
    }
  | { readonly type: 'done'; readonly answers: Answers; readonly space: Space }
  | { readonly type: 'failed'; readonly failure: Failure }

/** From which version to which a file was brought, and where it lies as it was. */
export interface Migrated {
  readonly from: number
  readonly to: number
  readonly backup: string
}

/** Why the file could not be used. */
export interface Failure {
  /**
   * `refused`: of a newer version, or there is no room to bring it up to date. `denied`: it may not be written.
   * `disk`: all else.
   */
  readonly kind: 'refused' | 'denied' | 'disk'
  readonly message: string
}

export interface WorkerSettings {
  readonly path: string
  /** Bytes that the file may take. */
  readonly maxSize: number
}
